"""`cdkd report` and write_tables on a real MLflow store."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result
from support.pages import parse
from support.report_runs import BOTH, METADATA, NO_KD, PLAIN, SPATIAL

from cdkd.cli.compare import command as compare
from cdkd.cli.report import command
from cdkd.config import build_record, merge_dotted
from cdkd.errors import CdkdError
from cdkd.report.page.assembly import load_page
from cdkd.report.tables.catalog import studies_beside
from cdkd.report.writing import table_text, write_page
from cdkd.settings import RunConfig, flat_settings
from cdkd.tracking.mlflow_tracker import MlflowTracker
from cdkd.tracking.store import open_client
from cdkd.tracking.study_record import StageRecord
from cdkd.tracking.tracker import LoggedEpoch, RunStart

_CELLS = {
    "plain": (PLAIN, (60.0, 62.0)),
    "decoder": (NO_KD, (55.0, 58.0)),
    "spatial": (SPATIAL, (66.0, 67.0)),
    "both": (BOTH, (68.0, None)),
}
_FIGURES = ("curves", "classes", "confusion")
"""What can be drawn of these runs beside their tables."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A store with a study of four rows and two seeds, one run of it diverged; each run keeps scores of four videos."""
    folder = tmp_path_factory.mktemp("store")
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    tracker = MlflowTracker(uri, "ablation", folder / "home")
    tracker.prepare(["rows"])
    record = StageRecord("A study for this test.", "cdkd sweep mine.yaml", "study: ablation\n", {"seeds": "0, 1"})
    tracker.describe("rows", record)
    for label, (overrides, accuracies) in _CELLS.items():
        for seed, top1 in enumerate(accuracies):
            config = build_record(RunConfig, merge_dotted({}, {**overrides, "seed": seed}))
            settings = flat_settings(config)
            start = RunStart(
                "cell",
                "ablation",
                "rows",
                label,
                f"cell{seed:08d}",
                seed,
                1,
                "plan",
                settings,
            )
            run_id = tracker.open(start)
            if top1 is not None:
                tracker.log(run_id, [LoggedEpoch(40, {"test/top1": top1, "test/top5": 90.0, "validation/top1": 61.0})])
                tracker.attach(run_id, _scores(folder, top1), "scores")
            tracker.keep_metadata(run_id, METADATA)
            tracker.close(run_id, "diverged" if top1 is None else "finished")
    return uri


def _scores(folder: Path, top1: float) -> Path:
    """Four videos; rows above 65 % get three of them right, the others two."""
    right = 3 if top1 > 65 else 2
    frame = pd.DataFrame(
        {"video": list("abcd"), "label": 1, "score_0": 0.5, "score_1": [1.0] * right + [0.0] * (4 - right)}
    )
    path = folder / "scores.parquet"
    frame.to_parquet(path)
    return path


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments), catch_exceptions=False)


def test_text_of_a_real_store(store: str) -> None:
    result = _run("--table", "4", "--tracking-uri", store)
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert "Measured on shapes (embedded, synthetic), not comparable with the published columns." in lines
    assert next(line for line in lines if line.startswith("TSM, three streams")).split()[5:11] == [
        "61.0", "±", "1.4", "(2)", "90.0", "±",
    ]  # fmt: skip
    both = next(line for line in lines if line.split()[:5] == ["TSM", "+", "ours", "yes", "yes"])
    assert "68.0 (1)" in both and "+8.0" in both
    assert "* Runs in no mean, diverged: TSM + ours (spatial yes, temporal yes): seed 1." in lines
    assert result.output == table_text("4", store, "ablation")


def test_all_tables_that_have_runs(store: str) -> None:
    output = _run("--tracking-uri", store, "--format", "csv").output
    assert {line.split(",")[0] for line in output.splitlines() if line[:1].isdigit() or line.startswith("methods")} == {
        "4",
        "5",
        "methods",
    }
    # The tables of data sets that nothing was measured on are left out, and their networks stand in one of their own.
    assert sum(line.startswith("networks,shapes,") for line in output.splitlines()) == 7


def test_intervals_over_videos(store: str) -> None:
    output = _run("--table", "4", "--over-videos", "--tracking-uri", store).output
    # Two seeds of the row with spatial knowledge; of the one with both, one diverged.
    assert "seeds, videos" in output
    assert "95 % BCa bootstrap interval of the same; seeds are resampled, then test videos" in " ".join(output.split())


def test_two_rows_of_a_study_are_compared_seed_by_seed(store: str) -> None:
    asked = ["ablation:plain", "ablation:spatial", "--json", "--tracking-uri", store]
    found = json.loads(CliRunner().invoke(compare, asked).output)
    # Two of four videos against three, with either seed.
    assert (found["seeds"], found["top1_a"], found["top1_b"]) == ([0, 1], 50.0, 75.0)
    assert found["discordant"] == [{"only_a": 0, "only_b": 1}] * 2
    wrong = CliRunner().invoke(compare, ["ablation:plane", "ablation:both", "--tracking-uri", store])
    assert str(wrong.exception) == "ablation:plane: no finished run; did you mean 'plain'?"
    wrong = CliRunner().invoke(compare, ["abl:plain", "ablation:both", "--tracking-uri", store])
    assert str(wrong.exception).startswith("abl:plain: no study 'abl' has runs in this store; give a score file")


