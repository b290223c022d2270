"""The printed figures, spot-checked against the paper, and their shape."""

from cdkd.report.published import figures_of_row, published_figures
from cdkd.report.tables.catalog import TABLES


def test_every_table_has_all_its_figures() -> None:
    # Rows times data sets, counted in the paper.
    counts = {"1": 24, "2": 11, "3": 10, "4": 16, "5": 18, "methods": 0, "networks": 0}
    assert {table: len(published_figures(table)) for table in TABLES} == counts


def test_known_figures() -> None:
    ucf, ssv2 = figures_of_row("4", "tsm-both")
    assert (ucf.dataset, ucf.top1, ucf.top5) == ("UCF-101", 95.8, None)
    assert (ssv2.dataset, ssv2.top1, ssv2.top5) == ("SSV2", 62.8, 88.2)
    (tdn,) = figures_of_row("3", "tdn-both")
    assert (tdn.dataset, tdn.top1, tdn.top5, tdn.gflops) == ("Kinetics-400", 77.4, 93.1, 2760.0)
    logits = figures_of_row("5", "tsm-0.1-1-logits")
    assert [figure.top1 for figure in logits] == [95.9, 62.8]


def test_known_errors_are_noted_and_not_corrected() -> None:
    _, hmdb = figures_of_row("1", "coviar")
    assert hmdb.top1 == 73.2
    assert "59.1" in hmdb.note and "59.2" in hmdb.note
    assert "I3D" in figures_of_row("1", "dmc-net")[0].note
    assert "ensemble" in figures_of_row("2", "tdn-raw")[0].note
    assert "ensemble" in figures_of_row("3", "tdn-raw")[0].note
    assert "audio" in figures_of_row("1", "mm-vit")[0].note


def test_every_published_row_has_a_place_in_its_table_and_a_source() -> None:
    for number, table in TABLES.items():
        keys = [row.key for row in table.rows]
        assert len(keys) == len(set(keys))
        assert {figure.row for figure in published_figures(number)} <= set(keys)
        assert all(figure.source == f"Liu et al. 2023, Table {number}" for figure in published_figures(number))


def test_every_baseline_is_a_row() -> None:
    for table in TABLES.values():
        keys = {row.key for row in table.rows}
        assert {key for row in table.rows for key in row.baselines.values()} <= keys
