"""A study's trials in PostgreSQL: shared by folders that share nothing else, and safe from processes that come back."""

import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import optuna
import pytest
from sqlalchemy import event
from support.postgres import PostgresServer
from support.sweeps import wait_until

from cdkd.sweep.queue.parameters import Parameters
from cdkd.sweep.queue.postgres_connection import parse_address
from cdkd.sweep.queue.postgres_storage import PostgresQueueStorage
from cdkd.sweep.queue.queue_storage import StorageError, TrialTakenError
from cdkd.sweep.queue.stale_trials import settle
from cdkd.sweep.queue.study_folder import StudyFolder
from cdkd.sweep.queue.trial_queue import QueuedTask, TrialQueue
from cdkd.tracking.tracker import CellRun


class Places:
    """Folders of one study that have nothing in common but a database."""

    def __init__(self, address: str, root: Path) -> None:
        self.address = address
        self.root = root
        self.num_folders = 0

    def queue(self) -> TrialQueue:
        self.num_folders += 1
        folder = StudyFolder(self.root / str(self.num_folders) / "study")
        folder.use_storage(self.address)
        return TrialQueue(folder)


@pytest.fixture
def places(postgres: PostgresServer, tmp_path: Path) -> Places:
    return Places(postgres.address(postgres.new_database(), heartbeat=0.2, grace=1), tmp_path)


def cell(name: str, needs: str | None = None) -> QueuedTask:
    weight = optuna.distributions.FloatDistribution(0.1, 10, log=True)
    varied = Parameters({"weight": float(len(name))}, {"weight": weight})
    return QueuedTask(name, "cell", "stage", {"axis": name}, needs, "digest", 7, varied)


def test_what_one_folder_enqueues_another_runs(places: Places) -> None:
    here, there = places.queue(), places.queue()
    assert here.enqueue([cell("a"), cell("bb", "t"), QueuedTask("t", "teacher", "teachers")])
    assert there.enqueue([cell("a")]) == []
    first = there.claim()
    assert first is not None and first.trial.task.id == "a"
    there.note(first.trial.number, run_id="r", metrics={"test/top1": 61.5})
    assert (here.latest()["a"].status, here.latest()["a"].run_id) == ("running", "r")
    there.report(first.trial.number, 1, 50.0)
    there.finish(first.trial.number, 61.5)
    first.lock.release()
    shown = here.latest()["a"]
    assert (shown.status, shown.metrics, shown.attempt, shown.task.labels) == (
        "finished",
        {"test/top1": 61.5},
        1,
        {"axis": "a"},
    )
    assert shown.started is not None and shown.ended is not None and abs(shown.ended.timestamp() - time.time()) < 60
    # The second cell needs the teacher, which comes first.
    second = here.claim()
    assert second is not None and second.trial.task.id == "t"
    assert there.claim() is None
    here.finish(second.trial.number, 0.0)
    third = there.claim()
    assert third is not None and third.trial.task.id == "bb"


def test_optuna_shows_what_the_queue_wrote(places: Places) -> None:
    queue = places.queue()
    queue.enqueue([cell("a"), cell("bb")])
    claim = queue.claim()
    assert claim is not None
    queue.report(claim.trial.number, 1, 55.0)
    queue.report(claim.trial.number, 2, 60.0)
    queue.finish(claim.trial.number, 61.5)
    url, _ = parse_address(places.address)
    study = optuna.load_study(study_name="study.stage", storage=url.render_as_string(hide_password=False))
    first, second = study.trials
    assert (first.number, first.params, first.value) == (0, {"weight": 1.0}, 61.5)
    assert first.intermediate_values == {1: 55.0, 2: 60.0}
    assert first.user_attrs["labels.axis"] == "a" and first.user_attrs["seed"] == 7
    assert (second.number, second.params, second.state.name) == (1, {"weight": 2.0}, "WAITING")
    assert study.best_value == 61.5
    # Optuna itself can go on from there.
    study.add_trial(optuna.trial.create_trial(value=1.0))
    assert [trial.number for trial in study.trials] == [0, 1, 2]


