"""Every command block of the guides runs, in order, in a folder of its own, with settings as small as can be.

Two comments in a guide, which a reader does not see, steer the blocks below them:

    <!-- test: needs runs -->             the folder holds a finished study, a student and a video
    <!-- test: sweep --only row=both -->  arguments that are added to every `cdkd sweep` of the guide
"""

import re
import shlex
import shutil
from pathlib import Path

import pytest
from support.guides import REPOSITORY, Workplace
from support.official_trees import H264, XVID, ucf101_tree, write_video

GUIDES = sorted(path for path in (REPOSITORY / "docs").glob("*.md") if path.name != "settings.md")
BLOCK = re.compile(r"^```(sh|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"^<!-- test: (.*) -->$", re.MULTILINE)
MENTIONED = re.compile(r"`(cdkd/[\w/]+(?:\.\w+)?/?|sweeps/\w+\.yaml|tests/[\w/]+(?:\.py)?)`")


def write_inputs(folder: Path) -> None:
    """The videos that guides speak of."""
    for number in range(5):
        write_video(folder / f"my-videos/jump/{number}.mp4", H264, seed=number)
        write_video(folder / f"my-videos/kick/{number}.avi", XVID, seed=10 + number)
    write_video(folder / "archive/2019/a.avi", XVID, seed=20)
    ucf101_tree(folder)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_the_blocks_of_a_guide_run(
    guide: Path, tmp_path: Path, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = guide.read_text()
    notes = COMMENT.findall(text)
    blocks = BLOCK.findall(text)
    folder = tmp_path / "work"
    if "needs runs" in notes:
        shutil.copytree(request.getfixturevalue("finished_runs"), folder)
    else:
        folder.mkdir()
        write_inputs(folder)
    extra = {note.split()[0]: shlex.split(note)[1:] for note in notes if note != "needs runs"}
    workplace = Workplace(folder, extra, home=tmp_path_factory.getbasetemp() / "guides-home")
    python = "\n".join(code for language, code in blocks if language == "python")
    for code in (code for language, code in blocks if language == "sh"):
        workplace.shell(code)
    if python:
        workplace.python(python)


@pytest.mark.parametrize("guide", [*GUIDES, REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md"], ids=str)
def test_the_files_that_a_guide_names_are_there(guide: Path) -> None:
    text = guide.read_text()
    assert [name for name in MENTIONED.findall(text) if not (REPOSITORY / name).exists()] == []
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert [link for link in links if not (guide.parent / link).exists()] == []
