"""The data sets of a sweep's cells, each made ready once before its cells are enqueued."""

from cdkd.sweep.display.sweep_display import SweepDisplay, SweepStatus
from cdkd.sweep.study.cell import Cell
from cdkd.sweep.workers.cell_runner import CellRunner


class DataPreparation:
    """Prepares what no cell before had prepared."""

    def __init__(self, runner: CellRunner, study: str, display: SweepDisplay) -> None:
        self._runner = runner
        self._study = study
        self._display = display
        self._prepared: set[str] = set()

    def prepare(self, cell: Cell) -> None:
        """Makes a cell's data set ready, and its unlabelled videos where it learns from any."""
        # Cells of a study share few data sets, and looking at one takes its time.
        key = f"{cell.config.data.model_dump_json()} {cell.config.unlabelled_per_step > 0}"
        if key in self._prepared:
            return
        self._prepared.add(key)
        name = cell.config.data.name
        told = False

        def progress(fraction: float) -> None:
            nonlocal told
            if not told and fraction < 1.0:
                told = True
                self._display.log_event(f"preparing data set {name}")
            self._display.show(SweepStatus(self._study, 0, 0, 0, note=f"data set {name}: {fraction:.0%}"))

        self._runner.prepare_data(cell.config, progress)
