"""Writes docs/latency-model.md from the tests: the protocol, every calibration's errors, the plots."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.latency.fit_all import Evaluated, calibrations, strangers
from benchmarks.latency.gather.instruction_table import TestedTable
from benchmarks.latency.gather.rows import LatencyRow
from benchmarks.latency.page.baseline import leave_out_error
from benchmarks.latency.page.ceiling import (
    DRAWS,
    HeldOut,
    anchors_apart,
    chance_of_aim,
    error_by_anchors,
    held_out,
    in_band_with_known_spread,
)
from benchmarks.latency.page.evidence import (
    far_smaller_table,
    instructions_table,
    one_thread_table,
    own_files_table,
    pairs_table,
    rates_table,
    ratios_table,
    small_networks_table,
    transfers_table,
)
from benchmarks.latency.page.markdown import number, table
from benchmarks.latency.page.plots import plot_boards
from devices.latency.calibrate.anchors import DOUBTED_FROM
from devices.latency.model.calibration import Calibration
from devices.latency.model.groups import CalibrationGroup
from eamdeploy.base.files import atomic_write_text

TEMPLATE = Path(__file__).with_name("page.md")
AIM = (20, 12)  # percent, of a board known by two networks: float, int8


def write_page(
    tested: Sequence[Evaluated],
    rows: Sequence[LatencyRow],
    transfers: dict[str, Any],
    counted: Sequence[TestedTable],
    docs: Path,
) -> Path:
    """Fill in the template; returns the page's path."""
    any_family = strangers(tested)
    entries = [(c, g) for t in tested for c, g in zip(calibrations(t, any_family), t.groups, strict=True)]
    tests_by_conditions = held_out(tested)
    hold_outs = [(c, tests_by_conditions[g.conditions]) for c, g in entries if g.conditions in tests_by_conditions]
    figures = plot_boards(tested, docs / "latency-model")
    page = TEMPLATE.read_text(encoding="utf-8")
    for key, text in {
        "counts": f"{len(rows):,} measurements, {len(entries)} calibrations",
        "large": _calibrations(entries, lambda c: c.rows >= 15),
        "small": _calibrations(entries, lambda c: c.rows < 15),
        "families": _families(entries),
        "boards": _boards(entries),
        "board_means": _board_means(entries),
        "chance": _by_chance(entries),
        "known_spread": _with_known_spread(tested),
        "anchor_choice": _anchor_choice(hold_outs),
        "draws": f"{DRAWS:,}",
        "contradicting": _contradicting(hold_outs),
        "aim_by_chance": _aim_by_chance(hold_outs),
        "coverage": _coverage(entries),
        "baseline": _baseline(entries),
        "transfers": transfers_table(transfers),
        "pairs": pairs_table(transfers),
        "instructions": instructions_table(counted),
        "rates": rates_table(entries),
        "one_thread": one_thread_table(entries),
        "far_smaller": far_smaller_table(entries),
        "ratios": ratios_table(tested),
        "small_networks": small_networks_table(tested),
        "own_files": own_files_table(tested),
        "plots": "\n\n".join(f"![{board}](latency-model/{path.name})" for board, path in figures),
    }.items():
        page = page.replace(f"{{{{{key}}}}}", text)
    target = docs / "latency-model.md"
    atomic_write_text(target, page)
    return target


def _calibrations(entries: Sequence[tuple[Calibration, CalibrationGroup]], condition: Any) -> str:
    body = []
    for c, _ in sorted(entries, key=lambda e: e[0].name):
        if not condition(c):
            continue
        network_test, fam = c.tests["leave_network_out"], c.tests["leave_family_out"]
        body.append(
            [
                c.title,
                str(c.rows),
                str(c.networks),
                number(network_test.get("mean_abs_percent")),
                number(network_test.get("median_abs_percent")),
                number(network_test.get("within_10_percent"), 0),
                number(network_test.get("coverage90_percent"), 0),
                number(fam.get("mean_abs_percent")),
                number(fam.get("coverage90_percent"), 0),
                number(c.tests.get("repeated_percent")),
            ]
        )
    head = (
        "calibration", "rows", "networks", "network out: mean", "median", "within 10 %", "covered", "family out: mean", "covered",
        "repeated",
    )  # fmt: skip
    return table(head, body)


def _families(entries: Sequence[tuple[Calibration, CalibrationGroup]]) -> str:
    body = []
    for c, _ in sorted(entries, key=lambda e: e[0].name):
        if c.rows < 30:
            continue
        for name, result in c.tests["leave_family_out"].get("families", {}).items():
            body.append(
                [c.title, name, str(result["n"]), number(result["mean_abs_percent"]), number(result["bias_percent"])]
            )
    return table(("calibration", "family", "rows", "mean abs. error", "bias"), body)


def _boards(entries: Sequence[tuple[Calibration, CalibrationGroup]]) -> str:
    body = []
    for c, _ in sorted(entries, key=lambda e: e[0].name):
        hold_out = c.tests.get("board_held_out")
        if hold_out:
            body.append(
                [
                    c.title,
                    " and ".join(hold_out["anchors"]),
                    str(hold_out["n"]),
                    number(hold_out["mean_abs_percent"]),
                    number(c.tests["leave_network_out"]["mean_abs_percent"]),
                    number(hold_out["coverage90_percent"], 0),
                ]
            )
    head = ("calibration", "anchors", "rows tested", "mean abs. error", "fitted to all, network out", "covered")
    return table(head, body)


