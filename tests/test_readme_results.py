"""README states no result that the committed tables do not hold: every figure of its sentences is looked up in them."""

import re
from collections.abc import Callable

import pytest
import yaml
from support.guides import REPOSITORY

SECTION = (REPOSITORY / "README.md").read_text().partition("## What it produced\n")[2].partition("\n## ")[0]
SENTENCES = " ".join(line for line in SECTION.splitlines() if not line.startswith(("|", "!")))

Table = list[dict[str, str]]


def _table(path: str, first_header: str) -> Table:
    """The table of a Markdown file whose first column has this header, a record for each row."""
    lines = iter((REPOSITORY / path).read_text().splitlines())
    header = next(line for line in lines if line.startswith(f"| {first_header} |"))
    names: list[str] = []
    for cell in header.strip("|").split("|"):
        # The second column of p stands beside the second difference.
        names.append(cell.strip() if cell.strip() not in names else f"{cell.strip()}, second")
    next(lines)
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append(dict(zip(names, (cell.strip() for cell in line.strip("|").split("|")), strict=True)))
    return rows


ABLATION = _table("reports/table4.md", "method")
LAMBDA = _table("reports/table5.md", "method")
METHODS = {row["method"]: row for row in _table("reports/table-methods.md", "method")}
GATES, GRAPHS, TEACHERS = (_table(f"reports/study-{name}.md", header) for name, header in (
    ("gate", "gate"), ("graphs", "stage"), ("teachers", "teacher")))  # fmt: skip
FEW_LABELS = _table("reports/study-unlabelled.md", "labels per class")
ARCHIVE = _table("reports/study-archive.md", "unlabelled videos")
COSTS = {row["way"]: row for row in _table("docs/reader.md", "way")}
PUBLISHED = "UCF-101 top-1 (published)"


def _top1(row: dict[str, str]) -> float:
    return float(row["shapes top-1"].split()[0])


def _ablation(network: str, spatial: str, temporal: str) -> dict[str, str]:
    """The last row of the network with these losses: without both, the one that has the decoder."""
    return [row for row in ABLATION if row["method"].startswith(network)
            and (row["spatial KD"], row["temporal KD"]) == (spatial, temporal)][-1]  # fmt: skip


KINDS = {"temporal": ("no", "yes"), "spatial": ("yes", "no"), "both": ("yes", "yes")}
"""What the student learns, in the order in which README names it."""


def _plain(network: str) -> dict[str, str]:
    return next(row for row in ABLATION if row["method"] == f"{network}, three streams")


def _teacher(network: str) -> dict[str, str]:
    return next(row for row in ABLATION if row["method"] == f"{network}'s teacher (raw)")


def _gains(network: str, over: str) -> list[str]:
    """Of each kind, as the table prints the difference."""
    return [_ablation(network, *kind)[f"shapes over {over} [95 %]"].split()[0] for kind in KINDS.values()]


def _interval(network: str, kind: str, over: str = "three streams") -> tuple[float, float]:
    low, high = re.findall(r"[-+]?[\d.]+", _ablation(network, *KINDS[kind])[f"shapes over {over} [95 %]"])[1:]
    return float(low), float(high)


def _published_gains() -> list[str]:
    plain = float(_plain("TSM")[PUBLISHED])
    return [f"{float(_ablation('TSM', *kind)[PUBLISHED]) - plain:+.1f}" for kind in KINDS.values()]


def _largest_p(network: str) -> str:
    """Of a network's three kinds over the three streams and over the decoder."""
    rows = [_ablation(network, *kind) for kind in KINDS.values()]
    return max((row[column] for row in rows for column in ("shapes p", "shapes p, second")), key=_number)


def _number(p: str) -> float:
    """Of one that may be printed as smaller than it."""
    return float(p.replace("\\<", ""))


def _floor_of_p(network: str) -> str:
    """The smallest p of a network's three kinds over the three streams, rounded down to one digit."""
    smallest = min(_number(_ablation(network, *kind)["shapes p"]) for kind in KINDS.values())
    return f"{int(10 * smallest) / 10:.1f}"


def _beside_spatial() -> list[str]:
    """What temporal knowledge adds to spatial knowledge: here, and in the paper."""
    both, spatial = (_ablation("TSM", *KINDS[kind]) for kind in ("both", "spatial"))
    return [f"{_top1(both) - _top1(spatial):.1f}", f"{float(both[PUBLISHED]) - float(spatial[PUBLISHED]):.1f}"]


