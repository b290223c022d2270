"""`cdkd rm` removes what it says, keeps what it says, and the next sweep knows the difference."""

from click.testing import CliRunner
from support.postgres import PostgresServer
from support.sweeps import GRID, Bench

from cdkd.cli import group
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.trial_queue import TrialQueue
from cdkd.tracking.runs import load_runs

PAIR = GRID.replace("[1, 2, 3]", "[4]").replace("study: grid", "study: pair")
OTHER = PAIR.replace("study: pair", "study: other")


def remove(*arguments: str, answer: str = "y\n") -> str:
    return CliRunner().invoke(group, ["rm", *arguments], input=answer, catch_exceptions=False).output


def test_state_alone_goes_and_the_results_are_found_again(bench: Bench) -> None:
    file = bench.write(PAIR)
    bench.sweep(file)
    assert "Aborted" in remove("pair", answer="n\n") and (bench.folder / ".cdkd/pair").exists()
    told = remove("pair")
    assert told.startswith("goes: .cdkd/pair (") and "stays: all runs in sqlite:///" in told
    assert not (bench.folder / ".cdkd/pair").exists()
    assert bench.sweep(file).num_reused == 2


def test_a_cell_whose_runs_go_is_trained_once_more(bench: Bench) -> None:
    file = bench.write(PAIR)
    bench.sweep(file)
    told = remove("pair", "tdn", "--runs", "--yes")
    assert "goes: 1 runs in sqlite:///" in told
    assert len(load_runs(study="pair")) == 1
    result = bench.sweep(file)
    assert (result.num_trained, result.is_complete) == (1, True)
    # One more than the two of the first sweep.
    assert len(bench.marks("finished")) == 3


def test_another_studys_runs_stay(bench: Bench) -> None:
    bench.sweep(bench.write(PAIR))
    assert bench.sweep(bench.write(OTHER, "other.yaml")).num_reused == 2
    assert "results of other are among them" in remove("pair", "--runs", answer="n\n")
    told = remove("other", "--runs", "--yes")
    assert "stays: 2 runs that other studies trained; they are no longer this one's" in told
    assert load_runs(study="other").empty and len(load_runs(study="pair")) == 2


def test_what_a_database_keeps_of_a_study_goes_too_and_others_stay(bench: Bench, postgres: PostgresServer) -> None:
    address = postgres.address(postgres.new_database())
    for text, name in ((PAIR, "pair"), (OTHER, "other")):
        StudyFolder(bench.folder / ".cdkd" / name).use_storage(address)
        bench.sweep(bench.write(text, f"{name}.yaml"))
    told = remove("pair", "--yes")
    assert "goes: its plan in postgresql+psycopg://cdkd@/test" in told
    again = StudyFolder(bench.folder / ".cdkd/pair")
    again.use_storage(address)
    assert TrialQueue(again).trials() == []
    assert len(TrialQueue(StudyFolder(bench.folder / ".cdkd/other")).trials()) == 2
