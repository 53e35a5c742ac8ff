"""Faults and sound variations of two runs, as a gate and a comparison see them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.verdicts.case import VerdictCase
from benchmarks.verdicts.runs import ASKED, accuracy, dated, gate, latency, moment, run, store_in
from eamdeploy.base.results import Latency, Provenance, Run, RunVerdict, to_dict
from eamdeploy.runs.gate import compare_references, run_gate
from eamdeploy.runs.store.places import content_of


def _emulated(kind: str, board: str = "Raspberry Pi 4") -> Provenance:
    return Provenance(kind, board, "onnxruntime", "1.32", moment(30_000))


def changes() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Faults between a baseline and a current run: what is planted into either."""
    for right in (180, 170, 160, 150, 130, 110, 75, 40, 20, 0):
        if right < 176:
            yield f"top-1 falls from 185 to {right} of 200", {}, {"accuracy": accuracy(right)}
    for right in (0, 10, 20, 25):
        yield f"both guess: {right} of 200", {"accuracy": accuracy(right)}, {"accuracy": accuracy(right)}
    for n in (2, 5, 8, 10, 12):
        yield f"{n} images, all right", {"accuracy": accuracy(n, n)}, {"accuracy": accuracy(n, n)}
    for n in (50, 100, 199, 400):
        yield f"{n} images instead of 200", {}, {"accuracy": accuracy(n * 185 // 200, n)}
    for digit in "23456789":
        yield f"other pictures or classes ({digit})", {}, {"accuracy": accuracy(images=digit * 64)}
    yield "pictures are not known on one side", {}, {"accuracy": accuracy(images=None)}
    yield "no accuracy now", {}, {"accuracy": None}
    yield "no accuracy in the baseline", {"accuracy": None}, {}
    yield "no accuracy at all", {"accuracy": None}, {"accuracy": None}
    good = accuracy()
    for top1 in (92.6, 95.0, 37.5, 100.0, 0.0):
        yield f"top-1 rewritten to {top1}", {}, {"accuracy": replace(good, top1=top1)}
    yield "results per image cut", {}, {"accuracy": replace(good, correct=(good.correct or "")[:-3])}
    yield "results per image of another run", {}, {"accuracy": replace(accuracy(75), top1=92.5)}
    for factor in (1.1, 1.2, 1.5, 2.0, 5.0):
        yield f"slower by {factor:g}, in turns", {"group": "g"}, {"group": "g", "latency_ms": latency(10 * factor, 7)}
        if factor >= 1.5:
            yield f"slower by {factor:g}, another day", {}, {"latency_ms": latency(10 * factor, 7)}
    whole = latency()
    yield "no latency now", {}, {"latency_ms": None}
    yield "no latency in the baseline", {"latency_ms": None}, {}
    yield "latency is an estimate", {}, {"latency_ms": Latency(10.0, interval90=(8.0, 12.0))}
    yield "both latencies are estimates", {"latency_ms": Latency(10.0)}, {"latency_ms": Latency(10.0)}
    for count in (0, 1, 5, 9):
        cut = replace(whole, samples=whole.samples[:count], block=whole.block[:count])
        yield f"{count} samples left", {}, {"latency_ms": replace(cut, p50=whole.samples[0])}
    yield "samples cut, blocks not", {}, {"latency_ms": replace(whole, samples=whole.samples[:100])}
    for p50 in (9.9, 9.0, 5.0, 10.5):
        yield f"median rewritten to {p50}", {}, {"latency_ms": replace(whole, p50=p50)}
    for sample in (-1.0, 0.0, float("nan"), float("inf")):
        yield f"a sample of {sample}", {}, {"latency_ms": replace(whole, samples=(sample, *whole.samples[1:]))}
    yield "throttled", {}, {"verdict": RunVerdict("invalid", ("throttled",))}
    yield "throttled baseline", {"verdict": RunVerdict("invalid", ("throttled",))}, {}
    for name, other in (("threads", 1), ("batch", 8), ("device", "pi5"), ("board", "kitchen")):
        yield f"other {name}", {}, {name: other}
    yield "other machine", {}, {"provenance": _emulated("measured", "Raspberry Pi 5")}
    yield "emulated now", {}, {"provenance": _emulated("emulated")}
    yield "estimated now", {}, {"provenance": _emulated("estimated")}
    for size in (1_051_000, 1_500_000, 4_000_000):
        yield f"{size} bytes instead of a million", {}, {"bytes": size}
    yield "no size", {}, {"bytes": 0}
    for when in ("2025-02-28T23:59:00+00:00", "2020-01-01T00:00:00+00:00", "2025-03-01T00:00:00+14:00"):
        yield f"stale: measured {when}", {}, {"when": when}
    yield "no date", {}, {"when": ""}


def sound_changes() -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """What a gate has to let pass."""
    for seed in range(30):
        yield f"measured again, in turns ({seed})", {"group": "g"}, {"group": "g", "latency_ms": latency(10.0, seed)}
        yield f"measured again, another day ({seed})", {}, {"latency_ms": latency(10.0, seed)}
    for factor in (0.5, 0.8, 0.95, 1.02, 1.04):
        yield f"{factor:g} of the time, in turns", {"group": "g"}, {"group": "g", "latency_ms": latency(10 * factor, 3)}
    for offset in range(1, 16):
        yield f"as good on other images ({offset})", {}, {"accuracy": accuracy(offset=offset)}
    for right in (184, 186, 190, 195, 200):
        yield f"{right} right instead of 185", {}, {"accuracy": accuracy(right)}
    for size in (500_000, 999_999, 1_049_000):
        yield f"{size} bytes", {}, {"bytes": size}
    for zone in ("+00:00", "+14:00", "-11:00"):
        yield f"another offset {zone}", {}, {"when": f"2025-12-24T12:00:00{zone}"}
    yield "the folder of the images is called otherwise", {}, {"accuracy": replace(accuracy(), data="moved")}
    yield "another commit", {}, {"git_commit": "dead"}


def _two(old: dict[str, Any], new: dict[str, Any]) -> tuple[Run, Run]:
    whens = old.pop("when", None), new.pop("when", None)
    runs = run(**old), run(**new)
    return tuple(each if when is None else dated(each, when) for each, when in zip(runs, whens, strict=True))  # type: ignore[return-value]


def cases(folder: Path) -> Iterator[VerdictCase]:
    """All of the gate and of the comparison."""
    for fault, source in ((True, changes()), (False, sound_changes())):
        for name, old, new in source:
            yield VerdictCase("gate", name, fault, partial(_gated, folder, old, new))
    yield from _identities(folder)
    yield from _orders(folder)
    yield from _compared(folder)


def _gated(folder: Path, old: dict[str, Any], new: dict[str, Any]) -> bool:
    return gate(folder, *_two(dict(old), dict(new))).exit_code == 0


def _identities(folder: Path) -> Iterator[VerdictCase]:
    def identity_check(*, same_id: bool) -> bool:
        one_run = run()
        return gate(folder, one_run, one_run if same_id else replace(one_run, id="copy")).exit_code == 0

    yield VerdictCase("gate", "a run against itself", True, lambda: identity_check(same_id=True))
    yield VerdictCase("gate", "a run against a copy with another id", True, lambda: identity_check(same_id=False))

    def bench(path: Path, content: str, **figures: Any) -> Run:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return run(artifact=str(path), artifact_sha256=content_of(path), **figures)

    def two_names(slower: str) -> bool:
        case_folder = folder / f"names-{slower}"
        old = bench(case_folder / "old/model.onnx", "one", latency_ms=latency(10 if slower == "new" else 20))
        new = bench(case_folder / "new/model.onnx", "two", latency_ms=latency(20 if slower == "new" else 10))
        store = store_in(case_folder, old, new)
        references = (old, new) if slower == "new" else (new, old)
        return run_gate(store, references[0].artifact, [references[1].artifact]).exit_code == 0

    yield VerdictCase("gate", "old/model.onnx against a slower new/model.onnx", True, lambda: two_names("new"))
    yield VerdictCase("gate", "the new file against the old one", True, lambda: two_names("old"))

    def changed(how: str) -> bool:
        case_folder = folder / f"changed-{how}"
        old, new = bench(case_folder / "net.onnx", "one"), bench(case_folder / "net.onnx", "two")
        store = store_in(case_folder, old, new)
        Path(new.artifact).write_text("three" if how != "sound" else "two")
        return run_gate(store, old.id, [new.artifact] if how == "named" else []).exit_code == 0

    yield VerdictCase("gate", "the file was changed since, found in the store", True, lambda: changed("found"))
    yield VerdictCase("gate", "the file was changed since, named by its path", True, lambda: changed("named"))
    yield VerdictCase("gate", "the file was rebuilt and measured", False, lambda: changed("sound"))

    def renamed(content: str) -> bool:
        case_folder = folder / f"renamed-{content}"
        a, b = bench(case_folder / "a.onnx", "one"), bench(case_folder / "b.onnx", "two")
        again = bench(case_folder / "elsewhere/c.onnx", content), bench(case_folder / "b.onnx", "two")
        store = store_in(case_folder, a, b, *again)
        base = case_folder / "base.json"
        base.write_text(json.dumps({"runs": [to_dict(a), to_dict(b)]}))
        return run_gate(store, str(base), [each.id for each in again]).exit_code == 0

    yield VerdictCase("gate", "a renamed file of another content", True, lambda: renamed("other"))
    yield VerdictCase("gate", "a renamed file of the same content", False, lambda: renamed("one"))

    def missing(name: str) -> bool:
        runs = [run(artifact=f"{name}.onnx") for name in "abc"]
        now = [run(artifact=f"{other}.onnx") for other in "abc" if other != name]
        base = folder / f"missing-{name}.json"
        base.write_text(json.dumps({"runs": [to_dict(each) for each in runs]}))
        return run_gate(store_in(folder, *now), str(base), [each.id for each in now]).exit_code == 0

    for name in "abc":
        yield VerdictCase("gate", f"{name} was not measured again", True, partial(missing, name))

    def exchanged(names: str) -> bool:
        speeds = {"a": 10.0, "b": 20.0, "c": 40.0}
        runs = [run(artifact=f"{name}.onnx", latency_ms=latency(speeds[name])) for name in "abc"]
        now = [
            run(artifact=f"{name}.onnx", latency_ms=latency(speeds[other]))
            for name, other in zip("abc", names, strict=True)
        ]
        base = folder / f"exchanged-{names}.json"
        base.write_text(json.dumps({"runs": [to_dict(each) for each in runs]}))
        return run_gate(store_in(folder, *now), str(base), [each.id for each in now]).exit_code == 0

    for names in map("".join, itertools.permutations("abc")):
        yield VerdictCase("gate", f"files exchanged: abc are {names}", names != "abc", partial(exchanged, names))


def _orders(folder: Path) -> Iterator[VerdictCase]:
    """Any order of runs, in the baseline and among the current ones."""

    def ordered(order: tuple[int, ...], slower: int | None) -> bool:
        names = [f"{name}/model.onnx" for name in "abcd"]
        old = [run(artifact=name, latency_ms=latency(10.0)) for name in names]
        new = [
            run(artifact=name, latency_ms=latency(30.0 if index == slower else 10.0))
            for index, name in enumerate(names)
        ]
        base = folder / f"order-{''.join(map(str, order))}-{slower}.json"
        base.write_text(json.dumps({"runs": [to_dict(old[index]) for index in order]}))
        store = store_in(folder, *(new[index] for index in reversed(order)))
        return run_gate(store, str(base), [new[index].id for index in order], thresholds=ASKED).exit_code == 0

    for order in itertools.permutations(range(4)):
        yield VerdictCase("gate", f"order {order}", False, partial(ordered, order, None))
        yield VerdictCase("gate", f"order {order}, the third slower", True, partial(ordered, order, 2))


def _compared(folder: Path) -> Iterator[VerdictCase]:
    """A comparison passes when it judged everything and found nothing worse."""

    def good(old: dict[str, Any], new: dict[str, Any]) -> bool:
        a, b = _two(dict(old), dict(new))
        comparison = compare_references(store_in(folder, a, b), a.id, b.id)
        worse = any(change.direction == "worse" for change in comparison.changes)
        return not comparison.unjudged() and not worse and not comparison.absent

    def itself() -> bool:
        single_run = run()
        return not compare_references(store_in(folder, single_run), single_run.id, single_run.id).unjudged()

    yield VerdictCase("compare", "a run with itself", True, itself)
    # whether the current run is the older one is the gate's question; the others are the comparison's too
    skipped = ("stale", "no date", "other threads", "other batch", "other device", "other board", "other machine")
    # accuracies over other numbers of images are compared unpaired there, by a wider interval, which the output says
    few = (
        "images, all right",
        "images instead",
        "not known on one side",
        "both guess",
        "no accuracy at all",
        "no size",
    )
    for name, old, new in changes():
        if not name.startswith(skipped) and not any(part in name for part in few):
            yield VerdictCase("compare", name, True, partial(good, old, new))
    for name, old, new in sound_changes():
        if "again" in name or "offset" in name or "folder" in name:
            yield VerdictCase("compare", name, False, partial(good, old, new))
