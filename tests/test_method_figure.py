"""The drawing of README's figure, which is no part of the package: it repeats byte for byte."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent.parent / "reports" / "method_figure.py"


def _draw(*names: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *map(str, names)], capture_output=True, text=True, check=False)


def test_the_figure_repeats(tmp_path: Path) -> None:
    first, second, picture = (tmp_path / name for name in ("a.svg", "b.svg", "c.png"))
    done = _draw(first, second, picture)
    assert (done.returncode, done.stdout) == (0, f"wrote {first}\nwrote {second}\nwrote {picture}\n")
    assert first.read_bytes().startswith(b"<?xml") and first.read_bytes() == second.read_bytes()
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_other_formats_are_refused(tmp_path: Path) -> None:
    done = _draw(tmp_path / "method.pdf")
    assert done.returncode == 1 and "name a .svg or .png file" in done.stderr
