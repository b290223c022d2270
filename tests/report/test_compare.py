"""Comparisons of score files whose answer is known, from every kind of file and from a real store."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from cdkd.cli.compare import command
from cdkd.report.compare import calibration_error, compare, comparison_text
from cdkd.report.score_set import ScoreSet, VideoScores, read_score_set
from cdkd.report.tracked import ReportError


def _frame(right: str, label: int = 1, num_classes: int = 3) -> pd.DataFrame:
    """A video per letter: 1 is classified right, 0 as class 0."""
    logits = [[0.0, 2.0, 0.0] if each == "1" else [2.0, 0.0, 0.0] for each in right]
    return pd.DataFrame({"video_id": [f"v{n:02d}" for n in range(len(right))], "label": label, "logits": logits})


def _wide(frame: pd.DataFrame) -> pd.DataFrame:
    scores = pd.DataFrame(np.stack(frame["logits"]), columns=["score_0", "score_1", "score_2"])
    return pd.concat([frame[["video_id", "label"]], scores], axis=1)


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments))


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """The same known pair in four forms: A gets 6 of 12 right, B the same but one, and four more."""
    a, b = _frame("111111000000"), _frame("111110111100")
    _wide(a).sample(frac=1, random_state=1).to_csv(tmp_path / "a.csv", index=False)
    b.assign(logits=[json.dumps(row) for row in b["logits"]]).to_csv(tmp_path / "b.csv", index=False)
    np.savez(
        tmp_path / "b.npz", video_id=b["video_id"].to_numpy(dtype=str), label=b["label"], logits=np.stack(b["logits"])
    )
    _wide(b).iloc[::-1].to_parquet(tmp_path / "b.parquet")
    return [str(tmp_path / name) for name in ("a.csv", "b.csv", "b.npz", "b.parquet")]


def test_known_answers_from_every_kind_of_file(files: list[str]) -> None:
    a, *others = files
    for b in others:
        result = _run(a, b, "--json")
        assert result.exit_code == 0, result.output
        found = json.loads(result.output)
        assert (found["top1_a"], found["top1_b"], found["difference"]) == (50.0, 75.0, 25.0)
        # p = 2 * (1 + 5) / 2^5; seven of twelve videos get the same class from both.
        assert (found["discordant"], found["mcnemar_p"]) == ({"only_a": 1, "only_b": 4}, 0.375)
        assert found["agreement"] == pytest.approx(100 * 7 / 12)
        assert found["interval"][0] < 25.0 < found["interval"][1]
        assert found["classes"] == [{"label": 1, "num_videos": 12, "change": pytest.approx(25.0)}]


def test_text_says_what_it_is_about(files: list[str]) -> None:
    text = _run(*files[:2]).output
    assert "only A right / only B right 1 / 4" in text and "exact McNemar p             0.38" in text
    assert "speak of these two trained networks" in text
    three = _run(*files[:3], "--format", "markdown").output.splitlines()
    assert len(three) == 4 and {line.count("|") for line in three} == {10}


def test_rows_are_paired_by_seed() -> None:
    def scores(right: str) -> VideoScores:
        frame = _frame(right)
        return VideoScores(tuple(frame["video_id"]), frame["label"].to_numpy(), np.stack(frame["logits"]))

    a = ScoreSet("a", {0: scores("1100"), 1: scores("1110"), 5: scores("0000")}, True)
    b = ScoreSet("b", {1: scores("0111"), 0: scores("1111")}, True)
    found = compare(a, b)
    assert (found.seeds, found.top1_a, found.top1_b, found.difference) == ((0, 1), 62.5, 87.5, 25.0)
    assert [(test.num_only_baseline, test.num_only_row) for test in found.tests] == [(0, 2), (1, 1)]
    # Two seeds know little of their scatter, and the text does not hide it.
    assert "of 2 seeds the interval knows their scatter too little" in " ".join(comparison_text([found]).split())
    with pytest.raises(ReportError, match="a: seeds 0, 1, 5; c: seeds 0"):
        compare(a, ScoreSet("c", {0: scores("1111")}, False))


def test_calibration_by_hand() -> None:
    # Softmax of (2, 0, 0): e^2 / (e^2 + 2) = 0.787; three of four right, all in one bin.
    frame = _frame("1110")
    scores = VideoScores(tuple(frame["video_id"]), frame["label"].to_numpy(), np.stack(frame["logits"]))
    assert calibration_error(scores) == pytest.approx(100 * abs(0.75 - np.exp(2) / (np.exp(2) + 2)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="label"), "need the columns video_id and label"),
        (lambda f: f.drop(columns="score_1"), "score_0 to score_1"),
        (lambda f: f.assign(video_id="same"), "video same stands there twice"),
        (lambda f: f.assign(score_2=np.nan), "a score of video v00 is no finite number"),
        (lambda f: f.assign(label=3), "labels must be whole numbers from 0 to 2"),
        (lambda f: f.iloc[:0], "holds no video"),
        (lambda f: f.assign(label=2), "video v00 has label 1 in .* and 2 in .*: the classes are not in the same order"),
        (lambda f: f.iloc[1:], "tested on different videos .*only in .*: 1, as v00"),
    ],
)
def test_what_does_not_fit_is_refused(files: list[str], tmp_path: Path, change: object, message: str) -> None:
    path = tmp_path / "changed.parquet"
    change(_wide(_frame("110011001100"))).to_parquet(path)  # type: ignore[operator]
    with pytest.raises(ReportError, match=message):
        compare(read_score_set(files[0]), read_score_set(str(path)))


def test_what_is_no_score_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scores.txt").write_text("1")
    (tmp_path / "broken.npz").write_bytes(b"no archive")
    with pytest.raises(ReportError, match=r"end in \.parquet, \.csv or \.npz"):
        read_score_set(str(tmp_path / "scores.txt"))
    with pytest.raises(ReportError, match=r"broken\.npz: cannot be read as scores"):
        read_score_set(str(tmp_path / "broken.npz"))
    with pytest.raises(ReportError, match=r"nowhere\.csv: no such file; give a score file"):
        read_score_set(str(tmp_path / "nowhere.csv"))
    assert "give at least two" in _run("a.csv").output
