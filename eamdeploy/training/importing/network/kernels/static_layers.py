"""Static convolutions, linear layers and batch norms of a traced graph, as layers."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, fx, nn

from eamdeploy.networks.program.instructions import Value
from eamdeploy.training.importing.network.emit import InstructionEmitter
from eamdeploy.training.importing.network.kernels.convolutions import Convolution
from eamdeploy.training.importing.network.kernels.unfold import (
    constant_groups,
    folded_groups,
    folded_output,
    unfolded_input,
)
from eamdeploy.training.importing.network.tracing.evaluate import evaluate
from eamdeploy.training.importing.network.tracing.trace import module_path

LayerT = TypeVar("LayerT", bound=nn.Module)
_NORMS = ("batch_norm.default", "_native_batch_norm_legit_no_training.default")


def static_layer(node: fx.Node, name: str, convolution: Convolution | None, emitter: InstructionEmitter) -> bool:
    """Emit ``node`` as a layer if it is one; whether it was."""
    if convolution is not None:
        return _convolution(convolution, emitter)
    if name == "linear.default":
        return _linear(node, emitter)
    if name in _NORMS:
        return _batch_norm(node, name, emitter)
    if name == "getitem" and isinstance(node.args[0], fx.Node) and _is_norm(node.args[0]) and node.args[1] == 0:
        emitter.values[node.name] = emitter.value(node.args[0])
        return True
    return False


def _is_norm(node: fx.Node) -> bool:
    return str(node.target) == "aten._native_batch_norm_legit_no_training.default"


def _convolution(convolution: Convolution, emitter: InstructionEmitter) -> bool:
    node, where = convolution.node, module_path(convolution.node)
    kernel = emitter.constant(convolution.kernel)
    bias = None if convolution.bias is None else emitter.constant(convolution.bias)
    if kernel is None:
        return _repeated(convolution, emitter)
    if (convolution.bias is not None and bias is None) or constant_groups(emitter, convolution) is None:
        return False
    if kernel.ndim == 3:
        kernel = kernel[:, :, None]
    layer = _conv2d(convolution, kernel, bias, convolution.groups)
    x = emitter.value(convolution.input)
    if convolution.flat:
        x = emitter.as_maps(node, x, 1)
    y = emitter.call(emitter.paths.claim(where, "conv"), layer, [x], node.name)
    emitter.values[node.name] = emitter.as_rows(node, y, 1) if convolution.flat else y
    return True


def _repeated(convolution: Convolution, emitter: InstructionEmitter) -> bool:
    """A static kernel repeated for every image of a folded batch: a static convolution."""
    groups, batch = folded_groups(emitter, convolution), emitter.traced.batch
    if groups is None or emitter.other is None or convolution.bias is not None:
        return False
    kernels = evaluate(emitter.traced, convolution.kernel, {}, {})
    kernels = kernels.reshape(batch, -1, *kernels.shape[1:])
    if not bool((kernels == kernels[:1]).all()):
        return False
    kernel = kernels[0].double()
    kernel = kernel[:, :, None] if kernel.ndim == 3 else kernel
    maps = unfolded_input(emitter, convolution, kernel.shape[1] * groups)
    path = emitter.paths.claim(module_path(convolution.node), "conv")
    y = emitter.call(path, _conv2d(convolution, kernel, None, groups), [maps])
    folded_output(emitter, convolution, y, None)
    return True


def _conv2d(convolution: Convolution, kernel: Tensor, bias: Tensor | None, groups: int) -> nn.Conv2d:
    return _filled(
        nn.Conv2d(
            kernel.shape[1] * groups,
            kernel.shape[0],
            (int(kernel.shape[2]), int(kernel.shape[3])),
            **convolution.geometry(groups),
            bias=bias is not None,
        ),
        weight=kernel,
        bias=bias,
    )


def _linear(node: fx.Node, emitter: InstructionEmitter) -> bool:
    weight = emitter.constant(node.args[1]) if isinstance(node.args[1], fx.Node) else None
    third_argument = node.args[2] if len(node.args) > 2 else node.kwargs.get("bias")
    bias = emitter.constant(third_argument) if isinstance(third_argument, fx.Node) else None
    x = node.args[0]
    if (
        weight is None
        or weight.ndim != 2
        or not isinstance(x, fx.Node)
        or (isinstance(third_argument, fx.Node) and bias is None)
    ):
        return False
    layer = _filled(nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None), weight=weight, bias=bias)
    path = emitter.paths.claim(module_path(node), "linear")
    emitter.values[node.name] = emitter.call(path, layer, [emitter.value(x)], node.name)
    return True


def _batch_norm(node: fx.Node, name: str, emitter: InstructionEmitter) -> bool:
    x = node.args[0]
    parts = [emitter.constant(part) if isinstance(part, fx.Node) else None for part in node.args[1:5]]
    weight, bias, mean, variance = parts
    if not isinstance(x, fx.Node) or mean is None or variance is None or (weight is None) != (bias is None):
        return False
    if len(emitter.traced.shapes[x.name]) != 4:
        return _affine(node, name, emitter, weight=weight, bias=bias, mean=mean, variance=variance)
    layer = nn.BatchNorm2d(len(mean), eps=_epsilon(node, name), affine=weight is not None)
    _filled(layer, weight=weight, bias=bias, running_mean=mean, running_var=variance)
    path = emitter.paths.claim(module_path(node), "bn")
    emitter.values[node.name] = emitter.call(path, layer, [emitter.value(x)], node.name)
    return True


def _epsilon(node: fx.Node, name: str) -> float:
    epsilon = node.args[7] if name == "batch_norm.default" else node.args[6]
    return float(epsilon)  # type: ignore[arg-type]


def _affine(
    node: fx.Node,
    name: str,
    emitter: InstructionEmitter,
    *,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor,
    variance: Tensor,
) -> bool:
    """A batch norm over vectors or rows: a batch norm over maps of height 1."""
    x, where = node.args[0], module_path(node)
    if not isinstance(x, fx.Node):
        return False
    shape = emitter.traced.shapes[x.name]
    if len(shape) not in (2, 3):
        return False
    layer = nn.BatchNorm2d(len(mean), eps=_epsilon(node, name), affine=weight is not None)
    _filled(layer, weight=weight, bias=bias, running_mean=mean, running_var=variance)
    value = emitter.value(x)
    if not isinstance(value, Value):
        return False
    missing = 4 - len(shape)
    maps = emitter.call(emitter.paths.claim(where, "bn"), layer, [emitter.as_maps(node, value, missing)])
    emitter.values[node.name] = emitter.as_rows(node, maps, missing)
    return True


def _filled(layer: LayerT, **tensors: Tensor | None) -> LayerT:
    layer.double()
    with torch.no_grad():
        for name, tensor in tensors.items():
            if tensor is not None:
                getattr(layer, name).copy_(tensor)
    return layer
