"""Trials in a PostgreSQL database that many machines reach; who runs one writes a heartbeat.

The tables are Optuna's own, made by its RDBStorage. What a queue does often is SQL of ours on them: Optuna would read
all trials anew at each question (0.7 s per claim with a thousand of them), and add them one by one.

    claim       one statement: the first waiting trial that nobody else is taking, its heartbeat, RUNNING
    enqueue     one transaction under the study's advisory lock; a process that dies leaves all of it or nothing
    recovery    likewise: the dead trial is settled and its task enqueued again, or neither

A process that was silent for longer than the grace period has lost its trial. Whatever it does to the trial when it
comes back is refused (`TrialTakenError`), since a trial that has ended never changes again.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from cdkd.sweep.queue.heartbeat import Heartbeat
from cdkd.sweep.queue.parameters import Parameters
from cdkd.sweep.queue.postgres_connection import STUDY_ATTRIBUTE, Database, open_database
from cdkd.sweep.queue.postgres_rows import insert_trials
from cdkd.sweep.queue.queue_storage import (
    STOP_ATTRIBUTE,
    Hold,
    NewTrial,
    Result,
    State,
    StoredTrial,
    TrialTakenError,
)
from cdkd.sweep.queue.storage import optuna_study_name

if TYPE_CHECKING:
    from sqlalchemy import Connection

_CANDIDATES_PER_CLAIM = 64

_BEGINNING = datetime(1970, 1, 1)

_STUDIES = f"SELECT study_id FROM study_user_attributes WHERE key = '{STUDY_ATTRIBUTE}' AND value_json = :study"
# A question per index of `postgres_connection.py`. As one with OR, it would read every trial of the study, each time.
_CHANGED = f"""
    WITH mine AS MATERIALIZED ({_STUDIES}), found AS (
        SELECT trials.* FROM mine JOIN trials USING (study_id) WHERE trial_id > :last
        UNION SELECT trials.* FROM mine JOIN trials USING (study_id) WHERE state = 'RUNNING'
        UNION SELECT trials.* FROM mine JOIN trials USING (study_id) WHERE datetime_complete >= :since
        UNION SELECT * FROM trials WHERE trial_id = ANY(:running)
    )
    SELECT trial_id, CAST(state AS text), datetime_start, datetime_complete FROM found ORDER BY trial_id
"""
# From when on a trial may have ended that this look does not show: by a transaction that has not ended itself, this one
# included. Where the server does not say when those of other users began, they are taken to be minutes long at most.
_NOW = """
    SELECT CAST(LEAST(
        clock_timestamp(), min(xact_start),
        CASE WHEN bool_or(query = '<insufficient privilege>') THEN clock_timestamp() - interval '5 minutes' END
    ) AS timestamp)
    FROM pg_stat_get_activity(NULL) JOIN pg_database ON pg_database.oid = datid WHERE datname = current_database()
"""
_ATTRIBUTES = """
    SELECT trial_id, key, value_json FROM trial_user_attributes
    WHERE trial_id = ANY(:numbers) AND key <> 'seed' AND key NOT LIKE 'labels.%'
"""
_IS_ALIVE = "heartbeat > localtimestamp - make_interval(secs => :grace)"
_TAKE = """
    WITH next AS (
        SELECT trial_id FROM trials WHERE trial_id = ANY(:numbers) AND state = 'WAITING'
        ORDER BY trial_id LIMIT 1 FOR UPDATE SKIP LOCKED
    ), beat AS (
        INSERT INTO trial_heartbeats (trial_id, heartbeat) SELECT trial_id, localtimestamp FROM next
        ON CONFLICT (trial_id) DO UPDATE SET heartbeat = localtimestamp
    )
    UPDATE trials SET state = 'RUNNING', datetime_start = clock_timestamp()
    FROM next WHERE trials.trial_id = next.trial_id RETURNING trials.trial_id
"""
_TAKE_OVER = f"""
    SELECT trial_id FROM trials JOIN trial_heartbeats USING (trial_id)
    WHERE trial_id = :number AND state = 'RUNNING' AND NOT {_IS_ALIVE} FOR UPDATE OF trials SKIP LOCKED