def test_json_for_programs(store: str) -> None:
    (table,) = json.loads(_run("--table", "4", "--json", "--tracking-uri", store).output)
    assert (table["table"], table["measured_on"]) == ("4", "shapes")
    row = next(row for row in table["rows"] if row["row"] == "tsm-spatial")
    assert (row["top1_mean"], row["num_seeds"], row["published_ucf-101_top1"]) == (66.5, 2, 94.5)
    assert table["notes"][0] == "Measured: test accuracy in percent, mean ± sample deviation (number of seeds)."


def test_where_and_its_mistakes(store: str) -> None:
    assert "68.0 (1)" in _run("--table", "4", "--where", "train.epochs=40", "--tracking-uri", store).output
    wrong = _run("--table", "4", "--where", "train.epochs", "--tracking-uri", store)
    assert wrong.exit_code == 2 and "expected dotted.key=value" in wrong.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--study", "ablatoin"], "--study ablatoin: no tracked run; did you mean 'ablation'?"),
        (["--study", "mine"], "--study mine: no tracked run; known studies: ablation"),
        (["--dataset", "ucf101"], "--dataset ucf101: no tracked run; known data sets: shapes"),
        (["--dataset", "shape"], "--dataset shape: no tracked run; did you mean 'shapes'?"),
        (["--where", "train.epochs=41"], "--where train.epochs=41: no tracked run has this value; there are 40"),
        (["--where", "train.epoch=40"], "--where train.epoch: no tracked run has this setting; did you mean 'train.ep"),
    ],
)
def test_a_filter_that_no_run_passes_is_an_error(store: str, arguments: list[str], message: str) -> None:
    for table in ([], ["--table", "4"]):
        with pytest.raises(CdkdError) as error:
            _run(*arguments, *table, "--tracking-uri", store)
        assert str(error.value).startswith(message)


def test_an_unknown_table_is_wrong_usage() -> None:
    wrong = _run("--table", "4", "--table", "metods")
    assert wrong.exit_code == 2
    assert "table metods: no such table; did you mean 'methods'?" in wrong.output
    assert "known tables: 1, 2, 3, 4, 5, methods, networks" in _run("--table", "6").output


def test_output_goes_to_a_file(store: str, tmp_path: Path) -> None:
    target = tmp_path / "table.html"
    result = _run("--table", "4", "--format", "html", "--output", str(target), "--tracking-uri", store)
    assert result.output == f"wrote {target}\n"
    assert target.read_text().count("data:image/svg+xml;base64,") == 1