def _best_on_validation(network: str) -> list[str]:
    best = r" that ran: λ1 = ([\d.]+) at λ2 = 0; then λ2 = ([\d.]+) at λ1 = (\S+)\."
    note = re.search(f"of the rows of {network}{best}", _text("table5"))
    assert note is not None
    return list(note.groups())


def _reached(method: str, *weights: tuple[str, str]) -> list[str]:
    """Test accuracies of Table 5's rows with these (λ1, λ2)."""
    rows = {(row["method"], row["λ1"], row["λ2"]): row for row in LAMBDA}
    return [f"{_top1(rows[method, *pair]):.1f}" for pair in weights]


def _parts(rows: Table, axis: str, *labels: str) -> list[str]:
    """Points over the three streams of the rows with these labels on an axis."""
    found = {row[axis]: row for row in rows}
    return [found[label]["shapes over three streams [95 %]"].split()[0] for label in labels]


def _by_labels(row: str) -> list[str]:
    """Accuracies of a row of the study of few labels, from the fewest labels to the most."""
    return [f"{_top1(each):.1f}" for each in FEW_LABELS if each["row"] == row]


def _by_archive(row: str) -> list[str]:
    """The same of the study of the archive, from no unlabelled clip to all of them."""
    return [f"{_top1(each):.1f}" for each in ARCHIVE if each["row"] == row]


def _is_above_chance(row: dict[str, str]) -> bool:
    return _number(row["shapes p"]) < 0.05 and row["shapes over three streams [95 %]"][0] == "+"


def _text(name: str) -> str:
    return (REPOSITORY / f"reports/{name}.md").read_text()


def _methods(*names: str) -> list[str]:
    return [METHODS[name]["shapes top-1"].split()[0] for name in names]


def _decode_ratios() -> list[str]:
    found = sorted(row["decode ratio"] for name, row in COSTS.items() if not name.startswith("teacher"))
    return [found[0], found[-1]]


def _total_ratios() -> list[str]:
    paper, lite = (next(row for name, row in COSTS.items() if word in name) for word in ("the paper's", "`lite`"))
    return [f"{float(paper['total ratio']):.1f}", lite["total ratio"]]


BEST_METHODS = ("MGD", "spatial and temporal KD", "logit standardisation", "spatial KD", "logits KD", "decoupled KD")