"""
_BEAT = """
    UPDATE trial_heartbeats SET heartbeat = localtimestamp FROM trials
    WHERE trial_heartbeats.trial_id = :number AND trials.trial_id = :number AND trials.state = 'RUNNING'
"""
_NOTE = """
    INSERT INTO trial_user_attributes (trial_id, key, value_json)
    SELECT trial_id, :name, :value FROM trials WHERE trial_id = :number AND state IN ('WAITING', 'RUNNING') FOR SHARE
    ON CONFLICT (trial_id, key) DO UPDATE SET value_json = excluded.value_json
"""
_ASK_TO_STOP = f"""
    INSERT INTO study_user_attributes (study_id, key, value_json)
    SELECT study_id, '{STOP_ATTRIBUTE}', :value FROM ({_STUDIES}) AS mine
    ON CONFLICT (study_id, key) DO UPDATE SET value_json = excluded.value_json
"""
_STOP_REQUEST = f"""
    SELECT value_json FROM study_user_attributes WHERE key = '{STOP_ATTRIBUTE}' AND study_id IN ({_STUDIES}) LIMIT 1
"""
_KEEP = """
    INSERT INTO study_user_attributes (study_id, key, value_json) VALUES (:study, :name, :value)
    ON CONFLICT (study_id, key) DO UPDATE SET value_json = excluded.value_json
"""
_VALUE = """
    INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES (:number, 0, :value, 'FINITE')
    ON CONFLICT (trial_id, objective) DO UPDATE SET value = excluded.value
"""
_REPORT = """
    INSERT INTO trial_intermediate_values (trial_id, step, intermediate_value, intermediate_value_type)
    SELECT trial_id, :step, :value, 'FINITE' FROM trials WHERE trial_id = :number AND state = 'RUNNING' FOR SHARE
    ON CONFLICT (trial_id, step) DO UPDATE SET intermediate_value = excluded.intermediate_value
"""

_OF_TRIALS = (
    "trial_heartbeats", "trial_intermediate_values", "trial_params", "trial_system_attributes", "trial_user_attributes",
    "trial_values",
)  # fmt: skip
_OF_STUDIES = ("study_directions", "study_system_attributes", "study_user_attributes", "trials", "studies")
"""Optuna's tables, those first that refer to others."""


