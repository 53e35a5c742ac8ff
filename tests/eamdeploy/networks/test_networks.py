"""The networks against an independent per-sample loop, and their counts against the paper."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from eamdeploy.base.errors import UsageError
from eamdeploy.networks.architectures.build import build
from eamdeploy.networks.complexity import measure_complexity
from eamdeploy.networks.layers.dynamic_conv import AttentionConv2d
from eamdeploy.networks.layers.selection import CgrMaxSelection, StaticSelection, block_bounds
from eamdeploy.networks.random_init import random_network
from eamdeploy.networks.spec import ARCHITECTURES, SELECTIONS, ArchSpec
from tests.foreign.timm_package import timm

VARIANTS = [("static", "rcr"), ("dynet", "rcr"), *(("eam", select) for select in SELECTIONS)]


def loop_alpha(layer: AttentionConv2d, image: Tensor) -> Tensor:
    """The attention of one image ``(C, H, W)``, written from the paper without the library's modules."""
    attention = layer.attention
    if isinstance(attention.selection, StaticSelection):
        indices = attention.selection.indices.tolist()
    elif isinstance(attention.selection, CgrMaxSelection):
        means, indices = [float(plane.mean()) for plane in image], []
        for low, high in itertools.pairwise(block_bounds(image.shape[0], attention.selected)):
            indices.append(max(range(low, high), key=lambda index: (means[index], -index)))
    else:
        indices = list(range(image.shape[0]))
    maps, size, cells = image[indices], attention.pool_size, []
    height, width = maps.shape[1:]
    for row, column in itertools.product(range(size), repeat=2):
        top, bottom = row * height // size, -(-(row + 1) * height // size)
        left, right = column * width // size, -(-(column + 1) * width // size)
        cell = maps[:, top:bottom, left:right].flatten(1)
        cells.append(cell.max(dim=1).values if attention.pool == "max" else cell.mean(dim=1))
    pooled = torch.stack(cells, dim=1).flatten()
    hidden = torch.clamp(attention.fc1.weight @ pooled + attention.fc1.bias, min=0)
    scores = (attention.fc2.weight @ hidden + attention.fc2.bias) / attention.temperature
    exponentials = torch.exp(scores - scores.max())
    return exponentials / exponentials.sum()


class LoopConv(nn.Module):
    """Equations 4 to 7, one image at a time."""

    def __init__(self, layer: AttentionConv2d) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        layer, outputs = self.layer, []
        for image in x:
            alpha = loop_alpha(layer, image)
            kernel = sum(alpha[index] * layer.bank[index] for index in range(layer.kernels))
            bias = None if layer.bias is None else sum(alpha[i] * layer.bias[i] for i in range(layer.kernels))
            outputs.append(
                F.conv2d(image[None], kernel, bias, layer.stride, layer.padding, layer.dilation, layer.groups)
            )
        return torch.cat(outputs)


def with_loops(network: nn.Module) -> nn.Module:
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, AttentionConv2d):
                setattr(module, name, LoopConv(child))
    return network


def assert_equals_loop(spec: ArchSpec, batches: tuple[int, ...] = (1, 5), limit: float = 1e-5) -> None:
    """In double precision, so that what is compared is the function and not the order of additions."""
    network = random_network(spec).double()
    twin = with_loops(copy.deepcopy(network))
    for batch in batches:
        x = torch.randn(batch, spec.in_channels, spec.input_px, spec.input_px, dtype=torch.float64)
        with torch.no_grad():
            ours, theirs = network(x), twin(x)
        assert ours.shape == (batch, spec.classes)
        assert (ours - theirs).abs().max() <= limit * max(1.0, float(theirs.abs().max()))


@pytest.mark.parametrize(("conv", "select"), VARIANTS)
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_network_equals_a_per_sample_loop(arch: str, conv: str, select: str) -> None:
    width = 0.35 if arch == "mobilenet_v2" else 0.25
    assert_equals_loop(ArchSpec(arch, width, conv, select, classes=7, input_px=32, temperature=1.0))


def test_network_equals_a_per_sample_loop_at_224_px() -> None:
    assert_equals_loop(ArchSpec("mobilenet_v1", 0.25, "eam", "cgr-max", classes=7, temperature=1.0))


@pytest.mark.slow
@pytest.mark.parametrize(("conv", "select"), VARIANTS)
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_variant_equals_a_per_sample_loop_at_224_px(arch: str, conv: str, select: str) -> None:
    assert_equals_loop(ArchSpec(arch, 0.25, conv, select, classes=7, temperature=1.0))


@pytest.mark.parametrize("pool", ["avg", "max"])
@pytest.mark.parametrize("pool_size", [1, 3, 5, 7])
@pytest.mark.parametrize("channels", [2, 8, 0.25])
def test_pooling_and_channel_counts_equal_a_loop(pool: str, pool_size: int, channels: float) -> None:
    spec = ArchSpec(
        width=0.25,
        kernels=3,
        channels=channels,
        pool=pool,
        pool_size=pool_size,
        classes=5,
        input_px=32,
        temperature=1.0,
    )
    assert_equals_loop(spec, batches=(2,))


@pytest.mark.parametrize(("conv", "select"), VARIANTS)
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_gradients_are_finite_and_reach_every_parameter(arch: str, conv: str, select: str) -> None:
    network = build(ArchSpec(arch, 0.25, conv, select, classes=5, input_px=32, temperature=1.0)).train()
    F.cross_entropy(network(torch.randn(5, 3, 32, 32)), torch.tensor([0, 1, 2, 3, 4])).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name