def _board_means(entries: Sequence[tuple[Calibration, CalibrationGroup]]) -> str:
    cells: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for c, _ in entries:
        if hold_out := c.tests.get("board_held_out"):
            cells.setdefault((c.prior, c.conditions.precision, c.conditions.board), []).append(hold_out)
    body = []
    for (population, precision, board), tests in sorted(cells.items()):
        errors = [t["mean_abs_percent"] for t in tests]
        limit = AIM[precision == "int8"]
        inside = [t["coverage90_percent"] for t in tests if t["coverage90_percent"] is not None]
        body.append(
            [
                f"{population}, {board}",
                str(len(tests)),
                number(sum(errors) / len(errors)),
                f"{sum(e <= limit for e in errors)} of {len(errors)} within {limit} %",
                number(sum(inside) / len(inside) if inside else None, 0),
            ]
        )
    return table(("held out", "calibrations", "mean abs. error", "within the aim", "covered, mean"), body)


def _coverage(entries: Sequence[tuple[Calibration, CalibrationGroup]]) -> str:
    large = [c for c, _ in entries if c.rows >= 30]
    body = []
    for words, key, figure in (
        ("network left out", "leave_network_out", "coverage90_percent"),
        ("family left out", "leave_family_out", "coverage90_percent"),
        ("family left out, of the interval's errors alone", "leave_family_out", "coverage90_by_others_percent"),
    ):
        values = [(v, c) for c in large if (v := c.tests[key].get(figure)) is not None]
        narrow, wide = ([f"{c.title}: {v:.0f} %" for v, c in values if out(v)] for out in (_narrow, _wide))
        body.append(
            [
                words,
                str(len(values)),
                f"{sum(v for v, _ in values) / len(values):.1f} %",
                str(len(values) - len(narrow) - len(wide)),
                "; ".join(narrow) or "none",
                "; ".join(wide) or "none",
            ]
        )
    return table(
        ("test", "calibrations with 30 rows or more", "covered, mean", "86 to 95 %", "too narrow", "too wide"), body
    )


def _narrow(percent: float) -> bool:
    return percent < 86


def _wide(percent: float) -> bool:
    return percent > 95


def _in_band(percent: float) -> bool:
    """As printed, with one decimal."""
    return not (_narrow(round(percent, 1)) or _wide(round(percent, 1)))


def _by_chance(entries: Sequence[tuple[Calibration, CalibrationGroup]]) -> str:
    """How many would lie in the band if every row were covered with a probability of 0.9, independently."""
    expected = 0.0
    for c, _ in entries:
        if c.rows >= 30:
            hits = [k for k in range(c.rows + 1) if _in_band(100 * k / c.rows)]
            expected += sum(math.exp(_log_binomial(c.rows, k)) for k in hits)
    return f"{expected:.0f}"


def _log_binomial(n: int, k: int) -> float:
    """Of k covered among n, each with a probability of 0.9."""
    ways = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return ways + k * math.log(0.9) + (n - k) * math.log(0.1)


def _with_known_spread(tested: Sequence[Evaluated]) -> str:
    """The same of intervals that know the family's and the row's variance."""
    expected = 0.0
    for t in tested:
        for g in t.groups:
            results = [r for r in t.by_family if r.conditions == g.conditions]
            if g.rows >= 30 and results:
                expected += in_band_with_known_spread(results, _in_band)
    return f"{expected:.0f}"


def _anchor_choice(hold_outs: Sequence[tuple[Calibration, HeldOut]]) -> str:
    """Calibrations that miss the aim: what other anchors would have given."""
    body = []
    for c, h in sorted(hold_outs, key=lambda e: e[0].name):
        error, aim = c.tests["board_held_out"]["mean_abs_percent"], _aim(c)
        if error <= aim:
            continue
        by_pair = error_by_anchors(h)
        everything = c.tests["leave_network_out"]["mean_abs_percent"]
        figures = (error, by_pair[0], by_pair[len(by_pair) // 2], everything)
        body.append([c.title, str(aim), *(number(figure) for figure in figures)])
    head = (
        "calibration",
        "aim",
        "these anchors",
        "best pair, in hindsight",
        "median pair",
        "fitted to all, network out",
    )
    return table(head, body)


def _contradicting(hold_outs: Sequence[tuple[Calibration, HeldOut]]) -> str:
    """Which of the held-out boards' anchors contradict each other."""
    apart = [(c.title, *anchors_apart(h)) for c, h in hold_outs]
    doubted = [f"{title} ({math.exp(abs(log)):.1f} times)" for title, log, z in apart if abs(z) >= DOUBTED_FROM]
    return f"{len(doubted)} of {len(apart)}: {', '.join(doubted)}"


def _aim_by_chance(hold_outs: Sequence[tuple[Calibration, HeldOut]]) -> str:
    """How many held-out calibrations the best linear estimate is expected to keep within the aim, and how many are."""
    words = []
    for name, aim in zip(("float", "int8"), AIM, strict=True):
        within = [(c, h) for c, h in hold_outs if _aim(c) == aim]
        expected = sum(chance_of_aim(h, aim) for _, h in within)
        within_aim = sum(c.tests["board_held_out"]["mean_abs_percent"] <= aim for c, _ in within)
        words.append(f"{expected:.0f} of {len(within)} in {name} ({within_aim} are)")
    return " and ".join(words)


def _aim(c: Calibration) -> int:
    return AIM[c.conditions.precision == "int8"]


def _baseline(entries: Sequence[tuple[Calibration, CalibrationGroup]]) -> str:
    body = []
    for c, g in sorted(entries, key=lambda e: e[0].name):
        if c.rows < 15:
            continue
        simple = [leave_out_error(g, by) for by in ("network", "family")]
        ours = [c.tests[k].get("mean_abs_percent") for k in ("leave_network_out", "leave_family_out")]
        body.append([c.title, number(simple[0]), number(ours[0]), number(simple[1]), number(ours[1])])
    return table(("calibration", "four terms, network out", "shipped", "four terms, family out", "shipped"), body)
