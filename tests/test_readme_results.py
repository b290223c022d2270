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
    names = [cell.strip() for cell in header.strip("|").split("|")]
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
COSTS = {row["way"]: row for row in _table("docs/reader.md", "way")}
PUBLISHED = "UCF-101 top-1 (published)"


def _top1(row: dict[str, str]) -> float:
    return float(row["shapes top-1"].split()[0])


def _ablation(network: str, spatial: str, temporal: str) -> dict[str, str]:
    """The last row of the network with these losses: without both, the one that has the decoder."""
    return [row for row in ABLATION if row["method"].startswith(network)
            and (row["spatial KD"], row["temporal KD"]) == (spatial, temporal)][-1]  # fmt: skip


def _of_networks(compute: Callable[[str], float]) -> list[str]:
    return [f"{compute(network):.1f}" for network in ("TSM", "TDN")]


def _over_three_streams(network: str) -> float:
    return float(_ablation(network, "yes", "no")["shapes over three streams [95 %]"].split()[0])


def _over_decoder(network: str) -> float:
    return float(_ablation(network, "yes", "no")["shapes over decoder [95 %]"].split()[0])


def _beside_spatial(network: str) -> float:
    return _top1(_ablation(network, "yes", "yes")) - _top1(_ablation(network, "yes", "no"))


def _best_on_validation() -> list[str]:
    best = (
        r"Best on validation videos, of the rows that ran: λ1 = ([\d.]+) at λ2 = 0; then λ2 = 0 and ([\d.]+) \(alike\)"
    )
    note = re.search(best, _text("table5"))
    assert note is not None
    return list(note.groups())


def _text(name: str) -> str:
    return (REPOSITORY / f"reports/{name}.md").read_text()


def _methods(*names: str) -> list[str]:
    return [METHODS[name]["shapes top-1"].split()[0] for name in names]


def _published_beside_spatial(network: str) -> float:
    both, spatial = (float(_ablation(network, "yes", temporal)[PUBLISHED]) for temporal in ("yes", "no"))
    return both - spatial


def _decode_ratios() -> list[str]:
    found = sorted(row["decode ratio"] for name, row in COSTS.items() if not name.startswith("teacher"))
    return [found[0], found[-1]]


def _total_ratios() -> list[str]:
    paper, lite = (next(row for name, row in COSTS.items() if word in name) for word in ("the paper's", "`lite`"))
    return [f"{float(paper['total ratio']):.1f}", lite["total ratio"]]


# What a sentence says -> the same figures from the tables.
CLAIMS: dict[str, Callable[[], list[str]]] = {
    r"worth (\S+) points \(TSM\) and (\S+) \(TDN, one seed\) on `shapes` over the plain three streams":
        lambda: _of_networks(_over_three_streams),
    r'and (\S+) and (\S+) over "decoder, no KD", which isolates distillation': lambda: _of_networks(_over_decoder),
    r"isolates distillation: (\d+) % and (\d+) % of the way": lambda: [
        _ablation(network, "yes", "no")["shapes gap closed"].split()[0] for network in ("TSM", "TDN")
    ],
    r"it changes accuracy by (\S+) and (\S+) points": lambda: _of_networks(_beside_spatial),
    r"the paper has (\S+) for both, on UCF-101": lambda: sorted(set(_of_networks(_published_beside_spatial))),
    r"the paper's λ1 = (\S+), chosen on validation with one seed, where λ2 = 0 and (\S+) are": _best_on_validation,
    r"decoupled KD (\S+), logit standardisation (\S+), logits KD (\S+), the paper's two terms (\S+), without "
    r"distillation (\S+)\.": lambda: _methods(
        "decoupled KD", "logit standardisation", "logits KD", "spatial and temporal KD", "three streams"
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
    for words in ("Temporal knowledge alone is worth nothing that these runs can", "unlike in the paper",
                  "a larger gain from logits distillation than the paper had", "what compares scores leads",
                  "Six of the nine weights lie at the edge of their grid"):  # fmt: skip
        assert words in SENTENCES
    # 1. Temporal knowledge alone: its interval holds 0 for TSM, one seed of TDN gains nothing. In the paper both gain.
    tsm, tdn = (_ablation(network, "no", "yes")["shapes over three streams [95 %]"] for network in ("TSM", "TDN"))
    low, high = map(float, re.findall(r"[-+][\d.]+", tsm)[1:])
    assert low < 0 < high and float(tdn) < 1
    for network in ("TSM", "TDN"):
        rows = [row for row in ABLATION if row["method"].startswith(network)]
        assert float(_ablation(network, "no", "yes")[PUBLISHED]) > float(rows[0][PUBLISHED])
    # 2. Logits distillation beside both losses, where each was run.
    measured, published = (
        [next(row for row in LAMBDA if (row["method"], row["λ1"], row["λ2"]) == (f"TSM + ours{logits}", "0.1", weight))
         for logits in (" + logits", "")] for weight in ("0.1", "1")
    )  # fmt: skip
    gain = float(published[0][PUBLISHED]) - float(published[1][PUBLISHED])
    assert _top1(measured[0]) - _top1(measured[1]) > gain
    # 3. The three best compare scores.
    best = sorted(METHODS, key=lambda name: _top1(METHODS[name]), reverse=True)[:3]
    assert set(best) == {"decoupled KD", "logit standardisation", "logits KD"}
    # 4. Shown weights at the ends of the grid that the study has.
    assert sum(_is_at_an_edge(row) for name, row in METHODS.items() if row["weight"] and "," not in row["weight"]) == 6


def _is_at_an_edge(row: dict[str, str]) -> bool:
    study = yaml.safe_load((REPOSITORY / "sweeps/methods.yaml").read_text())
    known = {"logit standardisation": "standardised logits"}.get(row["method"], row["method"].removesuffix(" KD"))
    names = [name.rpartition(" ") for name in study["stages"][0]["rows"]]
    grid = sorted(float(weight) for method, _, weight in names if method == known.lower())
    assert len(grid) == 3, row["method"]
    return float(row["weight"]) != grid[1]
