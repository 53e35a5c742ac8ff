"""Training as a user runs it: it learns, resumes to the same bits after a kill, and refuses what cannot work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from eamdeploy.base.errors import DataError, UsageError
from eamdeploy.networks.checkpoint import load_checkpoint
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.training.loop.state import TrainingState
from eamdeploy.training.recipes import RECIPES, get_recipe
from eamdeploy.training.session import run_training
from tests.eamdeploy.training.runs import request

FLAGS = ["--width", "0.25", "--input", "16", "--epochs", "3", "--batch", "32"]
FLAGS += ["--lr", "0.05", "--threads", "1"]


def command(tree: Path, out: Path, *extra: str) -> list[str]:
    return [sys.executable, "-m", "eamdeploy", "train", *FLAGS, "--data", str(tree), "--out", str(out), *extra]


@pytest.mark.slow
def test_it_learns_and_leaves_a_usable_checkpoint(tree: Path, tmp_path: Path) -> None:
    result = run_training(request(tree, tmp_path / "run", epochs=14, batch=16))
    assert result.top1 > 70, result.history
    loaded = load_checkpoint(result.checkpoint)
    assert loaded.classes == ("across", "down", "slant")
    assert loaded.preprocessing["size"] == loaded.spec.input_px == 16
    assert loaded.meta["top1"] == pytest.approx(result.top1, abs=0.01)
    assert (tmp_path / "run" / "metrics.csv").read_text().count("\n") == 15
    assert "<svg" in (tmp_path / "run" / "curves.svg").read_text()


@pytest.mark.slow
def test_a_run_killed_in_mid_epoch_ends_with_the_same_weights(tree: Path, tmp_path: Path) -> None:
    whole = run_training(request(tree, tmp_path / "whole", epochs=6))
    process = subprocess.Popen(
        command(tree, tmp_path / "killed", "--epochs", "6"), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 120
    state = tmp_path / "killed" / "last.safetensors"
    while not state.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    interrupted = TrainingState.load(state).epoch
    assert 1 <= interrupted < 6, "the kill came too late to interrupt anything"
    resumed = run_training(request(tree, tmp_path / "killed", epochs=6))
    assert resumed.history == whole.history
    ours, theirs = load_file(resumed.checkpoint), load_file(whole.checkpoint)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_another_setting_does_not_continue_a_run(tree: Path, tmp_path: Path) -> None:
    run_training(request(tree, tmp_path, epochs=1))
    with pytest.raises(UsageError, match="other settings"):
        run_training(request(tree, tmp_path, epochs=1, lr=0.01))


@pytest.mark.slow
def test_averaged_weights_and_annealing(tree: Path, tmp_path: Path) -> None:
    result = run_training(request(tree, tmp_path, ema=0.5, anneal_to=1.0, anneal_epochs=2))
    loaded = load_checkpoint(result.checkpoint)
    assert loaded.spec.temperature == 1.0
    assert {layer.attention.temperature for layer in loaded.network.dynamic_layers().values()} == {1.0}
    state = TrainingState.load(tmp_path / "last.safetensors")
    name = "classifier.weight"
    assert torch.equal(load_file(result.checkpoint)[name], state.average[name])
    assert not torch.equal(state.average[name], state.weights[name])


def test_divergence_stops_and_keeps_the_last_good_checkpoint(tree: Path, tmp_path: Path) -> None:
    good = run_training(request(tree, tmp_path, epochs=1))
    checkpoint_before = good.checkpoint.read_bytes()
    with pytest.raises(UsageError, match=r"the loss is not a number.*smaller `lr`"):
        run_training(request(tree, tmp_path / "b", lr=1e30, epochs=2))
    assert good.checkpoint.read_bytes() == checkpoint_before
    assert not list((tmp_path / "b").glob("*.safetensors"))


def test_an_image_that_is_no_image_is_skipped_and_counted(tree: Path, tmp_path: Path) -> None:
    import shutil

    root = tmp_path / "tree"
    shutil.copytree(tree, root)
    (root / "train" / "down" / "000.png").write_text("no image")
    result = run_training(request(root, tmp_path / "run", epochs=1))
    assert result.skipped == ["down/000.png"]


def test_a_checkpoint_of_other_classes_is_refused(tree: Path, tmp_path: Path) -> None:
    from eamdeploy.networks.random_init import write_random

    other = write_random(ArchSpec(width=0.25, classes=5, input_px=16), tmp_path / "five")
    with pytest.raises(DataError, match=r"the data has 3 .* and the network 5"):
        run_training(request(tree, tmp_path / "run", start=str(other)))


def test_recipes_are_the_papers() -> None:
    cifar = get_recipe("paper-cifar")
    assert [round(cifar.lr_at(epoch), 6) for epoch in (0, 99.9, 100, 150, 180)] == [0.1, 0.1, 0.01, 0.001, 0.0001]
    assert (cifar.epochs, cifar.weight_decay, cifar.momentum) == (200, 1e-4, 0.9)
    imagenet = get_recipe("paper-imagenet100-v1")
    assert [round(imagenet.lr_at(epoch), 6) for epoch in (0, 30, 60, 90)] == [0.1, 0.02, 0.004, 0.0008]
    cosine = get_recipe("paper-imagenet100-v2v3")
    assert cosine.lr_at(150) == pytest.approx(0.025)
    assert cosine.lr_at(300) == pytest.approx(0)
    with pytest.raises(UsageError, match="did you mean 'paper-cifar'"):
        get_recipe("paper-cifr")
    assert all(recipe.epochs > 0 for recipe in RECIPES.values())


@pytest.mark.slow
def test_the_command_prints_one_document(tree: Path, tmp_path: Path) -> None:
    done = subprocess.run(command(tree, tmp_path / "run", "--epochs", "1", "--json"), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["epochs"] == 1
    assert Path(document["checkpoint"]).is_file()
    assert len(document["history"]) == 1


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--data", "/nowhere"], "no such data folder"),
        (["--recipe", "paper-cifr"], "did you mean"),
        (["--conv", "eamm"], "did you mean 'eam'"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(tree: Path, tmp_path: Path, flags: list[str], sentence: str) -> None:
    done = subprocess.run(command(tree, tmp_path / "run", *flags), capture_output=True, text=True)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "run").exists()


def torchrun(tree: Path, out: Path, processes: int, *extra: str) -> subprocess.CompletedProcess[str]:
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}", "-m", "eamdeploy"]
    words = command(tree, out, *extra)[3:]
    return subprocess.run(
        [sys.executable, *launcher, *words], capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )


@pytest.mark.slow
def test_two_processes_reach_the_accuracy_of_one(tree: Path, tmp_path: Path) -> None:
    pytest.importorskip("lightning_fabric", reason="training over several processes needs the scale extra")
    first_result = run_training(request(tree, tmp_path / "one", epochs=14, batch=16))
    done = torchrun(tree, tmp_path / "two", 2, "--epochs", "14", "--batch", "16", "--json")
    assert done.returncode == 0, done.stderr
    two = json.loads(done.stdout)
    assert two["epochs"] == 14
    # 36 test images: one of them is 2.8 points
    assert abs(two["top1"] - first_result.top1) <= 2.8


@pytest.mark.slow
def test_steps_of_the_learning_rate_come_at_the_same_share_of_fewer_epochs(tree: Path, tmp_path: Path) -> None:
    short = get_recipe("paper-cifar").scaled_to(12)
    assert (short.epochs, short.milestones) == (12, (6, 9, 11))
    assert get_recipe("paper-cifar").scaled_to(200) == get_recipe("paper-cifar")
    result = run_training(request(tree, tmp_path, recipe="paper-cifar", epochs=4))
    assert [round(row["lr"], 6) for row in result.history] == [0.05, 0.05, 0.005, 0.0005]