def test_claimants_of_four_folders_get_each_task_once(places: Places) -> None:
    names = [f"task{number}" for number in range(40)]
    places.queue().enqueue([cell(name) for name in names])
    claimed: list[str] = []

    def work(own: TrialQueue) -> None:
        while (claim := own.claim()) is not None:
            claimed.append(claim.trial.task.id)
            own.finish(claim.trial.number, 1.0)
            claim.lock.release()

    threads = [threading.Thread(target=work, args=(places.queue(),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == sorted(names)


def test_enqueuing_at_the_same_time_adds_each_task_once(places: Places) -> None:
    tasks = [cell(f"task{number}") for number in range(30)]
    added: list[QueuedTask] = []
    queues = [places.queue() for _ in range(4)]
    threads = [threading.Thread(target=lambda q=q: added.extend(q.enqueue(tasks))) for q in queues]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(added) == 30
    assert [trial.task.id for trial in queues[0].trials()] == [task.id for task in tasks]


def test_a_heartbeat_keeps_a_trial_and_silence_loses_it_once(places: Places) -> None:
    worker, others = places.queue(), [places.queue() for _ in range(3)]
    worker.enqueue([cell("a")])
    claim = worker.claim()
    assert claim is not None
    time.sleep(1.5)
    assert others[0].latest()["a"].status == "running"
    # The process stops, as a suspended machine does.
    claim.lock.release()
    wait_until(lambda: others[0].latest()["a"].status == "stale")
    settled = []
    threads = [
        threading.Thread(target=lambda q=q: settled.append(settle(q, q.latest()["a"], is_complete=False)))
        for q in others
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, settled)) == ["None", "None", "stale"]
    assert [trial.status for trial in others[0].trials()] == ["stale", "waiting"]
    assert others[1].latest()["a"].task.labels == {"axis": "a"}
    # It comes back: nothing that it does counts any more.
    for late in (
        lambda: worker.note(claim.trial.number, run_id="late"),
        lambda: worker.report(claim.trial.number, 1, 1.0),
        lambda: worker.finish(claim.trial.number, 99.0),
        lambda: worker.fail(claim.trial.number, "late"),
    ):
        with pytest.raises(TrialTakenError, match="settled by another process, since this one was silent"):
            late()
    again = others[2].claim()
    assert again is not None and again.trial.attempt == 2
    others[2].finish(again.trial.number, 5.0)
    assert [trial.status for trial in worker.trials()] == ["stale", "finished"]


def test_a_trial_that_optuna_runs_without_heartbeat_is_never_stale(places: Places) -> None:
    queue = places.queue()
    queue.enqueue([cell("a")])
    url, _ = parse_address(places.address)
    study = optuna.load_study(study_name="study.stage", storage=url.render_as_string(hide_password=False))
    study._storage.set_trial_state_values(study.trials[0]._trial_id, optuna.trial.TrialState.RUNNING)
    time.sleep(1.2)
    (trial,) = queue.trials()
    assert trial.status == "running"
    assert settle(queue, trial, is_complete=False) is None


def test_results_of_tracked_runs_settle_waiting_and_new_tasks(places: Places) -> None:
    queue = places.queue()
    queue.enqueue([cell("a"), cell("b")])
    runs = [(cell(name), CellRun(f"run-{name}", "other", name, "finished", {"validation/top1": 3.0})) for name in "ac"]
    assert sorted(queue.adopt(runs)) == ["a", "c"]
    assert {name: trial.status for name, trial in places.queue().latest().items()} == {
        "a": "finished",
        "b": "waiting",
        "c": "finished",
    }


def test_a_long_transaction_is_seen_whenever_it_ends(places: Places) -> None:
    here, there = places.queue(), places.queue()
    here.enqueue([cell("a")])
    run = CellRun("run", "other", "a", "finished", {"validation/top1": 3.0})

    def others_see() -> str:
        # In a thread of their own, as this one's transaction shows them what it has not committed.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(lambda: there.latest()["a"].status).result()

    def long() -> list[str]:
        # To others it goes from waiting to finished, at a time when they have looked since.
        here.adopt([(cell("a"), run)])
        return [others_see(), others_see()]

    assert here.exclusive(long) == ["waiting", "waiting"]
    assert others_see() == "finished"


def test_a_claim_reads_no_more_of_many_trials_than_of_few(places: Places) -> None:
    queue = places.queue()
    queue.enqueue([cell(f"task{number}") for number in range(1000)])
    storage = queue._storage
    assert isinstance(storage, PostgresQueueStorage)
    asked: list[tuple[str, Mapping[str, object]]] = []

    def note_rows(connection: Any, cursor: Any, statement: str, values: Any, context: Any, executemany: bool) -> None:
        if not statement.startswith("EXPLAIN"):
            asked.append((statement, values))

    for _ in range(100):
        claim = queue.claim()
        assert claim is not None
        queue.finish(claim.trial.number, 1.0)
        claim.lock.release()
    event.listen(storage._database.engine, "before_cursor_execute", note_rows)
    try:
        assert queue.claim() is not None
    finally:
        event.remove(storage._database.engine, "before_cursor_execute", note_rows)
    with storage._database.engine.connect() as connection:
        plans = [
            connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values).scalar_one()[0]["Plan"]
            for statement, values in asked
        ]
        connection.rollback()
    read = sum(rows_read(plan) for plan in plans)
    # 64 candidates, of which one is taken; what ended since the last look; attributes of those.
    assert len(plans) >= 4 and read < 150


def rows_read(plan: Mapping[str, Any]) -> float:
    """Of Optuna's tables, by a statement whose plan this is."""
    here = (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    is_table = "Relation Name" in plan and plan["Node Type"].endswith("Scan")
    return (here if is_table else 0) + sum(rows_read(part) for part in plan.get("Plans", []))


def test_a_database_whose_tables_are_another_users_is_used_without_indexes(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    import psycopg

    database = postgres.new_database()
    owner = f"host={postgres.folder} user=cdkd dbname={database}"
    url, _ = parse_address(postgres.address(database))
    optuna.storages.RDBStorage(url.render_as_string(hide_password=False))
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute("CREATE ROLE guest LOGIN")
        for what in ("TABLES", "SEQUENCES"):
            connection.execute(f"GRANT ALL ON ALL {what} IN SCHEMA public TO guest")  # type: ignore[arg-type]
        connection.execute("GRANT EXECUTE ON FUNCTION pg_control_system TO guest")
    guests = Places(postgres.address(database).replace("cdkd@", "guest@"), tmp_path)
    queue = guests.queue()
    queue.enqueue([cell("a")])
    claim = queue.claim()
    assert claim is not None
    queue.finish(claim.trial.number, 1.0)
    assert guests.queue().latest()["a"].status == "finished"


def test_two_studies_of_one_database_do_not_see_each_other(places: Places) -> None:
    ours = places.queue()
    folder = StudyFolder(places.root / "elsewhere" / "other")
    folder.use_storage(places.address)
    theirs = TrialQueue(folder)
    ours.enqueue([cell("a")])
    theirs.enqueue([cell("a"), cell("b")])
    assert len(ours.trials()) == 1 and len(theirs.trials()) == 2
    assert theirs.claim() is not None
    assert ours.latest()["a"].status == "waiting"


def test_a_server_that_comes_back_is_waited_for(
    postgres: PostgresServer, places: Places, caplog: pytest.LogCaptureFixture
) -> None:
    queue = places.queue()
    queue.enqueue([cell("a")])
    postgres.stop()
    back = threading.Timer(1.5, postgres.start)
    back.start()
    try:
        claim = queue.claim()
    finally:
        back.join()
    assert claim is not None and claim.trial.task.id == "a"
    assert any("does not answer" in record.getMessage() for record in caplog.records)


def test_addresses_that_cannot_work_are_refused_in_one_line(postgres: PostgresServer, tmp_path: Path) -> None:
    def told(address: str) -> str:
        folder = StudyFolder(tmp_path / "study")
        folder.use_storage(address)
        with pytest.raises(StorageError) as caught:
            TrialQueue(folder)
        text = str(caught.value)
        assert "\n" not in text and "secret" not in text
        return text

    assert "sqlite cannot keep a study that several machines share" in told("sqlite:///optuna.db")
    assert "this is no address of a database" in told("localhost:5432")
    assert "heartbeat=soon is no number of seconds" in told(postgres.address("x") + "&heartbeat=soon")
    assert "at least two heartbeats long" in told(postgres.address("x", heartbeat=60, grace=60))
    assert 'database "absent" does not exist' in told(postgres.address("absent"))
    assert "the database cannot be used: " in told("postgresql+psycopg://me:secret@127.0.0.1:1/x")


def test_a_folder_whose_journal_keeps_the_study_refuses_a_database(tmp_path: Path, postgres: PostgresServer) -> None:
    folder = StudyFolder(tmp_path / "study")
    TrialQueue(folder).enqueue([cell("a")])
    with pytest.raises(StorageError.__mro__[1], match=r"its cells are kept in journal\.log, not in a database"):
        folder.use_storage(postgres.address("x"))
