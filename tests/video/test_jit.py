"""Loops are compiled wherever the package stands, and anew when the code that they call has changed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cdkd.video
from cdkd.video.jit import jit


def test_code_that_no_folder_can_cache_is_compiled_all_the_same() -> None:
    names: dict[str, object] = {}
    # Source that lies in no file is what numba finds in a folder that cannot be written: nowhere to keep the result.
    exec(compile("def twice(number):\n    return 2 * number\n", "<nowhere>", "exec"), names)
    assert jit(names["twice"])(21) == 42  # type: ignore[type-var, operator]


def test_an_edit_of_a_called_function_reaches_its_callers(tmp_path: Path) -> None:
    folder = tmp_path / "cdkd" / "video"
    folder.mkdir(parents=True)
    for package in (folder, folder.parent):
        (package / "__init__.py").touch()
    shutil.copy(Path(cdkd.video.__path__[0]) / "jit.py", folder)
    head = "from cdkd.video.jit import jit\n"
    caller = f"{head}from cdkd.video.called import step\n@jit\ndef walk():\n    return step() + 1\n"
    (folder / "caller.py").write_text(caller)
    results = []
    for number in (1, 1, 5):
        (folder / "called.py").write_text(f"{head}@jit\ndef step():\n    return {number}\n")
        code = "from cdkd.video.caller import walk; print(walk(), sum(walk.stats.cache_hits.values()))"
        environment = {**os.environ, "PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
        command = [sys.executable, "-c", code]
        run = subprocess.run(command, capture_output=True, text=True, check=True, env=environment, cwd=tmp_path)
        results.append(run.stdout.split())
    # The second run comes from the cache; without the digest the third would, too, and say 2.
    assert results == [["2", "0"], ["2", "1"], ["6", "0"]]
