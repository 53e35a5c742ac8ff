"""The pieces the MobileNets share: a convolution of the kind the spec asks for, with its batch norm and activation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from eamdeploy.networks.layers.attention import make_attention
from eamdeploy.networks.layers.dynamic_conv import AttentionConv2d
from eamdeploy.networks.spec import ArchSpec


def make_divisible(value: float, divisor: int = 8) -> int:
    """The multiple of ``divisor`` nearest to ``value``, never more than 10 % below it (Sandler et al. 2018, reference code)."""
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def make_activation(name: str) -> nn.Module:
    """``relu``, ``relu6``, ``hswish`` or ``none``."""
    kinds: dict[str, type[nn.Module]] = {
        "relu": nn.ReLU,
        "relu6": nn.ReLU6,
        "hswish": nn.Hardswish,
        "none": nn.Identity,
    }
    return kinds[name]()


class ConvBnAct(nn.Module):
    """Convolution, batch norm, activation: ``(B, C, H, W) -> (B, O, H', W')``.

    ``pad`` is the identity but for TensorFlow's padding, which is uneven where the stride is 2.
    """

    def __init__(self, conv: nn.Module, bn: nn.BatchNorm2d, act: nn.Module, pad: nn.Module | None = None) -> None:
        super().__init__()
        self.pad = pad if pad is not None else nn.Identity()
        self.conv, self.bn, self.act = conv, bn, act

    def forward(self, x: Tensor) -> Tensor:
        """Apply the four in turn."""
        y: Tensor = self.act(self.bn(self.conv(self.pad(x))))
        return y


class SqueezeExcite(nn.Module):
    """MobileNetV3's channel gate (Howard et al. 2019, section 5.3): static, it is no convolution of the backbone.

    ``(B, C, H, W) -> (B, C, H, W)``. ``hidden`` of 0 is the paper's: a quarter of the channels.
    """

    def __init__(self, channels: int, hidden: int = 0, act: str = "relu") -> None:
        super().__init__()
        hidden = hidden or make_divisible(channels / 4)
        self.fc1, self.fc2 = nn.Linear(channels, hidden), nn.Linear(hidden, channels)
        self.relu, self.gate = make_activation(act), nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        """Scale each channel by its gate."""
        scale = self.gate(self.fc2(self.relu(self.fc1(x.mean(dim=(2, 3))))))
        return x * scale[:, :, None, None]


class ConvMaker:
    """Makes the convolutions of one network, drawing its random channel choices from one seeded generator."""

    def __init__(self, spec: ArchSpec) -> None:
        self.spec = spec
        self.generator = torch.Generator().manual_seed(spec.seed)

    def __call__(
        self, channels: int, out: int, kernel: int = 1, *, stride: int = 1, groups: int = 1, act: str = "relu"
    ) -> ConvBnAct:
        """A ``ConvBnAct`` of ``channels -> out`` with a square kernel that keeps the map's size at stride 1."""
        padding, pad = (kernel - 1) // 2, None
        if self.spec.padding == "tf-same" and stride > 1:
            # SAME on an even map: the odd row and column of zeros go below and to the right
            before = (kernel - stride) // 2
            padding, pad = 0, nn.ZeroPad2d((before, kernel - stride - before, before, kernel - stride - before))
        if self.spec.conv == "static":
            static = nn.Conv2d(channels, out, kernel, stride, padding, groups=groups, bias=False)
            nn.init.kaiming_normal_(static.weight, mode="fan_out")
            conv: nn.Module = static
        else:
            conv = AttentionConv2d(
                channels,
                out,
                kernel,
                attention=make_attention(self.spec, channels, self.generator),
                kernels=self.spec.kernels,
                stride=stride,
                padding=padding,
                groups=groups,
            )
        if self.spec.activation != "own" and act in {"relu", "relu6"}:
            act = self.spec.activation
        return ConvBnAct(conv, nn.BatchNorm2d(out), make_activation(act), pad)


def small_strides(strides: list[int], input_px: int) -> list[int]:
    """The strides for ``input_px``: the 224-px layout, or for 64 px and less the small one.

    There the stem (the first entry) has stride 1, and the earliest further downsamplings are dropped until the last map is
    at least 2x2: none at 28, 32 and 64 px (last maps 2, 2, 4), one at 16 px, two at 8 px.
    """
    if input_px > 64:
        return strides
    stride_list = [1, *strides[1:]]
    while _last_map(stride_list, input_px) < 2 and 2 in stride_list:
        stride_list[stride_list.index(2)] = 1
    return stride_list


def _last_map(strides: list[int], size: int) -> int:
    for stride in strides:
        size = -(-size // stride)
    return size
