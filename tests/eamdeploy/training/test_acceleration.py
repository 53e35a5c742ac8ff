"""Acceleration changes how a device is used, not what is learnt."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from eamdeploy.base.errors import UsageError
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.networks.architectures.build import build
from eamdeploy.networks.architectures.network import Network
from eamdeploy.networks.spec import ArchSpec
from eamdeploy.training.batches.batches import Batches
from eamdeploy.training.device.acceleration import make_acceleration
from eamdeploy.training.device.parallel import Parallel, make_parallel
from eamdeploy.training.loop.epoch import EpochTrainer
from eamdeploy.training.loop.options import TrainingOptions
from eamdeploy.training.loop.run import make_optimizer
from eamdeploy.training.loop.scores import RunningScores
from eamdeploy.training.loop.state import TrainingState
from eamdeploy.training.recipes import get_recipe
from eamdeploy.training.session import run_training
from tests.eamdeploy.training.runs import request

BASE = ArchSpec(width=0.25, classes=10, input_px=16, temperature=1.0)
SPECS = {"static": replace(BASE, conv="static"), "eam": BASE, "cgr-max": replace(BASE, select="cgr-max")}
SPECS |= {"dynet": replace(BASE, conv="dynet"), "v3": replace(BASE, arch="mobilenet_v3_small")}
PREPROCESSING = Preprocessing(16, None, (0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
RECIPE = replace(get_recipe("cpu-small"), batch=8, epochs=10)
CPU = torch.device("cpu")


class NoiseImages:
    """Sixteen pictures in ten classes."""

    name, classes = "noise", tuple("0123456789")

    def __len__(self) -> int:
        return 16

    def image(self, index: int) -> Image.Image:
        return Image.fromarray(np.random.default_rng(index).integers(0, 256, (16, 16, 3), dtype=np.uint8))

    def label(self, index: int) -> int:
        return index % 10

    def key(self, index: int) -> str:
        return str(index)


def trainer(
    network: Network, acceleration: str = "off", parallel: Parallel | None = None, **options: object
) -> EpochTrainer:
    parallel = parallel or Parallel()
    acceleration_used = make_acceleration(acceleration, network, parallel.device)
    training_options = TrainingOptions(acceleration=acceleration, **options)
    state = TrainingState(settings={"spec": network.spec.to_dict()})
    wrapped = acceleration_used.prepare(network.train())
    optimizer = make_optimizer(network, RECIPE, fused=acceleration_used.fused)
    return EpochTrainer(
        network,
        wrapped,
        optimizer=optimizer,
        recipe=RECIPE,
        options=training_options,
        parallel=parallel,
        acceleration=acceleration_used,
        state=state,
    )


def shortened(spec: ArchSpec) -> Network:
    """Stem, first two blocks and classifier: every kind of layer, quickly traced."""
    network = build(spec)
    network.blocks, network.head = nn.Sequential(*list(network.blocks)[:2]), nn.Sequential()
    channels = network.blocks(network.stem(torch.zeros(1, 3, 16, 16))).shape[1]
    network.classifier = nn.Linear(channels, spec.classes)
    return network


def gradients(network: Network, acceleration: str, images: Tensor, labels: Tensor) -> list[Tensor]:
    trainer_used = trainer(network, acceleration)
    network.eval()  # batch norm in training mode divides by the deviation of eight random images
    trainer_used.parallel.backward(trainer_used.forward(images, labels, RunningScores(CPU)))
    return [parameter.grad for parameter in network.parameters() if parameter.grad is not None]


def host_batches() -> Iterator[tuple[Tensor, Tensor]]:
    """The first epoch in plain words: slices on the host, the preprocessing's own arithmetic in numpy."""
    data = NoiseImages()
    order = torch.randperm(16, generator=torch.Generator().manual_seed(0))
    for step in range(2):
        indices = order[step * 8 : step * 8 + 8].tolist()
        generator = torch.Generator().manual_seed(int(np.random.default_rng((0, 0, step, 0)).integers(2**62)))
        offsets = torch.randint(81, (8,), generator=generator).tolist()
        flips = (torch.rand(8, generator=generator) < 0.5).tolist()
        pictures = []
        for index, offset, flip in zip(indices, offsets, flips, strict=True):
            padded = np.pad(np.asarray(data.image(index)), ((4, 4), (4, 4), (0, 0)))
            top, left = divmod(offset, 9)
            cut = padded[top : top + 16, left : left + 16]
            pictures.append(cut[:, ::-1] if flip else cut)
        normal = PREPROCESSING.normalize(np.stack(pictures)).transpose(0, 3, 1, 2)
        yield torch.from_numpy(np.ascontiguousarray(normal)), torch.tensor([data.label(index) for index in indices])


def test_batches_are_the_hosts_bit_for_bit() -> None:
    ours = Batches(NoiseImages(), PREPROCESSING, "pad-crop-flip").epoch(0, 8)
    for (images, labels), (expected, their_labels) in zip(ours, host_batches(), strict=True):
        assert torch.equal(images, expected)
        assert torch.equal(labels, their_labels)


def test_an_epoch_is_plain_sgd_bit_for_bit() -> None:
    """The whole trainer against the few lines that it stands for."""
    ours, plain = build(SPECS["eam"]), build(SPECS["eam"]).train()
    trainer(ours).run(0, Batches(NoiseImages(), PREPROCESSING, "pad-crop-flip"))
    optimizer = make_optimizer(plain, RECIPE)
    for step, (images, labels) in enumerate(host_batches()):
        for group in optimizer.param_groups:
            group["lr"] = RECIPE.lr_at(step / 2)
        optimizer.zero_grad()
        F.cross_entropy(plain(images), labels).backward()
        optimizer.step()
    theirs = plain.state_dict()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.state_dict().items())