# What a sentence says -> the same figures from the tables.
CLAIMS: dict[str, Callable[[], list[str]]] = {
    r"temporal knowledge (\S+), spatial knowledge (\S+) and both (\S+) points over the plain three streams":
        lambda: _gains("TSM", "three streams"),
    r"in the paper, on UCF-101: (\S+), (\S+) and (\S+)\)": _published_gains,
    r'(\S+), (\S+) and (\S+) over "decoder, no KD", which isolates': lambda: _gains("TSM", "decoder"),
    r"Each of these six gains is above chance \(p = (\S+) at most, Holm": lambda: [_largest_p("TSM")],
    r"adds beside spatial knowledge \((\S+) points; (\S+) in the paper\)": _beside_spatial,
    r"gap to the raw-domain teacher, (\S+) points, is closed by (\d+) % at most": lambda: [
        f"{_top1(_teacher('TSM')) - _top1(_plain('TSM')):.1f}",
        _ablation("TSM", "yes", "yes")["shapes gap closed"].split()[0],
    ],
    r"from nothing \(temporal (\S+), spatial (\S+) and both (\S+), no p below (\S+)\)": lambda: [
        *_gains("TDN", "three streams"), _floor_of_p("TDN")
    ],
    r"its student is (\S+) points better by itself and its teacher (\S+) points worse": lambda: [
        f"{_top1(_plain('TDN')) - _top1(_plain('TSM')):.1f}", f"{_top1(_teacher('TSM')) - _top1(_teacher('TDN')):.1f}"
    ],
    r"λ1 = (\S+), (\S+) and 1 reach (\S+), (\S+) and (\S+) %": lambda: ["0.01", "0.1", *_reached(
        "TSM + ours", ("0.01", "0"), ("0.1", "0"), ("1", "0"))],
    r"beside λ1 = (\S+), λ2 = (\S+), 1 and 5 reach (\S+), (\S+) and (\S+) %": lambda: ["0.1", "0.1", *_reached(
        "TSM + ours", ("0.1", "0.1"), ("0.1", "1"), ("0.1", "5"))],
    r"with logits distillation besides, (\S+) and (\S+) % with and without temporal knowledge": lambda: _reached(
        "TSM + ours + logits", ("0.1", "1"), ("0.1", "0")),
    r"chose λ1 = (\S+) and λ2 = 1: there λ1 = (\S+), (\S+) and 1 reach (\S+), (\S+) and (\S+) %, and": lambda: [
        "0.01", "0.01", "0.1", *_reached("TDN + ours", ("0.01", "0"), ("0.1", "0"), ("1", "0"))],
    r"beside the first λ2 = (\S+), 1 and 5 reach (\S+), (\S+) and (\S+) %: on test": lambda: ["0.1", *_reached(
        "TDN + ours", ("0.01", "0.1"), ("0.01", "1"), ("0.01", "5"))],
    r"Logits distillation brings (\S+) and (\S+) % with and without it": lambda: _reached(
        "TDN + ours + logits", ("0.01", "1"), ("0.01", "0")),
    r"as printed, a sigmoid, (\S+); as a softmax (\S+); uniform, that is none, (\S+), so": lambda: _parts(
        GATES, "gate", "literal", "learned", "uniform"),
    r"the distances of Eq. 3 (\S+) and the quadratic mapping (\S+), both": lambda: _parts(
        GRAPHS, "graphs", "Eq. 3 alone", "quadratic"),
    r"which keep one number of a frame, (\S+) and (\S+); the three of Eq. 5 together (\S+), all four (\S+): many":
        lambda: _parts(GRAPHS, "graphs", "gaussian", "laplacian", "Eq. 5", "Eq. 3 and 5"),
    r"left out of the classifier, (\S+)\. The": lambda: _parts(GRAPHS, "student head", "streams"),
    r"TSM teaches this student (\S+), TDN (\S+)\.": lambda: _parts(TEACHERS, "teacher", "TSM", "TDN"),
    r"the three streams reach (\S+), (\S+) and (\S+) %, both": lambda: _by_labels("baseline"),
    r"both kinds of knowledge (\S+), (\S+) and (\S+) % from": lambda: _by_labels("both"),
    r"labelled clips alone, and (\S+), (\S+) and (\S+) % with unlabelled": lambda: _by_labels("both, unlabelled"),
    r"bring both kinds of knowledge from (\S+) to (\S+), (\S+) and (\S+) %": lambda: _by_archive("both"),
    r"MGD (\S+), the paper's two terms (\S+), logit standardisation (\S+), the paper's spatial term alone (\S+), "
    r"logits KD (\S+), decoupled KD (\S+), without distillation (\S+)\. ": lambda: _methods(
        *BEST_METHODS, "three streams"
    ),
    r"read alone, yes \((\S+) to (\S+) of the teacher's decoding\)": _decode_ratios,
    r"takes \*\*(\S+) times\*\* what its TSM teacher takes, `lite` (\S+) times": _total_ratios,
}  # fmt: skip


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_sentence_has_the_figures_of_its_table(claim: str) -> None:
    found = re.search(claim, SENTENCES)
    assert found is not None, f"README has no sentence {claim!r} any more: take the claim out, too"
    assert list(found.groups()) == CLAIMS[claim]()


def test_every_figure_of_the_sentences_is_somebodys_claim() -> None:
    told = {position for claim in CLAIMS if (found := re.search(claim, SENTENCES))
            for group in range(1, len(found.groups()) + 1) for position in range(*found.span(group))}  # fmt: skip
    loose = [found[0] for found in re.finditer(r"\d+\.\d+", SENTENCES) if found.start() not in told]
    assert loose == [], "figures that no table is asked for: add a claim"


def test_the_table_is_the_committed_one() -> None:
    rows = [line for line in SECTION.splitlines() if line.startswith("|")]
    committed = _text("table4").splitlines()
    assert len(rows) == 14 and [line for line in rows if line not in committed] == []


