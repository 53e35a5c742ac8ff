"""The comparison at scale: its plan, its statistics, and a whole run that stops and goes on."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")
from benchmarks.accuracy.scale import __main__ as command
from benchmarks.accuracy.scale.paired import paired
from benchmarks.accuracy.scale.plan import SCOPES, Job, Kind, Scope, epochs_that_fit, jobs_of
from benchmarks.accuracy.scale.rows import Row
from eamdeploy.base.results import pack_correct
from eamdeploy.training.recipes import get_recipe


def row(variant: str, seed: int, right: list[bool]) -> Row:
    top1 = 100 * sum(right) / len(right)
    return Row(
        variant,
        0.25,
        seed=seed,
        epochs=12,
        copy="CIFAR-10",
        parameters=1,
        top1=top1,
        images=len(right),
        correct=pack_correct(right),
        movement={},
        device="cpu",
        how="32-true",
    )


def answers(count: int, right: int) -> list[bool]:
    return [index < right for index in range(count)]


def test_epochs_fill_the_time_within_their_bounds() -> None:
    scope = SCOPES["cuda"]
    seconds = dict.fromkeys({kind for kind, _ in scope.jobs}, 6.0)
    fit = epochs_that_fit(scope, 1200, seconds, 12)
    one_epoch = scope.needed * 6.0 / 12
    assert fit * one_epoch <= 0.9 * 1200 < (fit + 1) * one_epoch
    # with a process for each, the slowest network is what takes the time
    slow = seconds | {Kind("dynet", 0.5): 12.0}
    assert epochs_that_fit(scope, 1200, slow, 100) == 90
    assert epochs_that_fit(scope, 1, seconds, 1) == scope.shortest == 60
    assert epochs_that_fit(scope, 1e9, seconds, 1) == scope.longest == get_recipe("paper-cifar").epochs


def test_the_plan_asks_for_what_the_comparison_needs_first() -> None:
    gpu = SCOPES["cuda"]
    needed = gpu.jobs[: gpu.needed]
    for width in (0.25, 0.5):
        for variant in ("static", "eam rcr"):
            assert {seed for kind, seed in needed if kind == Kind(variant, width)} == {0, 1, 2}
        for variant in ("dynet", "eam cgr-max", "eam rcr, tau 30 to 1"):
            assert Kind(variant, width) in {kind for kind, _ in needed}
    assert len(set(gpu.jobs)) == len(gpu.jobs)
    cpu = jobs_of(SCOPES["cpu"], 12)
    assert [(job.kind.variant, job.seed) for job in cpu[:4]] == [
        ("static", 0), ("eam rcr", 0), ("static", 1), ("eam rcr", 1),
    ]  # fmt: skip
    assert len({job.folder for job in jobs_of(gpu, 60)}) == len(gpu.jobs)
    assert jobs_of(gpu, 60, seeds=1) == [job for job in jobs_of(gpu, 60) if job.seed == 0]


def test_a_difference_is_paired_by_seed_and_by_image() -> None:
    static = [row("static", seed, answers(1000, right)) for seed, right in ((0, 700), (1, 710), (2, 690))]
    eam = [row("eam rcr", seed, answers(1000, right)) for seed, right in ((2, 700), (0, 712), (1, 724), (7, 999))]
    comparison = paired(static, eam)
    assert comparison is not None
    assert sorted(comparison.by_seed) == pytest.approx([1.0, 1.2, 1.4])
    assert comparison.mean == pytest.approx(1.2)
    assert comparison.seeds95 is not None
    # Student's t with two degrees of freedom: 4.303 * 0.2 / sqrt(3)
    assert comparison.seeds95 == pytest.approx((1.2 - 4.303 * 0.2 / math.sqrt(3), 1.2 + 4.303 * 0.2 / math.sqrt(3)))
    assert comparison.differs
    assert comparison.images95[0] < 1.2 < comparison.images95[1]


def test_one_seed_is_not_judged_and_none_in_common_is_no_difference() -> None:
    alone = paired([row("static", 0, answers(100, 50))], [row("eam rcr", 0, answers(100, 80))])
    assert alone is not None
    assert alone.seeds95 is None
    assert not alone.differs
    assert paired([row("static", 0, answers(10, 5))], [row("eam rcr", 1, answers(10, 5))]) is None


def test_more_seeds_than_the_table_of_students_t_are_judged() -> None:
    pairs = [
        (row("static", seed, answers(1000, 500)), row("eam rcr", seed, answers(1000, 510 + seed))) for seed in range(15)
    ]
    comparison = paired([a for a, _ in pairs], [b for _, b in pairs])
    assert comparison is not None
    assert comparison.differs


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for split, count in (("train", 14), ("test", 2)):
        for label in range(10):
            folder = tmp_path / "tree" / split / f"class{label}"
            folder.mkdir(parents=True)
            for index in range(count):
                pixels = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.jpg")
    return tmp_path / "tree"


@pytest.mark.slow
def test_a_stopped_comparison_goes_on_and_ends_with_the_same_table(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(out: Path, minutes: str, *more: str) -> str:
        words = [
            "--root",
            str(pictures),
            "--out",
            str(out),
            "--epochs",
            "2",
            "--seeds",
            "1",
            "--minutes",
            minutes,
            *more,
        ]
        monkeypatch.setattr(sys, "argv", ["scale", *words])
        command.main()
        return capsys.readouterr().out

    assert "0 of 5 jobs done" in run(tmp_path / "a", "0")
    side_by_side = run(tmp_path / "a", "9", "--replicas", "2")
    assert "5 of 5 jobs done" in side_by_side
    alone = run(tmp_path / "b", "9")
    table = (tmp_path / "a" / "results.md").read_text()
    assert table == (tmp_path / "b" / "results.md").read_text()
    assert "re-encoded as JPEG" in table
    assert table in alone
    again = run(tmp_path / "a", "0")  # what is done is read, not trained anew
    assert table in again


@pytest.mark.slow
def test_epochs_that_are_not_given_are_timed_and_kept(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = ((Kind("static", 0.25), 0), (Kind("eam rcr", 0.25), 0))
    monkeypatch.setitem(SCOPES, "cpu", Scope(5, 7, 2, jobs))
    words = ["--root", str(pictures), "--out", str(tmp_path / "out"), "--minutes", "60"]
    monkeypatch.setattr(sys, "argv", ["scale", *words])
    command.main()
    assert "2 jobs of 7 epochs" in capsys.readouterr().out
    (tmp_path / "out" / "epochs.json").write_text("6")
    command.main()
    assert "2 jobs of 6 epochs" in capsys.readouterr().out


def test_a_job_names_its_files_and_its_network() -> None:
    job = Job(Kind("eam rcr, tau 30 to 1", 0.5), 2, 60)
    assert job.folder == "v1x0.5-eam-rcr-tau-30-to-1-seed2-epochs60"
    assert (job.spec.width, job.spec.seed, job.spec.conv, job.kind.setting.anneal_to) == (0.5, 2, "eam", 1.0)
