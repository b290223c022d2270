"""Measures the house: folders with their sizes, modules, functions, parameters, comments.

python tests/measure_house.py                 the working tree
python tests/measure_house.py --rev 720d7cb   a commit
"""

import argparse
import ast
import io
import subprocess
import tokenize
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median

ROOT = Path(__file__).parent.parent
PACKAGE = "cdkd"
SMALL_LINES, MAX_MODULE_LINES, MAX_FUNCTION_LINES = 50, 350, 60

Function = ast.FunctionDef | ast.AsyncFunctionDef
_NO_CODE = {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER, tokenize.COMMENT}


@dataclass(frozen=True)
class MeasuredFunction:
    """One function or method."""

    place: str
    """module:name."""
    num_lines: int
    """From `def` to its last line, without its docstring; decorators are no part of it."""
    num_parameters: int
    """Without self and cls."""
    is_typed: bool
    """It says what it returns."""


@dataclass(frozen=True)
class MeasuredModule:
    """One file."""

    path: str
    num_lines: int
    num_code_lines: int
    """Lines that hold code; docstrings are none."""
    num_comment_lines: int
    """Lines that hold a comment."""
    num_any: int
    """`Any` in annotations and expressions; importing it does not count."""
    functions: tuple[MeasuredFunction, ...]

    @property
    def folder(self) -> str:
        """Where it lies."""
        return self.path.rpartition("/")[0]


def sources(rev: str | None) -> dict[str, str]:
    """Path to text of every module of the package, of a commit or of the working tree."""
    if rev is None:
        files = sorted((ROOT / PACKAGE).rglob("*.py"))
        return {str(file.relative_to(ROOT)): file.read_text(encoding="utf-8") for file in files}
    listed = _git("ls-tree", "-r", "--name-only", rev, "--", PACKAGE).splitlines()
    return {path: _git("show", f"{rev}:{path}") for path in listed if path.endswith(".py")}


def _git(*arguments: str) -> str:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True).stdout


def measure(texts: Mapping[str, str]) -> list[MeasuredModule]:
    """Every module but the packages' one-line files, which hold nothing."""
    return [_module(path, text) for path, text in texts.items() if text.count("\n") > 1]


def _module(path: str, text: str) -> MeasuredModule:
    tree = ast.parse(text)
    code: set[int] = set()
    comments: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            comments.add(token.start[0])
        elif token.type not in _NO_CODE:
            code |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            code -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return MeasuredModule(
        path=path,
        num_lines=text.count("\n"),
        num_code_lines=len(code),
        num_comment_lines=len(comments),
        num_any=sum(isinstance(node, ast.Name) and node.id == "Any" for node in ast.walk(tree)),
        functions=tuple(_functions(path, tree)),
    )


def _functions(path: str, tree: ast.Module) -> Iterator[MeasuredFunction]:
    for node in ast.walk(tree):
        if isinstance(node, Function):
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            names = [argument.arg for argument in arguments if argument.arg not in ("self", "cls")]
            names += [argument.arg for argument in (node.args.vararg, node.args.kwarg) if argument]
            assert node.end_lineno is not None
            lines = node.end_lineno - node.lineno + 1 - _docstring_lines(node)
            yield MeasuredFunction(f"{path}:{node.name}", lines, len(names), node.returns is not None)


def _docstring_lines(node: Function) -> int:
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is None or first.end_lineno is None:
        return 0
    return first.end_lineno - first.lineno + 1


def report(modules: list[MeasuredModule]) -> str:
    """The measures as text."""
    functions = [function for module in modules for function in module.functions]
    sizes = [module.num_lines for module in modules]
    small = sum(size <= SMALL_LINES for size in sizes)
    code, comments = (
        sum(getattr(module, name) for module in modules) for name in ("num_code_lines", "num_comment_lines")
    )
    longest = max(functions, key=lambda function: function.num_lines)
    widest = max(functions, key=lambda function: function.num_parameters)
    long = [function.place for function in functions if function.num_lines > MAX_FUNCTION_LINES]
    big = [f"{module.path} ({module.num_lines})" for module in modules if module.num_lines > MAX_MODULE_LINES]
    lines = [f"{'folder':<30} modules   lines  median"]
    by_folder: dict[str, list[int]] = defaultdict(list)
    for module in modules:
        by_folder[module.folder].append(module.num_lines)
    for folder, found in sorted(by_folder.items()):
        lines.append(f"{folder:<30} {len(found):>7} {sum(found):>7,} {median(found):>7g}")
    lines += [
        "",
        f"modules: {len(modules)}, {sum(sizes):,} lines; median {median(sizes):g}, longest {max(sizes)}",
        f"modules of {SMALL_LINES} lines or less: {small} of {len(modules)} ({small / len(modules):.0%})",
        f"modules over {MAX_MODULE_LINES} lines: {', '.join(big) or 'none'}",
        f"comments: {comments:,} lines to {code:,} of code ({comments / code:.1%})",
        f"Any: {sum(module.num_any for module in modules)}",
        f"functions: {len(functions):,}; median {median(f.num_lines for f in functions):g} lines without docstring, "
        f"longest {longest.num_lines} ({longest.place})",
        f"functions over {MAX_FUNCTION_LINES} lines: {', '.join(long) or 'none'}",
        f"functions that do not say what they return: {sum(not function.is_typed for function in functions)}",
        f"parameters: mean {mean(f.num_parameters for f in functions):.2f}, most {widest.num_parameters} "
        f"({widest.place})",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rev", help="a commit; without it, the working tree")
    print(report(measure(sources(parser.parse_args().rev))))
