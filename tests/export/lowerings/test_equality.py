"""Every lowering computes what the layer computes, in float64 to the last few bits, for any shape it does not refuse."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from eamdeploy.networks.layers.attention import Attention
from eamdeploy.networks.layers.dynamic_conv import AttentionConv2d
from eamdeploy.networks.layers.selection import CgrMaxSelection, StaticSelection
from export.lowerings.base import LayerSite
from export.planning.target import Target
from export.registry import BUILTIN, get_lowering

TARGETS = (
    Target("onnxruntime", batch=1),
    Target("litert", batch=1),
    Target("litert", precision="int8", batch=1),
    Target("onnxruntime", batch=3),
    Target("onnxruntime", batch="dynamic"),
    Target("litert", batch=2),
)


@st.composite
def layers(draw: st.DrawFn, name: str) -> tuple[AttentionConv2d, tuple[int, int]]:
    """A dynamic convolution that ``name`` serves, with or without bias, and the size of a map it takes."""
    pointwise, depthwise = name == "matmul", name == "taps" or draw(st.booleans())
    kernel = (1, 1) if pointwise else draw(st.tuples(st.integers(1, 5), st.integers(2, 5)) | st.just((3, 3)))
    groups = draw(st.sampled_from([1, 1, 2, 4, 6]))
    channels = groups if depthwise else groups * draw(st.integers(1, 3))
    out = channels if depthwise else groups * draw(st.integers(1, 3))
    kernels = draw(st.integers(1, 4))
    dilation = draw(st.integers(1, 2))
    padding = (0, 0) if pointwise else draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    # never smaller than the widest kernel at the largest dilation
    height, width = draw(st.integers(9, 14)), draw(st.integers(9, 14))
    selected = draw(st.integers(1, channels))
    kind = draw(st.sampled_from(["all", "static", "largest"]))
    size = draw(st.integers(1, 5))
    order = draw(st.permutations(range(channels)))
    choice = {
        "all": None,
        "static": StaticSelection(list(order)[:selected]),
        "largest": CgrMaxSelection(channels, selected),
    }[kind]
    torch.manual_seed(draw(st.integers(0, 1000)))
    attention = Attention(
        channels,
        kernels,
        selection=choice,
        selected=channels if choice is None else selected,
        hidden=draw(st.integers(1, 10)),
        pool=draw(st.sampled_from(["avg", "max"])),
        pool_size=size,
        temperature=draw(st.floats(0.5, 30)),
    )
    layer = AttentionConv2d(
        channels,
        out,
        kernel,
        attention=attention,
        kernels=kernels,
        stride=draw(st.tuples(st.integers(1, 3), st.integers(1, 3))),
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=draw(st.booleans()),
    )
    if layer.bias is not None:
        torch.nn.init.normal_(layer.bias)
        if draw(st.booleans()):  # one bias for all kernels, as a folded batch norm leaves it
            layer.bias.data[:] = layer.bias.data[0].clone()
    return layer.double().eval(), (height, width)


@pytest.mark.parametrize("name", [lowering.name for lowering in BUILTIN])
@settings(max_examples=25, deadline=None)
@given(data=st.data(), target=st.sampled_from(TARGETS))
def test_a_lowering_equals_its_layer(name: str, data: st.DataObject, target: Target) -> None:
    layer, input_hw = data.draw(layers(name))
    site = LayerSite("layer", layer, input_hw)
    lowering = get_lowering(name)
    if name == "aggregate" and target.batch != 1:
        target = replace(target, batch=1)
    assert lowering.applies(site, target) is None
    batch = 3 if target.batch == "dynamic" else int(target.batch)
    images = torch.randn(batch, layer.in_channels, *input_hw, dtype=torch.float64)
    with torch.no_grad():
        expected, actual = layer(images), lowering(site, target).double()(images)
    assert actual.shape == expected.shape == (batch, layer.out_channels, *site.output_hw)
    # pooling matrices are float32 numbers in both, so nothing but the order of float64 operations differs
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=1e-9)


def test_a_lowering_of_another_layer_is_not_equal() -> None:
    """The comparison above notices one changed kernel."""
    attention = Attention(4, 4, selection=None, selected=4, hidden=10, pool="avg", pool_size=5, temperature=1.0)
    layer = AttentionConv2d(4, 6, 3, attention=attention, padding=1).double()
    site = LayerSite("layer", layer, (9, 9))
    images = torch.randn(1, 4, 9, 9, dtype=torch.float64)
    with torch.no_grad():
        lowered = get_lowering("aggregate")(site, Target()).double()
        before = lowered(images)
        layer.bank[2] *= 1.05
        assert not torch.allclose(before, layer(images), rtol=1e-6, atol=1e-6)
