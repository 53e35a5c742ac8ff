"""MobileNetV2 and V3-Small with the module names, epsilons and activations of torchvision's, written anew for the tests."""

from __future__ import annotations

from torch import Tensor, nn

from eamdeploy.networks.layers.blocks import make_divisible


class Unit(nn.Sequential):
    def __init__(
        self, inp: int, out: int, kernel: int, *, stride: int, groups: int, act: nn.Module | None, eps: float
    ) -> None:
        conv = nn.Conv2d(inp, out, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False)
        super().__init__(conv, nn.BatchNorm2d(out, eps=eps), *([] if act is None else [act]))


class V2Block(nn.Module):
    def __init__(self, inp: int, out: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inp * expansion
        layers: list[nn.Module] = (
            [] if expansion == 1 else [Unit(inp, wide, 1, stride=1, groups=1, act=nn.ReLU6(), eps=1e-5)]
        )
        layers.append(Unit(wide, wide, 3, stride=stride, groups=wide, act=nn.ReLU6(), eps=1e-5))
        layers += [nn.Conv2d(wide, out, 1, bias=False), nn.BatchNorm2d(out)]
        self.conv, self.added = nn.Sequential(*layers), stride == 1 and inp == out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return x + y if self.added else y


class SqueezeGate(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = make_divisible(channels // 4)
        self.fc1, self.fc2 = nn.Conv2d(channels, hidden, 1), nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        scale = self.fc2(nn.functional.relu(self.fc1(x.mean((2, 3), keepdim=True))))
        return x * nn.functional.hardsigmoid(scale)


class V3Block(nn.Module):
    def __init__(self, inp: int, wide: int, out: int, *, kernel: int, stride: int, gated: bool, swish: bool) -> None:
        super().__init__()
        act = nn.Hardswish if swish else nn.ReLU
        layers: list[nn.Module] = [] if wide == inp else [Unit(inp, wide, 1, stride=1, groups=1, act=act(), eps=1e-3)]
        layers.append(Unit(wide, wide, kernel, stride=stride, groups=wide, act=act(), eps=1e-3))
        layers += [SqueezeGate(wide)] if gated else []
        layers.append(Unit(wide, out, 1, stride=1, groups=1, act=None, eps=1e-3))
        self.block, self.added = nn.Sequential(*layers), stride == 1 and inp == out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.block(x)
        return x + y if self.added else y


class Classifier(nn.Module):
    def __init__(self, features: list[nn.Module], classifier: list[nn.Module]) -> None:
        super().__init__()
        self.features, self.classifier = nn.Sequential(*features), nn.Sequential(*classifier)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.classifier(self.features(x).mean((2, 3)))
        return y


def mobilenet_v2(classes: int) -> Classifier:
    stages = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
    features: list[nn.Module] = [Unit(3, 32, 3, stride=2, groups=1, act=nn.ReLU6(), eps=1e-5)]
    channels = 32
    for expansion, out, repeats, stride in stages:
        for index in range(repeats):
            features.append(V2Block(channels, out, stride if index == 0 else 1, expansion))
            channels = out
    features.append(Unit(channels, 1280, 1, stride=1, groups=1, act=nn.ReLU6(), eps=1e-5))
    return Classifier(features, [nn.Dropout(0.2), nn.Linear(1280, classes)])


def mobilenet_v3_small(classes: int) -> Classifier:
    rows = (
        (16, 16, 3, 2, True, False), (72, 24, 3, 2, False, False), (88, 24, 3, 1, False, False), (96, 40, 5, 2, True, True),
        (240, 40, 5, 1, True, True), (240, 40, 5, 1, True, True), (120, 48, 5, 1, True, True), (144, 48, 5, 1, True, True),
        (288, 96, 5, 2, True, True), (576, 96, 5, 1, True, True), (576, 96, 5, 1, True, True),
    )  # fmt: skip
    features: list[nn.Module] = [Unit(3, 16, 3, stride=2, groups=1, act=nn.Hardswish(), eps=1e-3)]
    channels = 16
    for wide, out, kernel, stride, gated, swish in rows:
        features.append(V3Block(channels, wide, out, kernel=kernel, stride=stride, gated=gated, swish=swish))
        channels = out
    features.append(Unit(channels, 576, 1, stride=1, groups=1, act=nn.Hardswish(), eps=1e-3))
    return Classifier(features, [nn.Linear(576, 1024), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(1024, classes)])
