"""Loops are compiled wherever the package stands."""

from cdkd.video.jit import native


def test_code_that_no_folder_can_cache_is_compiled_all_the_same() -> None:
    names: dict[str, object] = {}
    # Source that lies in no file is what numba finds in a folder that cannot be written: nowhere to keep the result.
    exec(compile("def twice(number):\n    return 2 * number\n", "<nowhere>", "exec"), names)
    assert native(names["twice"])(21) == 42  # type: ignore[type-var, operator]
