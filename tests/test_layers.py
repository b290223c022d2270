"""The architecture: which layer may import which, and which library belongs to which room."""

import ast
from collections.abc import Sequence
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "cdkd"

# Lower layers never import higher ones; rooms of one layer do not import each other.
LAYERS = [
    {
        "atomic_write",
        "callbacks",
        "capacity",
        "config",
        # The embedded data set's part of a run's configuration stands beside its generator.
        "data/shapes/settings",
        "effective_settings",
        # A loss stands in one file: its settings, which are part of a run's configuration, and its function.
        "distill/losses",
        "errors",
        "file_lock",
        "graceful_stop",
        "metric_names",
        "modality",
        "overrides",
        "process_pool",
        "run_status",
        "seeding",
        "segments",
        "settings",
        "settings_reference",
        "suggestion",
        "weak_teacher",
        "yaml_files",
    },
    {"video", "models", "tracking"},
    {"data", "distill"},
    {"train", "inference"},
    {"experiment"},
    {"sweep", "report"},
    {"bench"},
    {"cli"},
    {"__main__"},
]
# Inside a room the same, from the lowest sub-room up. Files that lie flat in the room may be used by all of them.
SUB_LAYERS = {
    "data": [{"annotations", "clips", "shapes"}, {"preparation"}, {"cache"}, {"loading"}],
    "models": [{"backbones"}, {"student", "teacher"}, {"weights"}],
    "report": [{"tables"}, {"figures"}, {"page"}],
    "sweep": [{"study"}, {"queue"}, {"display"}, {"workers"}],
}
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
# Rooms inside of others that have a layer of their own.
INNER = {"data/shapes/settings", "distill/losses"}
OWNERS = {"optuna": {"sweep"}, "mlflow": {"tracking"}, "click": {"cli"}}
TORCH_FREE = (LAYERS[0] - {"distill/losses"}) | {"video", "tracking", "sweep", "report"}
# Imported by all of those, these import torch inside functions alone.
TORCH_IN_FUNCTIONS = {"distill/losses"}


def imports(path: Path) -> set[str]:
    """Every module that a file imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def eager_imports(path: Path) -> set[str]:
    """The modules that are imported when the file is: not those inside functions, nor those for type checkers."""
    found: set[str] = set()
    pending: list[ast.AST] = [ast.parse(path.read_text())]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.FunctionDef) or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)):
            continue
        pending += ast.iter_child_nodes(node)
    return found


def room_of(path: Path) -> str:
    return room_of_parts(path.relative_to(PACKAGE).with_suffix("").parts)


def room_of_parts(parts: Sequence[str]) -> str:
    path = "/".join(parts)
    return next((inner for inner in INNER if f"{path}/".startswith(f"{inner}/")), parts[0])


FILES = sorted(path for path in PACKAGE.rglob("*.py") if room_of(path) != "__init__")


def test_every_room_has_a_layer() -> None:
    assert {room_of(path) for path in FILES} <= set(LEVEL)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_file_imports_only_what_its_layer_may(path: Path) -> None:
    room = room_of(path)
    for module in imports(path):
        top, *rest = module.split(".")
        other = room_of_parts(rest) if top == "cdkd" and rest else ""
        if other in LEVEL and other != room:
            is_ground = LEVEL[room] == LEVEL[other] == 0
            assert is_ground or LEVEL[other] < LEVEL[room], f"{path}: {room} must not import {module}"
        if top in OWNERS:
            assert room in OWNERS[top], f"{path}: only {OWNERS[top]} imports {top}"
        if top in ("torch", "torchvision"):
            assert room not in TORCH_FREE, f"{path}: {room} does without {top}"
    if room in TORCH_IN_FUNCTIONS:
        heavy = {module for module in eager_imports(path) if module.split(".")[0] in ("torch", "torchvision")}
        assert not heavy, f"{path}: imports {heavy} outside of its functions"


def sub_room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts[room_of(path).count("/") + 1 :]
    return parts[0] if len(parts) > 1 else ""


def test_every_sub_room_has_a_layer() -> None:
    found = {(room_of(path), sub_room_of(path)) for path in FILES if sub_room_of(path)}
    assert found == {(room, name) for room, layers in SUB_LAYERS.items() for names in layers for name in names}


@pytest.mark.parametrize("room", SUB_LAYERS)
def test_sub_rooms_import_downwards_only(room: str) -> None:
    level = {name: number for number, names in enumerate(SUB_LAYERS[room]) for name in names}
    for path in FILES:
        own = sub_room_of(path)
        if room_of(path) != room or not own:
            continue
        for module in imports(path):
            parts = module.split(".")
            other = parts[2] if len(parts) > 2 and parts[:2] == ["cdkd", room] else ""
            if other in level and other != own:
                assert level[other] < level[own], f"{path}: {room}/{own} must not import {module}"
