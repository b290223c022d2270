"""A page is self-contained, says what it must, and can be read by everybody: in either light, narrow, by ear."""

import itertools
from collections import Counter
from pathlib import Path

import pytest
from support.pages import Element, measure, parse
from support.report_runs import BOTH, METADATA, NO_KD, PLAIN, RunTable

from cdkd.report.assemble import build_reports
from cdkd.report.figures.definition import Evidence
from cdkd.report.page.content import Page, StudyPart
from cdkd.report.page.html import render_page
from cdkd.report.study_table import study_report
from cdkd.report.tracked import read_runs
from cdkd.tracking.study_record import StudyRecord

_HOSTILE = "<script>alert('&')</script>"
_ROWS = {"three streams": (PLAIN, 60.0), "decoder": (NO_KD, 60.5), "both": (BOTH, 68.0)}


@pytest.fixture(scope="module")
def text() -> str:
    table = RunTable()
    told = {**METADATA, "teacher_test_top1": "85.0", "teacher_test_top5": "99.0", "device": "CPU, 1 thread"}
    for label, (overrides, top1) in _ROWS.items():
        for seed in (0, 1):
            labels = {"network": "TSM", "row": label}
            table.add(overrides, seed, top1 + seed, validation=top1 + seed + 1, metadata=told, labels=labels)
    runs = read_runs(table.frame())
    record = StudyRecord("ablation", "7", _HOSTILE, "cdkd sweep ablation.yaml --seeds 2", "study: ablation\n# <b>\n")
    part = StudyPart(record, study_report("ablation", runs), runs)
    tables = [*build_reports("4", runs), *build_reports("1", runs)]
    page = Page("sqlite:///mlflow.db", "http://127.0.0.1:5000", [part], tables, Evidence(tables), "cdkd report --all")
    return render_page(page)


@pytest.fixture(scope="module")
def page(text: str) -> Element:
    return parse(text)


def test_it_says_what_was_asked_what_came_of_it_and_how_to_do_it_again(page: Element) -> None:
    assert [heading.text for heading in page.all("h1", "h2")] == [
        "Study ablation", "Study ablation", "Tables beside the paper's", "Figures", "Doing it again",
        "Where the figures come from",
    ]  # fmt: skip
    assert _HOSTILE in page.text and not page.all("script")
    (answer,) = (each for each in page.all("p") if each.attributes.get("class") == "answer")
    # 68 and 69 over 60 and 61: eight points, the same with both seeds.
    assert answer.text == (
        "TSM, both reaches 68.5 ± 0.7 % top-1 on shapes (2 seeds), +8.0 [+8.0, +8.0] points over three streams, "
        "its teacher 85.0 %; best on validation."
    )
    assert [pre.text for pre in page.all("pre")] == [
        "cdkd sweep ablation.yaml --seeds 2", "study: ablation # <b>", "cdkd report --all",
    ]  # fmt: skip
    facts = dict(zip([term.text for term in page.all("dt")], [fact.text for fact in page.all("dd")], strict=True))
    assert facts["Code"] == "aaaaaaaaaa" and facts["Data version"] == "0123456789abcdef"
    assert (facts["Device"], facts["cdkd"], facts["Status of runs"]) == ("CPU, 1 thread", "0.1.0", "finished")


def test_runs_are_linked_and_nothing_is_fetched(page: Element) -> None:
    links = [link.attributes["href"] for link in page.all("a")]
    runs = [link for link in links if not link.startswith("#")]
    assert runs == [f"http://127.0.0.1:5000/#/experiments/7/runs/run{number:03d}" for number in range(6)]
    known = {element.attributes["id"] for element in page.all() if "id" in element.attributes}
    assert {link[1:] for link in links if link.startswith("#")} <= known
    assert all(image.attributes["src"].startswith("data:image/svg+xml;base64,") for image in page.all("img"))
    assert not page.all("link") and "url(" not in page.all("style")[0].text and "@import" not in page.text


def test_headings_landmarks_and_names_are_in_order(page: Element) -> None:
    levels = [int(heading.tag[1]) for heading in page.all("h1", "h2", "h3")]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(below <= above + 1 for above, below in itertools.pairwise(levels))
    assert [len(page.all(tag)) for tag in ("header", "nav", "main", "footer")] == [1, 1, 1, 1]
    assert page.children[0].attributes["lang"] == "en" and page.all("title")[0].text == "Study ablation"
    ids = Counter(element.attributes["id"] for element in page.all() if "id" in element.attributes)
    assert set(ids.values()) == {1}
    for name in ("aria-labelledby",):
        assert {element.attributes[name] for element in page.all() if name in element.attributes} <= set(ids)
    (image,) = page.all("img")
    assert image.attributes["alt"].startswith("Top-1 on shapes. TSM, decoder, no KD: +0.5 points over three streams")


def test_tables_have_captions_scopes_and_boxes_for_the_keyboard(page: Element) -> None:
    tables = page.all("table")
    assert len(tables) == 4
    for table in tables:
        assert table.children[0].tag == "caption" and table.children[0].text
        box = table.parent
        assert box is not None and (box.attributes["tabindex"], box.attributes["role"]) == ("0", "region")
        assert box.attributes["aria-labelledby"] == table.children[0].attributes["id"]
        assert all(header.attributes.get("scope") in ("col", "row", "colgroup") for header in table.all("th"))
        widths = set()
        for row in table.all("tr"):
            widths.add(sum(int(cell.attributes.get("colspan", "1")) for cell in row.children))
        assert len(widths) == 1
        for row in table.all("tbody")[0].children:
            assert [cell.attributes["scope"] for cell in row.all("th")] == ["row"]
            assert "name" in row.children[0].attributes["class"].split()


def test_a_row_is_named_where_only_its_first_column_fits(page: Element) -> None:
    own = page.all("table")[0]
    assert [row.all("th")[0].text for row in own.all("tbody")[0].children] == [
        "TSM three streams", "TSM decoder", "TSM both",
    ]  # fmt: skip
    four = page.all("table")[1]
    names = [row.all("th")[0].text for row in four.all("tbody")[0].children]
    assert "TSM + ours spatial KD yes, temporal KD no" in names and "TSM's teacher (raw)" in names


@pytest.mark.parametrize("is_dark", [False, True])
def test_a_browser_shows_it_without_scrolling_sideways(text: str, is_dark: bool, tmp_path: Path) -> None:
    wide, narrow = measure(text, [1280, 390], is_dark, tmp_path)
    assert (wide["width"], wide["needed"]) == (1280, 1280)
    assert (narrow["width"], narrow["needed"]) == (390, 390)
    for found in (wide, narrow):
        assert found["images"] and all(found["images"])
        assert found["background"] == ("rgb(20, 25, 31)" if is_dark else "rgb(255, 255, 255)")
        assert found["text"] == ("rgb(230, 235, 240)" if is_dark else "rgb(29, 39, 51)")
    # The table scrolls in its box, and what names its rows stays.
    assert narrow["boxNeeds"] > narrow["box"] and narrow["moved"] == 0
