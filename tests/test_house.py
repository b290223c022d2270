"""The limits of the house: sizes of modules and functions, return types, a sentence at the head of every file."""

import ast
from pathlib import Path

import pytest
from measure_house import MAX_FUNCTION_LINES, MAX_MODULE_LINES, measure, sources

TEXTS = sources(None)
MODULES = measure(TEXTS)
ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.path)
def test_a_module_keeps_within_the_limits(module) -> None:  # type: ignore[no-untyped-def]
    assert module.num_lines <= MAX_MODULE_LINES
    assert [f"{f.place}: {f.num_lines} lines" for f in module.functions if f.num_lines > MAX_FUNCTION_LINES] == []
    assert [function.place for function in module.functions if not function.is_typed] == []


@pytest.mark.parametrize("path", sorted(TEXTS))
def test_a_file_begins_with_its_sentence(path: str) -> None:
    first = (ast.get_docstring(ast.parse(TEXTS[path])) or "").splitlines()[:1]
    assert first and first[0].endswith((".", ":")), f"{path} begins with {first}"


def test_a_measured_function(tmp_path: Path) -> None:
    text = '''"""Head."""
from typing import Any  # one comment


@decorated(
    1
)
def wide(self, a, /, b: Any, *rest, c=1, **more) -> None:
    """Two
    lines."""
    # another comment
    return None


def untyped(): return Any
'''
    (module,) = measure({"cdkd/room/file.py": text})
    assert (module.folder, module.num_lines, module.num_comment_lines, module.num_any) == ("cdkd/room", 15, 2, 2)
    assert module.num_code_lines == 7
    wide, untyped = module.functions
    assert (wide.place, wide.num_lines, wide.num_parameters, wide.is_typed) == ("cdkd/room/file.py:wide", 3, 5, True)
    assert (untyped.num_lines, untyped.num_parameters, untyped.is_typed) == (1, 0, False)
