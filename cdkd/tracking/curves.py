"""How metrics of tracked runs went from epoch to epoch; imports no torch."""

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor

from cdkd.tracking import store
from cdkd.tracking.store import TrackingError, first_line, open_client

Curve = Mapping[int, float]
"""Epoch, from 1 -> value, in the epochs' order."""

_AT_ONCE = 4
"""A server answers several questions at a time; an SQLite file gains nothing from more."""


def load_curves(wanted: Mapping[str, Collection[str]], tracking_uri: str | None = None) -> dict[str, dict[str, Curve]]:
    """Curves of runs, by run id and name of the metric; what a run never logged is absent.

    Of an epoch that was logged twice, by a training that went on from its checkpoint, the last value counts.

    Args:
        wanted: run id -> names of metrics.
        tracking_uri: the store; None: `MLFLOW_TRACKING_URI`, else `sqlite:///mlflow.db`.

    Raises:
        TrackingError: there is no such store, or it cannot be read.
    """
    from mlflow.exceptions import MlflowException

    uri = tracking_uri or store.tracking_uri()
    client = open_client(uri, must_exist=True)

    def curve(asked: tuple[str, str]) -> Curve:
        history = sorted(client.get_metric_history(*asked), key=lambda metric: (metric.step, metric.timestamp))
        return {int(metric.step): float(metric.value) for metric in history}

    asked = [(run_id, name) for run_id, names in wanted.items() for name in names]
    found: dict[str, dict[str, Curve]] = {run_id: {} for run_id in wanted}
    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for (run_id, name), points in zip(asked, pool.map(curve, asked), strict=True):
                if points:
                    found[run_id][name] = points
    except MlflowException as error:
        raise TrackingError(f"curves cannot be read from {store.shown(uri)}: {first_line(error)}") from error
    return found