@pytest.mark.parametrize(
    ("arch", "conv", "parameters", "macs"),
    [
        ("mobilenet_v1", "dynet", 14.272, 587.1),
        ("mobilenet_v1", "eam", 12.893, 581.0),
        ("mobilenet_v2", "dynet", 11.254, 317.5),
        ("mobilenet_v2", "eam", 8.976, 308.9),
    ],
)
def test_counts_of_table_2(arch: str, conv: str, parameters: float, macs: float) -> None:
    counted = measure_complexity(build(ArchSpec(arch, conv=conv, classes=100)))
    assert counted.parameters / 1e6 == pytest.approx(parameters, abs=5e-4)
    assert counted.macs.total / 1e6 == pytest.approx(macs, abs=0.05)
    assert counted.parameters == sum(layer.parameters for layer in counted.layers) + _batch_norm_parameters(arch, conv)


def _batch_norm_parameters(arch: str, conv: str) -> int:
    network = build(ArchSpec(arch, conv=conv, classes=100))
    norms = (module for module in network.modules() if isinstance(module, nn.BatchNorm2d))
    return sum(parameter.numel() for norm in norms for parameter in norm.parameters())


@pytest.mark.parametrize(("input_px", "last"), [(8, 2), (16, 2), (28, 2), (32, 2), (64, 4), (224, 7)])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_last_map_is_at_least_two_by_two(arch: str, input_px: int, last: int) -> None:
    network = build(ArchSpec(arch, 0.25, "static", classes=3, input_px=input_px))
    maps = network.blocks(network.stem(torch.zeros(1, 3, input_px, input_px)))
    assert maps.shape[2:] == (last, last)


@pytest.mark.parametrize("select", ["rcr", "cgr-random"])
def test_random_channels_follow_the_seed(select: str) -> None:
    def choices(seed: int) -> list[list[int]]:
        network = build(ArchSpec(width=0.25, select=select, classes=3, input_px=32, seed=seed))
        selections = [layer.attention.selection for layer in network.dynamic_layers().values()]
        return [s.indices.tolist() for s in selections if isinstance(s, StaticSelection)]

    assert choices(1) == choices(1)
    assert choices(1) != choices(2)
    assert all(len(set(indices)) == 4 for indices in choices(1))


def test_cgr_max_breaks_ties_to_the_lowest_index() -> None:
    x = torch.zeros(2, 8, 3, 3)
    x[1, 3] = 1.0
    maps = CgrMaxSelection(8, 4).choose(x)
    assert maps.tolist() == [[0, 2, 4, 6], [0, 3, 4, 6]]


def test_timm_cond_conv_agrees_under_the_same_routing() -> None:
    cond_conv = timm().layers.CondConv2d
    for kernel, groups, stride in ((3, 1, 2), (1, 1, 1), (3, 8, 1)):
        spec = ArchSpec(width=0.25, classes=3, input_px=32)
        layer = AttentionConv2d(
            8,
            8,
            kernel,
            attention=_attention(spec),
            kernels=4,
            stride=stride,
            padding=kernel // 2,
            groups=groups,
            bias=True,
        )
        theirs = cond_conv(8, 8, kernel, stride=stride, padding=kernel // 2, groups=groups, bias=True, num_experts=4)
        assert layer.bias is not None
        with torch.no_grad():
            layer.bias.normal_()
            theirs.weight.copy_(layer.bank.flatten(1))
            theirs.bias.copy_(layer.bias)
        x, alpha = torch.randn(5, 8, 9, 9), torch.softmax(torch.randn(5, 4), 1)
        assert torch.allclose(layer.mix(x, alpha), theirs(x, alpha), atol=1e-5)


def _attention(spec: ArchSpec) -> nn.Module:
    from eamdeploy.networks.layers.attention import make_attention

    return make_attention(spec, 8, torch.Generator().manual_seed(0))


def test_every_mixing_form_is_the_same_function_with_the_same_gradients() -> None:
    from eamdeploy.networks.layers import mixing

    geometry = mixing.Geometry((1, 1), (0, 0), (1, 1), 1)
    results = []
    for form in (mixing.grouped, mixing.matmul, mixing.concat, mixing.unfold):
        torch.manual_seed(0)
        x = torch.randn(6, 5, 4, 3, requires_grad=True)
        alpha = torch.softmax(torch.randn(6, 4), 1).requires_grad_()
        bank = torch.randn(4, 7, 5, 1, 1, requires_grad=True)
        y = form(x, alpha, bank, geometry)
        gradients = torch.autograd.grad((y * torch.linspace(-1, 1, y.numel()).reshape(y.shape)).sum(), (x, alpha, bank))
        results.append((y, *gradients))
    for result in results[1:]:
        for ours, reference in zip(result, results[0], strict=True):
            assert torch.allclose(ours, reference, atol=1e-4)


@pytest.mark.parametrize(
    ("field", "value"),
    [("arch", "mobilnet_v1"), ("conv", "eamm"), ("select", "rc"), ("width", 0.0), ("kernels", 0), ("channels", -1)],
)
def test_a_wrong_field_is_refused_with_its_value(field: str, value: object) -> None:
    with pytest.raises(UsageError, match=str(value)):
        ArchSpec(**{field: value})


def test_unknown_names_come_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'mobilenet_v1'"):
        ArchSpec(arch="mobilnet_v1")