@pytest.mark.parametrize("name", ["static", "eam", "v3"])
def test_layout_and_fused_optimizer_change_rounding_alone(name: str) -> None:
    images, labels = next(host_batches())
    images = images.double()
    networks = [build(SPECS[name]).double() for _ in range(2)]
    plain, fast = (
        gradients(network, how, images, labels) for network, how in zip(networks, ("off", "on"), strict=True)
    )
    for a, b in zip(plain, fast, strict=True):
        assert torch.allclose(a, b, rtol=1e-9, atol=1e-12)
    for network, gradient in zip(networks, (plain, plain), strict=True):
        for parameter, value in zip([p for p in network.parameters() if p.grad is not None], gradient, strict=True):
            parameter.grad = value.clone(memory_format=torch.preserve_format)
    for fused, network in enumerate(networks):
        make_optimizer(network, RECIPE, fused=bool(fused)).step()
    for a, b in zip(networks[0].parameters(), networks[1].parameters(), strict=True):
        assert torch.allclose(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.slow
def test_compiled_gradients_are_the_same_and_annealing_does_not_compile_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    from torch._dynamo.testing import CompileCounterWithBackend

    torch._dynamo.reset()  # what tests before this one traced in this process counts against its limits
    counter = CompileCounterWithBackend("eager")
    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=counter))
    images, labels = next(host_batches())
    network = shortened(replace(SPECS["eam"], temperature=30.0))
    plain = copy.deepcopy(network)
    trainer_used = trainer(network, "compile", anneal_to=1.0)
    network.eval()
    for temperature in (30.0, 21.0, 13.0, 5.0, 1.0):
        for network_here in (network, plain):
            network_here.set_temperature(temperature)
            network_here.zero_grad()
        trainer_used.parallel.backward(trainer_used.forward(images, labels, RunningScores(CPU)))
        F.cross_entropy(plain(images), labels).backward()
        for a, b in zip(network.parameters(), plain.parameters(), strict=True):
            assert torch.allclose(a.grad, b.grad, rtol=1e-4, atol=1e-6)
    assert counter.frame_count <= 3, "each temperature compiled the network anew"


@pytest.mark.parametrize("name", list(SPECS))
def test_a_step_stays_on_its_device_and_reads_nothing_back(name: str) -> None:
    """Under fake tensors an operator over two devices is an error, and so is a value that the host asks for."""
    device = torch.device("meta")
    network = shortened(SPECS[name])
    with FakeTensorMode(allow_non_fake_inputs=True):
        batches = Batches(NoiseImages(), PREPROCESSING, "pad-crop-flip", device=device)
        trainer_used = trainer(network.to(device), "auto", Parallel(device=device))
        assert trainer_used.acceleration.fused
        assert trainer_used.acceleration.channels_last == (name == "static")
        trainer_used.optimizer = make_optimizer(network, RECIPE)  # fused needs a real device
        running = RunningScores(device)
        for images, labels in batches.epoch(0, 8):
            loss = trainer_used.forward(images, labels, running)
            trainer_used.update(loss)
        assert {tensor.device.type for tensor in (images, labels, loss, *network.parameters())} == {"meta"}


def test_bfloat16_needs_nothing_but_pytorch_and_keeps_float32_weights() -> None:
    parallel = make_parallel("bf16-mixed")
    assert parallel.fabric is None
    images, labels = next(host_batches())
    mixed, plain = (build(SPECS["eam"]).train() for _ in range(2))
    losses = [
        trainer(network, "off", how).forward(images, labels, RunningScores(CPU))
        for network, how in ((mixed, parallel), (plain, Parallel()))
    ]
    losses[0].backward()
    assert losses[0].dtype == torch.float32
    rounded, exact = (loss.item() for loss in losses)
    assert rounded != exact
    assert rounded == pytest.approx(exact, rel=0.05)
    assert {parameter.grad.dtype for parameter in mixed.parameters() if parameter.grad is not None} == {torch.float32}


def test_an_accelerated_run_resumes_to_the_same_bits(tree: Path, tmp_path: Path) -> None:
    spec = ArchSpec(width=0.25, classes=1, input_px=32, conv="static")
    whole = run_training(request(tree, tmp_path / "whole", acceleration="on", spec=spec))

    class StopTraining(Exception):
        pass

    def stop(step: object) -> None:
        if step.epoch == 3:  # type: ignore[attr-defined]
            raise StopTraining

    with pytest.raises(StopTraining):
        run_training(request(tree, tmp_path / "parts", acceleration="on", spec=spec), stop)
    resumed = run_training(request(tree, tmp_path / "parts", acceleration="on", spec=spec))
    assert resumed.history == whole.history
    assert resumed.checkpoint.read_bytes() == whole.checkpoint.read_bytes()


def test_another_acceleration_does_not_continue_a_run_and_an_unknown_one_is_refused(tree: Path, tmp_path: Path) -> None:
    run_training(request(tree, tmp_path, epochs=1))
    with pytest.raises(UsageError, match="other settings"):
        run_training(request(tree, tmp_path, epochs=1, acceleration="on"))
    with pytest.raises(UsageError, match="did you mean 'compile'"):
        run_training(request(tree, tmp_path / "new", epochs=1, acceleration="compil"))


def test_pooling_asked_first_by_inference_serves_training() -> None:
    from eamdeploy.networks.layers.pooling import adaptive_pool

    x = torch.randn(2, 3, 11, 13, requires_grad=True)
    with torch.inference_mode():
        adaptive_pool(x, 5, "avg")
    adaptive_pool(x, 5, "avg").sum().backward()
    assert x.grad is not None
    assert torch.allclose(adaptive_pool(x, 5, "avg"), F.adaptive_avg_pool2d(x, 5), atol=1e-6)