class PostgresQueueStorage:
    """See `QueueStorage`.

    Args:
        address: of the database, as `cdkd sweep --storage` takes it.
        study: whose trials these are.
    """

    def __init__(self, address: str, study: str) -> None:
        self._database: Database = open_database(address)
        self._study = study
        self._last = -1
        """Largest number seen."""
        self._running: list[int] = []
        self._done: set[int] = set()
        """Numbers of trials that have ended, which never change again."""
        self._since = _BEGINNING
        """Trials that ended before were seen, on the server's clock."""

    @property
    def place(self) -> str:
        """See `QueueStorage`."""
        return self._database.place

    @property
    def shared_name(self) -> str:
        """See `QueueStorage`."""
        return f"{self._database.name}/{self._study}"

    def exclusive(self, body: Callable[[], Result]) -> Result:
        """See `QueueStorage`; the lock and all that was done under it end together, with the transaction."""

        def locked(connection: "Connection") -> Result:
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:study))"), {"study": self._study})
            return body()

        return self._database.hold(locked)

    def forget(self) -> None:
        """See `QueueStorage`."""
        self._last, self._running, self._done, self._since = -1, [], set(), _BEGINNING

    def changed(self) -> list[StoredTrial]:
        """See `QueueStorage`."""
        return self._database.run(self._changed)

    def _changed(self, connection: "Connection") -> list[StoredTrial]:
        (now,) = connection.execute(text(_NOW)).one()
        seen = {"last": self._last, "running": self._running, "since": self._since}
        rows = connection.execute(text(_CHANGED), {"study": json.dumps(self._study), **seen}).all()
        rows = [row for row in rows if row[0] not in self._done]
        attributes: dict[int, dict[str, Any]] = {row[0]: {} for row in rows}
        for number, name, value in connection.execute(text(_ATTRIBUTES), {"numbers": list(attributes)}):
            attributes[number][name] = json.loads(value)
        trials = [StoredTrial(row[0], row[1], attributes[row[0]], _aware(row[2]), _aware(row[3])) for row in rows]
        self._since = now
        self._last = max([self._last, *attributes])
        self._running = [trial.number for trial in trials if trial.state == "RUNNING"]
        self._done |= {trial.number for trial in trials if trial.state not in ("WAITING", "RUNNING")}
        return trials

    def alive(self, numbers: Collection[int]) -> set[int]:
        """See `QueueStorage`."""
        if not numbers:
            return set()
        # A trial without a heartbeat was set running by another program than this one.
        sql = f"SELECT trial_id FROM trial_heartbeats WHERE trial_id = ANY(:numbers) AND NOT {_IS_ALIVE}"
        values = {"numbers": list(numbers), "grace": self._database.grace_seconds}
        return set(numbers) - set(self._database.run(lambda c: c.execute(text(sql), values).scalars().all()))

    def create(self, trials: Sequence[NewTrial]) -> list[int]:
        """See `QueueStorage`."""
        return self._database.run(lambda c: insert_trials(c, [(self._study_of(c, t.stage), t) for t in trials]))

    def _study_of(self, connection: "Connection", stage: str) -> int:
        name = optuna_study_name(self._study, stage)
        found = connection.execute(
            text("SELECT study_id FROM studies WHERE study_name = :name"), {"name": name}
        ).scalar()
        if found is not None:
            return int(found)
        number = connection.execute(
            text("INSERT INTO studies (study_name) VALUES (:name) RETURNING study_id"), {"name": name}
        ).scalar_one()
        connection.execute(
            text("INSERT INTO study_directions (study_id, direction, objective) VALUES (:study, 'MAXIMIZE', 0)"),
            {"study": number},
        )
        mine = {"study": number, "name": STUDY_ATTRIBUTE, "value": json.dumps(self._study)}
        connection.execute(text(_KEEP), mine)
        return int(number)

    def take(self, number: int) -> Hold | None:
        """See `QueueStorage`."""
        taken = self.take_first([number])
        return None if taken is None else taken[1]

    def take_first(self, candidates: Iterable[int]) -> tuple[int, Hold] | None:
        """See `QueueStorage`; processes that ask at the same time pass over each other's."""
        numbers = list(islice(candidates, _CANDIDATES_PER_CLAIM))
        if not numbers:
            return None
        taken = self._database.run(lambda c: c.execute(text(_TAKE), {"numbers": numbers}).scalar())
        if taken is None:
            return None
        return int(taken), Heartbeat(partial(self._beat, int(taken)), self._database.heartbeat_seconds)

    def _beat(self, number: int) -> bool:
        """In the heartbeat's thread."""
        return self._database.try_once(lambda c: c.execute(text(_BEAT), {"number": number}).rowcount == 1)

    def take_over(self, number: int) -> Hold | None:
        """See `QueueStorage`; the row stays locked until the transaction ends."""
        values = {"number": number, "grace": self._database.grace_seconds}
        found = self._database.run(lambda c: c.execute(text(_TAKE_OVER), values).scalar())
        return None if found is None else Heartbeat(lambda: False, self._database.heartbeat_seconds)

    def note(self, number: int, attributes: Mapping[str, Any]) -> None:
        """See `QueueStorage`."""
        rows = [{"number": number, "name": key, "value": json.dumps(value)} for key, value in attributes.items()]

        def write(connection: "Connection") -> bool:
            return all(connection.execute(text(_NOTE), row).rowcount == 1 for row in rows)

        if not self._database.run(write):
            raise _taken(number)

    def report(self, number: int, step: int, value: float) -> None:
        """See `QueueStorage`."""
        values = {"number": number, "step": step, "value": value}
        if not self._database.run(lambda c: c.execute(text(_REPORT), values).rowcount):
            raise _taken(number)

    def settle(self, number: int, state: State, value: float | None = None) -> None:
        """See `QueueStorage`."""
        tries = 0

        def write(connection: "Connection") -> bool:
            nonlocal tries
            tries += 1
            sql = "SELECT CAST(state AS text) FROM trials WHERE trial_id = :number FOR UPDATE"
            found = connection.execute(text(sql), {"number": number}).scalar()
            if found not in ("WAITING", "RUNNING"):
                # A first try whose connection broke after the database had done what it said.
                return tries > 1 and found == state
            if value is not None:
                connection.execute(text(_VALUE), {"number": number, "value": value})
            sql = "UPDATE trials SET state = :state, datetime_complete = clock_timestamp() WHERE trial_id = :number"
            connection.execute(text(sql), {"number": number, "state": state})
            return True

        if not self._database.run(write):
            raise _taken(number)

    def parameters(self, number: int) -> Parameters:
        """See `QueueStorage`."""
        from optuna.distributions import json_to_distribution

        sql = "SELECT param_name, param_value, distribution_json FROM trial_params WHERE trial_id = :number"
        rows = self._database.run(lambda c: c.execute(text(sql), {"number": number}).all())
        ranges = {name: json_to_distribution(distribution) for name, _, distribution in rows}
        return Parameters({name: ranges[name].to_external_repr(value) for name, value, _ in rows}, ranges)

    def keep(self, stage: str, name: str, value: Any) -> None:
        """See `QueueStorage`."""

        def write(connection: "Connection") -> None:
            row = {"study": self._study_of(connection, stage), "name": name, "value": json.dumps(value)}
            connection.execute(text(_KEEP), row)

        self._database.run(write)

    def kept(self, stage: str, name: str) -> Any:
        """See `QueueStorage`."""
        sql = (
            "SELECT value_json FROM study_user_attributes JOIN studies USING (study_id) "
            "WHERE study_name = :study AND key = :name"
        )
        values = {"study": optuna_study_name(self._study, stage), "name": name}
        found = self._database.run(lambda c: c.execute(text(sql), values).scalar())
        return None if found is None else json.loads(found)

    def ask_to_stop(self, request: Mapping[str, Any]) -> None:
        """See `QueueStorage`; kept with every stage there is, as a stage alone may be gone tomorrow."""
        values = {"study": json.dumps(self._study), "value": json.dumps(dict(request))}
        self._database.run(lambda c: c.execute(text(_ASK_TO_STOP), values))

    def stop_request(self) -> Mapping[str, Any] | None:
        """See `QueueStorage`."""
        values = {"study": json.dumps(self._study)}
        found = self._database.try_once(lambda c: c.execute(text(_STOP_REQUEST), values).scalar())
        return None if found is None else dict(json.loads(found))

    def remove(self) -> None:
        """See `QueueStorage`; other studies of the database stay."""

        def delete(connection: "Connection") -> None:
            found = connection.execute(text(_STUDIES), {"study": json.dumps(self._study)}).scalars().all()
            trials = "SELECT trial_id FROM trials WHERE study_id = ANY(:studies)"
            for table in _OF_TRIALS:
                connection.execute(text(f"DELETE FROM {table} WHERE trial_id IN ({trials})"), {"studies": found})
            for table in _OF_STUDIES:
                connection.execute(text(f"DELETE FROM {table} WHERE study_id = ANY(:studies)"), {"studies": found})

        self._database.run(delete)


def studies_in(address: str) -> list[str]:
    """See `stored_studies`."""
    sql = f"SELECT DISTINCT value_json FROM study_user_attributes WHERE key = '{STUDY_ATTRIBUTE}'"
    found = open_database(address).run(lambda c: c.execute(text(sql)).scalars().all())
    return sorted(str(json.loads(name)) for name in found)


def _taken(number: int) -> TrialTakenError:
    return TrialTakenError(
        f"trial {number} was settled by another process, since this one was silent for longer than the grace period"
    )


def _aware(time: datetime | None) -> datetime | None:
    return None if time is None else time.replace(tzinfo=UTC)
