"""`cdkd study`: a study leaves its store as one file, gives the same tables from it, and enters another store once."""

import json
import re
import shutil
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from support.fake_runner import marks
from support.sweeps import FAKE, Bench, ready_store

from cdkd.cli import group
from cdkd.errors import CdkdError
from cdkd.report.score_set import read_score_set
from cdkd.report.tracked import ReportError
from cdkd.report.writing import study_text, table_text
from cdkd.tracking import tags
from cdkd.tracking.artifacts import fetch_checkpoint
from cdkd.tracking.plans import load_plan, merged_cells
from cdkd.tracking.runs import load_runs, load_scores
from cdkd.tracking.store import open_client
from cdkd.tracking.study_import import import_study

BOTH_ROWS = """
study: {name}
stages:
  - name: rows
    axes:
      row:
        plain: {{student.decoder: false, student.head: streams, distill.spatial.enabled: false, distill.temporal.enabled: false}}
        both: {{}}
seeds: {seeds}
"""  # noqa: E501


def run(*arguments: str) -> str:
    result = CliRunner().invoke(group, list(arguments), catch_exceptions=False, prog_name="cdkd")
    assert result.exit_code == 0, result.output
    return result.output


def sweep(file: Path) -> str:
    return run("sweep", str(file), "--runner", FAKE, "--workers", "0")


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory, store_template: Path) -> Path:
    """A folder with a study of four runs, of which it took two over from another study, and its file."""
    folder = tmp_path_factory.mktemp("swept")
    ready_store(store_template, folder)
    (folder / "fake").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("FAKE_EXPERIMENT", str(folder / "fake"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        for name, seeds in (("first", "[0]"), ("mine", "[0, 1]")):
            file = folder / f"{name}.yaml"
            text = BOTH_ROWS.format(name=name, seeds=seeds)
            # The same cells by other names.
            if name == "first":
                text = text.replace("row:", "kind:").replace("plain:", "bare:").replace("both:", "full:")
            file.write_text(text)
            sweep(file)
        text = run("study", "export", "mine", "-o", "mine.zip")
    assert re.match(r"wrote mine.zip: 4 runs of cells, \d\.\d MB\n", text), text
    assert text.endswith("its tables, anywhere: cdkd report --study mine --from mine.zip\n")
    return folder


@pytest.fixture
def exported(bench: Bench, swept: Path) -> Path:
    """The study's file, in a folder as it was after the sweeps."""
    shutil.copytree(swept, bench.folder, dirs_exist_ok=True)
    return bench.folder / "mine.zip"


def elsewhere(bench: Bench, template: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another machine's folder: a store without runs, no state of a study."""
    folder = bench.folder / "elsewhere"
    folder.mkdir()
    ready_store(template, folder)
    shutil.copy(bench.folder / "mine.yaml", folder)
    monkeypatch.chdir(folder)
    return folder


def without_ids(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.drop(columns="run_id").sort_values(["study", "cell"]).reset_index(drop=True)


def test_a_file_gives_what_the_store_gives(exported: Path) -> None:
    store, file = f"sqlite:///{exported.parent}/mlflow.db", str(exported)
    frame = load_runs(store, "mine")
    assert len(frame) == 4 and sorted(frame.study) == ["first", "first", "mine", "mine"]
    pd.testing.assert_frame_equal(load_runs(file, "mine"), frame)
    pd.testing.assert_frame_equal(load_runs(file), load_runs(store))
    assert load_plan("mine", file) == load_plan("mine", store) and len(load_plan("mine", store)) == 4
    for run_id in frame.run_id:
        pd.testing.assert_frame_equal(load_scores(run_id, file), load_scores(run_id, store))
        for name, num_values in (("train/loss", 4), ("validation/top1", 5)):
            curves = [
                [(each.step, each.timestamp, each.value) for each in open_client(uri).get_metric_history(run_id, name)]
                for uri in (file, store)
            ]
            assert curves[0] == curves[1] and len(curves[0]) == num_values
    assert table_text("4", file, "mine") == table_text("4", store, "mine")
    assert "58.0 ± 0.0 (2)" in table_text("4", file) and study_text("mine", file) == study_text("mine", store)
    assert run("report", "--table", "4", "--from", file, "--format", "csv") == run(
        "report", "--table", "4", "--study", "mine", "--format", "csv"
    )
    # The same runs, the same bytes; a file is a store that can be written on to another.
    run("study", "export", "mine", "-o", "again.zip", "--tracking-uri", file)
    assert Path("again.zip").read_bytes() == exported.read_bytes()


def test_runs_of_another_study_have_the_names_of_the_one_that_took_them(exported: Path) -> None:
    for address in (None, str(exported)):
        frame = load_runs(address, "mine")
        assert sorted(zip(frame.study, frame["labels.row"], frame.label, frame.seed, strict=True)) == [
            ("first", "both", "both", 0),
            ("first", "plain", "plain", 0),
            ("mine", "both", "both", 1),
            ("mine", "plain", "plain", 1),
        ]
        assert "labels.kind" not in frame
        whole = load_runs(address)
        assert sorted(whole[whole.study == "first"].label) == ["bare", "full"]
        assert list(read_score_set("mine:plain", address).by_seed) == [0, 1]
    with pytest.raises(ReportError, match=r"^mine:best: no finished run; known labels: 'both', 'plain'$"):
        read_score_set("mine:best")


def test_an_import_is_whole_and_happens_once(
    exported: Path, bench: Bench, store_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = load_runs(study="mine")
    table, own_table = table_text("4", study="mine"), study_text("mine")
    elsewhere(bench, store_template, monkeypatch)
    assert run("study", "import", str(exported)).startswith("study mine: 4 runs added\n")
    assert table_text("4", study="mine") == table and study_text("mine") == own_table
    pd.testing.assert_frame_equal(without_ids(load_runs(study="mine")), without_ids(frame))
    here = load_runs()
    for run_id in here.run_id:
        inputs = open_client("sqlite:///mlflow.db").get_run(run_id).inputs.dataset_inputs
        assert {(each.dataset.name, each.tags[0].value) for each in inputs} == {
            ("fake train", "training"),
            ("fake test", "test"),
        }
    assert "study mine: 0 runs added, 4 were there already\n" in run("study", "import", str(exported))
    pd.testing.assert_frame_equal(load_runs(), here)
    # Nor does it come back to where it began, by way of the other store.
    run("study", "export", "mine", "-o", "back.zip")
    monkeypatch.chdir(bench.folder)
    assert "0 runs added, 4 were there already" in run("study", "import", "elsewhere/back.zip")
    pd.testing.assert_frame_equal(load_runs(study="mine"), frame)


def test_imported_cells_are_not_trained_again(
    exported: Path, bench: Bench, store_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = marks("finished")
    folder = elsewhere(bench, store_template, monkeypatch)
    run("study", "import", str(exported))
    assert "4 cells: 4 reused\n" in run("plan", "mine.yaml")
    assert "All 4 cells were finished before, 4 of them reused; nothing to train." in sweep(folder / "mine.yaml")
    assert marks("finished") == trained


def test_seeds_of_two_machines_make_one_study(
    exported: Path, bench: Bench, store_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = elsewhere(bench, store_template, monkeypatch)
    more = folder / "more.yaml"
    more.write_text(BOTH_ROWS.format(name="mine", seeds="[2]"))
    sweep(more)
    run("study", "import", str(exported))
    text = study_text("mine")
    assert "60.0 ± 0.0 (3)" not in text and text.count("(3)") == 2 and "Complete: 2 rows x 3 seeds" in text
    assert {cell.seed for cell in load_plan("mine")} == {0, 1, 2}


def test_of_a_damaged_or_foreign_file_nothing_is_taken(
    exported: Path, bench: Bench, store_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere(bench, store_template, monkeypatch)
    whole = exported.read_bytes()
    start = whole.index(b"scores/test.parquet") + 200
    wrong = Path("wrong.zip")
    for content, message in [
        (b"no zip at all", "wrong.zip: is no file that cdkd study export has written"),
        (whole[:-2000], "wrong.zip: is no file that cdkd study export has written, or only a part of it"),
        (whole[:start] + bytes(8) + whole[start + 8 :], "wrong.zip: is damaged .*: copy it again"),
    ]:
        wrong.write_bytes(content)
        with pytest.raises(CdkdError, match=message):
            run("study", "import", str(wrong))
    for manifest, message in [
        (None, "wrong.zip: is no file .* it holds no manifest.json"),
        ({"kind": "other"}, "wrong.zip: is no file .* its manifest.json is another program's"),
        ({"kind": "cdkd study", "version": 2, "written_by": "9.0"}, "written by cdkd 9.0 in version 2 .* update cdkd"),
        ({"kind": "cdkd study", "version": 1}, "wrong.zip: is damaged"),
    ]:
        with zipfile.ZipFile(wrong, "w") as archive:
            archive.writestr("readme.txt" if manifest is None else "manifest.json", json.dumps(manifest))
        with pytest.raises(CdkdError, match=message):
            run("study", "import", str(wrong))
    assert load_runs().empty


def test_a_file_that_would_write_outside_of_its_folder(exported: Path) -> None:
    with zipfile.ZipFile(exported) as source, zipfile.ZipFile("wrong.zip", "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name).replace(b"scores/test.parquet", b"../../../etc/test"))
    with pytest.raises(CdkdError, match=r"wrong.zip: is damaged \(run \w+ has a file called ../../../etc/test\)"):
        run("study", "import", "wrong.zip")


def test_an_import_that_fails_leaves_nothing_to_see(
    exported: Path, bench: Bench, store_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere(bench, store_template, monkeypatch)
    from mlflow.tracking import MlflowClient

    real, calls = MlflowClient.set_terminated, []

    def fail_late(self: MlflowClient, *arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        real(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(MlflowClient, "set_terminated", fail_late)
    with pytest.raises(KeyboardInterrupt):
        import_study(exported, "sqlite:///mlflow.db", Path(".cdkd"))
    client = open_client("sqlite:///mlflow.db")
    experiments = [each.experiment_id for each in client.search_experiments()]
    assert load_runs().empty and list(client.search_runs(experiments)) == []
    # What a kill leaves, when nothing can be removed any more, no reader takes for a run; the next import removes it.
    mine = client.get_experiment_by_name("mine")
    assert mine is not None
    client.create_run(mine.experiment_id, tags={tags.IMPORTING: "x"})
    assert load_runs().empty
    assert "4 runs added" in run("study", "import", str(exported))
    assert (
        not any(tags.IMPORTING in each.data.tags for each in client.search_runs(experiments)) and len(load_runs()) == 4
    )


def test_a_run_under_way_is_shown_but_not_imported(
    exported: Path, bench: Bench, store_template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = load_runs(study="mine").run_id.iloc[-1]
    open_client("sqlite:///mlflow.db").update_run(run_id, status="RUNNING")
    run("study", "export", "mine", "-o", "open.zip")
    pd.testing.assert_frame_equal(load_runs("open.zip", "mine"), load_runs(study="mine"))
    open_client("sqlite:///mlflow.db").set_terminated(run_id, "FINISHED")
    elsewhere(bench, store_template, monkeypatch)
    assert "3 runs added, 1 left out that had no end" in run("study", "import", "../open.zip")
    assert "1 runs added, 3 were there already" in run("study", "import", str(exported))


def test_a_file_is_read_only_and_says_what_to_do(exported: Path) -> None:
    file = str(exported)
    with pytest.raises(CdkdError, match=r"mine.zip: a study's file can be read, not changed; cdkd study import"):
        run("rm", "mine", "--runs", "--yes", "--tracking-uri", file)
    with pytest.raises(CdkdError, match=r"mine.zip: holds no run 0"):
        fetch_checkpoint("0", exported.parent, file)
    with pytest.raises(CdkdError, match=r"mien: no study of this name has runs in .*; did you mean 'mine'"):
        run("study", "export", "mien", "-o", "x.zip")
    both = CliRunner().invoke(group, ["report", "--from", file, "--tracking-uri", "sqlite:///mlflow.db"])
    assert both.exit_code == 2 and "give one of them" in both.output


def test_plans_are_merged_by_cell() -> None:
    ours = "row,seed,cell,status,run_id\nboth,0,c0,finished,r0\n"
    theirs = "row,size,seed,cell,status,run_id\nboth,8,0,c0,finished,r9\nboth,8,1,c1,finished,r1\n"
    assert merged_cells(ours, theirs) == (
        "row,size,seed,cell,status,run_id\nboth,,0,c0,finished,r0\nboth,8,1,c1,finished,r1\n"
    )
    assert merged_cells(ours, ours) == ours and merged_cells("", theirs) == theirs
