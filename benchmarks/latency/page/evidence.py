"""Tables of what an estimate rests on beside a calibration's own tests: transfers, instructions, small networks, own files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.latency.fit_all import Evaluated
from benchmarks.latency.gather.instruction_table import TestedTable
from benchmarks.latency.page.markdown import number, table
from benchmarks.latency.trials.own_files import estimate_own_files, summary
from benchmarks.latency.trials.ratios import evaluate_ratios
from benchmarks.latency.trials.transfer import newest
from benchmarks.latency.trials.validation import beyond_factor, coverage
from devices.latency.estimate.choose import OLD_SYSTEM
from devices.latency.model.calibration import Calibration
from devices.latency.model.groups import CalibrationGroup
from devices.latency.model.hardware import boards
from devices.latency.model.instructions import static_counted

FEW = 5  # networks worth a line


def transfers_table(transfers: dict[str, Any]) -> str:
    body = []
    for kind, likenesses in transfers["board"].items():
        for alike, factor in likenesses.items():
            body.append(
                [f"board by data sheet, {kind}, {alike}", str(factor["pairs"]), number(factor["half_width"], 2)]
            )
    for kind, factors in transfers["runtime"].items():
        for name, factor in factors.items():
            times = f"{math.exp(factor['shift']):.2f}"
            words = f"from {name} to another runtime, {kind}: {times} times as long"
            body.append([words, str(factor["pairs"]), number(factor["half_width"], 2)])
    for kind, factor in transfers["rates"].items():
        words = f"instructions of one runtime at another's rate on the same board, {kind}, threads stated"
        body.append([words, str(factor["pairs"]), number(factor["half_width"], 2)])
        if alone := factor.get("one_thread"):
            body.append([f"{words}, one thread", str(alone["pairs"]), number(alone["half_width"], 2)])
    law = transfers["speedup"]
    words = " and ".join(f"{100 * share:.0f} % ({kind})" for kind, share in law["parallel"].items())
    body.append([f"threads, {words} of the work divided", str(law["calibrations"]), number(law["half_width"], 2)])
    return table(("carried over", "pairs", "90 % half width of the log"), body)


def pairs_table(transfers: dict[str, Any]) -> str:
    """Between the boards that have a profile."""
    named = {b.name for b in boards().values() if b.profile}
    body = []
    for kind, pairs in transfers["pairs"].items():
        for words, pair in pairs.items():
            first, second = words.split(" -> ")
            if {first, second} <= named and first < second:
                factor = math.exp(pair["shift"])
                body.append([f"{words}, {kind}", str(pair["networks"]), f"{factor:.2f}", number(pair["half_width"], 2)])
    return table(("measured on both", "networks", "times as long", "90 % half width of the log"), body)


def instructions_table(counted: Sequence[TestedTable]) -> str:
    body = []
    for c in counted:
        title = f"{c.table.runtime} {c.table.version}, {c.table.precision}, {c.table.instruction_set}"
        cells = [title, str(c.table.networks)]
        for errors in (c.static_errors, c.dynamic_errors):
            relative = [100 * abs(math.expm1(e)) for e in errors]
            cells.append(number(sum(relative) / len(relative) if relative else None))
        body.append([*cells, f"{math.exp(c.table.dynamic_error):.2f}"])
    head = (
        "table",
        "artifacts counted",
        "static design out, mean",
        "dynamic network out, mean",
        "90 % within a factor of",
    )
    return table(head, body)


def rates_table(entries: Sequence[tuple[Calibration, CalibrationGroup]]) -> str:
    """Instruction rates beside the costs of operators, on the boards that have a profile."""
    body = []
    for c, _ in sorted(entries, key=lambda e: e[0].name):
        tests = c.tests.get("by_instructions")
        board = boards().get(c.conditions.board)
        if not tests or c.rows < 15 or board is None or not board.profile:
            continue
        family, size = tests["family_left_out"], tests["smallest_and_largest_left_out"]
        body.append(
            [
                c.title,
                str(c.rows),
                number(family.get("mean_abs_percent")),
                number(family.get("bias_percent")),
                number(size.get("mean_abs_percent")),
                f"{math.exp(tests['half_width']):.2f}",
                number(c.tests["leave_family_out"].get("mean_abs_percent")),
            ]
        )
    head = (
        "calibration", "rows", "by instructions, family out: mean", "bias", "smallest and largest out: mean", "interval, factor",
        "by operators, family out: mean",
    )  # fmt: skip
    return table(head, body)


def one_thread_table(entries: Sequence[tuple[Calibration, CalibrationGroup]]) -> str:
    """Instruction rates from what was measured with one thread."""
    body, judged = [], []
    for c, _ in sorted(entries, key=lambda e: e[0].name):
        tests = c.tests.get("by_instructions", {}).get("one_thread")
        if not tests or not tests["n"]:
            continue
        covered = tests["coverage90_without_board_percent"]
        rate = c.rate.one_thread if c.rate is not None else None
        factor = "" if rate is None else f"{math.exp(rate.half_width):.2f}"
        cells = [number(tests["mean_abs_percent"]), number(tests["bias_percent"]), factor, number(covered, 0)]
        body.append([c.title, str(tests["n"]), *cells])
        if covered is not None:
            judged.append((OLD_SYSTEM in c.conditions.version, tests["n"], covered))
    answering = [entry for entry in judged if not entry[0]]
    for words, entries_here in (("all together", judged), ("without 32-bit systems, which answer nothing", answering)):
        count = sum(n for _, n, _ in entries_here)
        inside = sum(n * covered for _, n, covered in entries_here)
        body.append([words, str(count), "", "", "", number(inside / count if count else None, 1)])
    head = ("calibration, rows with one thread", "left out", "mean", "bias", "interval, factor", "covered, board out")
    return table(head, body)


def far_smaller_table(entries: Sequence[tuple[Calibration, CalibrationGroup]]) -> str:
    """Rows of other publishers, of networks ten times smaller than any behind a rate with one thread, beside that rate."""
    body = []
    for c, g in sorted(entries, key=lambda e: e[0].name):
        rate = c.rate.at(1) if c.rate is not None and c.rate.one_thread is not None else None
        table_of_rate = rate.table if rate is not None else None
        if rate is None or table_of_rate is None or c.conditions.runtime != "TFLite-XNNPACK" or OLD_SYSTEM in c.title:
            continue
        smallest = table_of_rate.millions(static_counted(g.totals)).min()
        for k, other in sorted(entries, key=lambda e: e[0].name):
            at = k.conditions
            if (at.board, at.precision, at.runtime) != (
                c.conditions.board,
                c.conditions.precision,
                "TFLite",
            ) or at.threads:
                continue
            millions = table_of_rate.millions(static_counted(other.totals))
            named = np.array([f not in ("nb201", "fbnet") for f in other.families])
            far = (millions < smallest / 10) & named
            if at.version and far.sum() >= FEW:
                times = np.exp(other.log_ms - np.log(millions) - rate.log_ms)[far]
                cells = [f"{v:.2f}" for v in (times.min(), np.median(times), times.max())]
                body.append([k.title, c.title, str(int(far.sum())), number(float(millions[far].max()), 0), *cells])
    head = (
        "rows",
        "rate of",
        "networks",
        "millions of instructions, at most",
        "measured / foreseen: least",
        "median",
        "most",
    )
    return table(head, body)


def ratios_table(tested: Sequence[Evaluated]) -> str:
    """Pairs of left-out networks, by population."""
    body = []
    for t in tested:
        tests = [
            ratio
            for g in t.groups
            if (ratio := evaluate_ratios([r for r in t.by_network if r.conditions == g.conditions], t.by_network, g))
        ]
        if tests:
            shares = [float(np.mean([getattr(r, name) for r in tests])) for name in ("covered", "bounded")]
            cells = [str(len(tests)), f"{sum(r.pairs for r in tests):,}", *(number(100 * s) for s in shares)]
            body.append([t.population.name, *cells])
    head = ("population", "calibrations", "pairs", "covered, mean", "bounded by the two latencies")
    return table(head, body)


def small_networks_table(tested: Sequence[Evaluated]) -> str:
    """Networks and blocks of architecture searches, left out."""
    body = []
    for t in tested:
        for name, words in (("nb201", "NAS-Bench-201 networks"), ("fbnet", "FBNet blocks")):
            rows_here = [r for r in t.by_network if r.family == name]
            if rows_here:
                errors = np.array([100 * r.error for r in rows_here])
                inside = 100 * coverage(rows_here, "network", beyond_factor(t.by_network))
                cells = [np.abs(errors).mean(), np.median(np.abs(errors)), errors.mean()]
                body.append([words, str(len(rows_here)), *(number(float(v)) for v in cells), number(inside)])
    return table(("left out", "rows", "mean abs. error", "median", "bias", "covered"), body)


def own_files_table(tested: Sequence[Evaluated]) -> str:
    body = []
    for t in tested:
        if t.population.name not in ("tflite-fp32", "tflite-int8"):
            continue
        newest_pi4 = [g for g in newest(t.groups) if g.conditions.board == "Raspberry Pi 4B" and g.conditions.version]
        for g in newest_pi4:
            results = estimate_own_files(t, g, t.population.format)
            if results:
                s = summary(results)
                title = f"{g.conditions.runtime} {g.conditions.version}, {g.conditions.precision}"
                body.append(
                    [
                        title,
                        str(s["n"]),
                        *(number(s[k]) for k in ("mean_abs_percent", "bias_percent", "coverage90_percent")),
                    ]
                )
    return table(("Raspberry Pi 4B", "rows", "mean abs. error", "bias", "covered"), body)