def test_what_the_sentences_say_without_figures() -> None:
    for words in (
        "On **TSM** the rows come in the paper's order",
        "is not told from nothing. The gap",
        "On **TDN** no gain is told from nothing",
        "validation videos want a smaller λ1",
        "What separates these six is less than two seeds scatter by",
        "four of the nine weights lie at the edge of their grid",
    ):
        assert words in SENTENCES
    # 1. The order here, for TSM, and in the paper, for both networks.
    for network in ("TSM", "TDN"):
        rows = [_plain(network), *(_ablation(network, *kind) for kind in KINDS.values())]
        assert ([_top1(row) for row in rows] == sorted(_top1(row) for row in rows)) == (network == "TSM")
        assert [float(row[PUBLISHED]) for row in rows] == sorted(float(row[PUBLISHED]) for row in rows)
        assert all(row["shapes top-1"].endswith("(10)") for row in rows)
    # 2. Above chance where the interval excludes 0: all of TSM's, none of TDN's.
    for over in ("three streams", "decoder"):
        assert all(_interval("TSM", kind, over)[0] > 0 for kind in KINDS)
        assert all(low < 0 < high for low, high in (_interval("TDN", kind, over) for kind in KINDS))
    assert float(_best_on_validation("TDN")[0]) < 0.1
    # 3. The optimum of either weight lies inside of its grid, on validation videos and on test, as the paper's does.
    assert _best_on_validation("TSM") == ["0.1", "1", "0.1"]
    assert _best_on_validation("TDN") == ["0.01", "1", "0.01"]
    for grid in ([("0.01", "0"), ("0.1", "0"), ("1", "0")], [("0.1", "0.1"), ("0.1", "1"), ("0.1", "5")]):
        low, middle, high = map(float, _reached("TSM + ours", *grid))
        assert low < middle > high
    # 4. What logits distillation adds to both losses, here and in the paper.
    assert "a larger gain than the paper had" in SENTENCES
    measured, published = (
        [
            float(row[column].split()[0])
            for row in LAMBDA
            if (row["λ1"], row["λ2"]) == ("0.1", "1") and row["method"].startswith("TSM")
        ]
        for column in ("shapes top-1", PUBLISHED)
    )
    assert len(measured) == 2 and measured[1] - measured[0] > published[1] - published[0]
    without, *beside = map(float, _reached("TDN + ours", *[("0.01", weight) for weight in ("0", "0.1", "1", "5")]))
    assert "on test, temporal knowledge adds nothing" in SENTENCES and max(beside) <= without
    assert not any(_is_above_chance(row) for row in LAMBDA if "TDN +" in row["method"])
    # 5. Parts: what is above chance, and what is best.
    assert [row["graphs"] for row in GRAPHS if row["graphs"] != "-" and _is_above_chance(row)] == [
        "Eq. 3 alone", "quadratic"
    ]  # fmt: skip
    for rows, axis, first in (
        (GATES, "gate", "uniform"), (GRAPHS[:6], "graphs", "Eq. 3 alone"), (TEACHERS, "teacher", "TSM")
    ):  # fmt: skip
        assert max(rows, key=_top1)[axis] == first
    assert all(row["shapes top-1"].endswith("(6)") for row in (*GATES, *GRAPHS, *TEACHERS))
    assert [row["labels per class"] for row in FEW_LABELS[::7]] == ["10", "25", "100"]
    assert all(row["shapes top-1"].endswith("(3)") for row in FEW_LABELS) and "[three seeds]" in SENTENCES
    assert [row["unlabelled videos"] for row in ARCHIVE if row["row"] == "both"] == ["0", "100", "300", "1200"]
    assert all(row["shapes top-1"].endswith("(2)") for row in ARCHIVE) and "[two of these seeds]" in SENTENCES
    # With 300 unlabelled clips, as many as 25 labels of twelve classes make, more than half of what 1,200 bring.
    none, _, same, most = map(float, _by_archive("both"))
    assert same - none > (most - none) / 2
    # 6. The six that are named are the best, and as far apart as two seeds of one of them.
    ranked = sorted(METHODS, key=lambda name: _top1(METHODS[name]), reverse=True)
    assert set(ranked[:6]) == set(BEST_METHODS) and all(row["shapes top-1"].endswith("(2)") for row in METHODS.values())
    scatter = max(float(METHODS[name]["shapes top-1"].split()[2]) for name in BEST_METHODS)
    assert _top1(METHODS[ranked[0]]) - _top1(METHODS[ranked[5]]) < scatter
    # 7. Shown weights at the ends of the grid that the study has.
    assert sum(_is_at_an_edge(row) for name, row in METHODS.items() if row["weight"] and "," not in row["weight"]) == 4


def _is_at_an_edge(row: dict[str, str]) -> bool:
    study = yaml.safe_load((REPOSITORY / "sweeps/methods.yaml").read_text())
    known = {"logit standardisation": "standardised logits"}.get(row["method"], row["method"].removesuffix(" KD"))
    names = [name.rpartition(" ") for name in study["stages"][0]["rows"]]
    grid = sorted(float(weight) for method, _, weight in names if method == known.lower())
    assert len(grid) == 3, row["method"]
    return float(row["weight"]) != grid[1]