def test_one_page_of_everything(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert _run("--all", "--tracking-uri", store).output == "wrote reports/index.html\n"
    page = parse((tmp_path / "reports/index.html").read_text())
    assert page.all("h1")[0].text == "Study ablation"
    assert "8 runs in sqlite:///" in page.text and "A study for this test." in page.text
    captions = [caption.text.partition(" Measured")[0] for caption in page.all("caption")]
    assert captions[:3] == [
        "Study ablation", "Table 4. Spatial and temporal knowledge distillation, each alone and both",
        "Table 5. Search of the distillation weights, and logits distillation",
    ]  # fmt: skip
    # The tables of data sets that nothing was measured on are left out.
    assert not any(caption.startswith(("Table 1", "Table 2", "Table 3")) for caption in captions)
    assert [pre.text for pre in page.all("pre")][:2] == ["cdkd sweep mine.yaml", "study: ablation"]
    experiment = open_client(store).get_experiment_by_name("ablation").experiment_id
    runs = [link.attributes["href"] for link in page.all("a") if "/runs/" in link.attributes["href"]]
    assert len(runs) == 8 and all(f"#/experiments/{experiment}/runs/" in address for address in runs)
    assert {"figure-table4", "figure-table5"} <= {figure.attributes["id"] for figure in page.all("figure")}

    refused = CliRunner().invoke(command, ["--all", "--table", "4", "--tracking-uri", store])
    assert refused.exit_code == 2 and "--all writes one page of everything" in refused.output
    unknown = CliRunner().invoke(command, ["--all", "--study", "ablatoin", "--tracking-uri", store])
    assert isinstance(unknown.exception, CdkdError) and "ablation" in str(unknown.exception)


def test_a_page_and_what_it_holds_are_files(store: str, tmp_path: Path) -> None:
    written = write_page(load_page(store, "ablation", ["4", "1"]), tmp_path / "reports")
    suffixes = (".txt", ".md", ".csv", ".tex", ".html")
    formats = (".svg", ".pdf", ".png")
    names = [f"{table}{suffix}" for table in ("table4", "table1", "study-ablation") for suffix in suffixes]
    names += [f"table4{suffix}" for suffix in formats]
    names += [f"study-ablation-{figure}{suffix}" for figure in _FIGURES for suffix in formats]
    names += ["index.html"]
    assert [path.name for path in written] == names
    assert sorted(path.name for path in (tmp_path / "reports").iterdir()) == sorted(names)
    ours = write_page(load_page(store, "ablation", ["methods"]), tmp_path / "ours")
    assert [path.name for path in ours][: len(suffixes)] == [f"table-methods{suffix}" for suffix in suffixes]
    assert (tmp_path / "reports" / "table4.txt").read_text() == table_text("4", store, "ablation")


def test_a_sweeps_table_has_the_rows_that_the_study_beside_it_has_trained(store: str) -> None:
    assert studies_beside("ablation", ["4"]) == ["ablation-tdn"] and studies_beside("ablation-tdn", ["4"]) == [
        "ablation"
    ]
    assert studies_beside("mine", ["4"]) == studies_beside("lambda", ["5"]) == studies_beside("ablation", ()) == []
    page = load_page(store, "ablation", ["4"], beside=["ablation-tdn"])
    assert [row.definition.key for row in page.tables[0].rows if row.finished] == [
        "tsm-none", "tsm-decoder", "tsm-spatial", "tsm-both",
    ]  # fmt: skip
    copied = Path(store.removeprefix("sqlite:///")).parent / "both.db"
    shutil.copy(copied.with_name("mlflow.db"), copied)
    uri = f"sqlite:///{copied}"
    tracker = MlflowTracker(uri, "ablation-tdn", copied.parent / "home")
    tracker.prepare(["rows"])
    config = build_record(RunConfig, merge_dotted({}, {**PLAIN, "student.arch": "tdn"}))
    run_id = tracker.open(
        RunStart("cell", "ablation-tdn", "rows", "baseline", "c", 0, 1, "plan", flat_settings(config))
    )
    tracker.log(run_id, [LoggedEpoch(40, {"test/top1": 70.0, "test/top5": 90.0})])
    tracker.keep_metadata(run_id, METADATA)
    tracker.close(run_id, "finished")
    tracker.describe("rows", StageRecord("The other half.", "cdkd sweep", "study: ablation-tdn\n", {}))
    for study, other in (("ablation", "ablation-tdn"), ("ablation-tdn", "ablation")):
        page = load_page(uri, study, ["4"], beside=[other])
        assert [row.definition.key for row in page.tables[0].rows if row.finished] == [
            "tsm-none", "tsm-decoder", "tsm-spatial", "tsm-both", "tdn-none",
        ]  # fmt: skip
        # The study's own table has its own rows alone.
        (part,) = page.studies
        assert {run.study for run in part.runs} == {study}


def test_a_figure_is_a_file_of_the_kind_that_its_suffix_says(store: str, tmp_path: Path) -> None:
    for suffix, head in ((".svg", b"<?xml"), (".pdf", b"%PDF"), (".png", b"\x89PNG")):
        target = tmp_path / f"curves{suffix}"
        result = _run("--figure", "curves", "--study", "ablation", "-o", str(target), "--tracking-uri", store)
        assert result.output == f"wrote {target}\n"
        assert target.read_bytes().startswith(head)


def test_what_is_wrong_with_a_figure(store: str, tmp_path: Path) -> None:
    assert "did you mean 'curves'?" in _run("--figure", "curve").output
    assert "name one with -o curves.svg, .pdf or .png" in _run("--figure", "curves", "--tracking-uri", store).output
    with pytest.raises(CdkdError, match=r"figures are files that end in \.svg, \.pdf, \.png"):
        _run("--figure", "curves", "-o", str(tmp_path / "curves.gif"), "--tracking-uri", store)
    with pytest.raises(CdkdError, match=r"figure curves: no finished run tells what it shows .*; run a study first"):
        _run("--figure", "curves", "--table", "1", "-o", str(tmp_path / "curves.svg"), "--tracking-uri", store)


def _in_a_process(folder: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], float]:
    environment = {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "cdkd", "report", *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done, time.monotonic() - start


def test_without_a_store_nothing_is_created(tmp_path: Path) -> None:
    done, _ = _in_a_process(tmp_path, "--table", "4")
    assert done.returncode == 1
    message = done.stderr.splitlines()[-1]
    assert message.startswith("cdkd: no tracked runs: mlflow.db does not exist; run a sweep in this folder first")
    assert list(tmp_path.iterdir()) == []


def test_report_imports_no_torch_no_mlflow_and_no_statistics_package(store: str, tmp_path: Path) -> None:
    done, _ = _in_a_process(tmp_path, "--table", "4", "--tracking-uri", store)
    assert done.returncode == 0, done.stderr
    imported = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "pandas" in imported
    # An SQLite store is read without MLflow, whose import alone takes longer than the table.
    assert not imported & {"torch", "mlflow", "optuna", "scipy.stats", "matplotlib"}
