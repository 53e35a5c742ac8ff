"""The layers that a stored program calls, and how each is written down and rebuilt."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from torch import Tensor, nn

from eamdeploy.base.errors import DataError
from eamdeploy.networks.layers.computed_conv import ComputedConv2d
from eamdeploy.networks.layers.mixed_conv import MixedConv2d, MixingBounds
from eamdeploy.networks.program.operators import operator_function

Pair = tuple[int, int]


class Operation(nn.Module):
    """One operator as a layer, so that what it gives has a path: the mixing weights of dynamic layers."""

    def __init__(self, operator: str) -> None:
        super().__init__()
        self.operator = operator

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Apply it."""
        result: Tensor = operator_function(self.operator)(*args, **kwargs)
        return result


class Container(nn.Module):
    """Holds layers under a path; it is never called."""


def describe_layer(layer: nn.Module) -> dict[str, Any]:
    """``layer`` without its weights, as JSON.

    Raises:
        TypeError: when it is of no kind that a program calls.
    """
    if isinstance(layer, Operation):
        return {"kind": "operation", "operator": layer.operator}
    if isinstance(layer, MixedConv2d):
        return {
            "kind": "mixed_conv2d",
            "bank": list(layer.bank.shape),
            **_geometry(layer),
            "bias": layer.bias is not None,
            "shift": layer.shift is not None,
            "bounds": asdict(layer.bounds),
            "gated": layer.gated,
        }
    if isinstance(layer, ComputedConv2d):
        return {"kind": "computed_conv2d", **_geometry(layer)}
    if isinstance(layer, nn.Conv2d):
        channels = [layer.in_channels, layer.out_channels]
        kernel, bias = list(layer.kernel_size), layer.bias is not None
        return {"kind": "conv2d", "channels": channels, "kernel": kernel, **_geometry(layer), "bias": bias}
    if isinstance(layer, nn.Linear):
        features = [layer.in_features, layer.out_features]
        return {"kind": "linear", "features": features, "bias": layer.bias is not None}
    if isinstance(layer, nn.BatchNorm2d):
        return {"kind": "batch_norm2d", "channels": layer.num_features, "eps": layer.eps, "affine": layer.affine}
    raise TypeError(f"a program calls no {type(layer).__name__}")


def _geometry(layer: Any) -> dict[str, Any]:
    return {
        "stride": list(layer.stride),
        "padding": list(layer.padding),
        "dilation": list(layer.dilation),
        "groups": layer.groups,
    }


def build_layer(document: Mapping[str, Any], path: str) -> nn.Module:
    """The layer that :func:`describe_layer` wrote, its weights yet to be loaded.

    Raises:
        DataError: when the description is damaged or of an unknown kind.
    """
    makers: dict[str, Callable[[Mapping[str, Any]], nn.Module]] = {
        "operation": _operation,
        "mixed_conv2d": _mixed,
        "computed_conv2d": lambda d: ComputedConv2d(**_pairs(d)),
        "conv2d": lambda d: nn.Conv2d(*_pair(d["channels"]), _pair(d["kernel"]), **_pairs(d), bias=bool(d["bias"])),
        "linear": lambda d: nn.Linear(*_pair(d["features"]), bias=bool(d["bias"])),
        "batch_norm2d": lambda d: nn.BatchNorm2d(int(d["channels"]), eps=float(d["eps"]), affine=bool(d["affine"])),
        "container": lambda _: Container(),
    }
    maker = makers.get(str(document.get("kind")))
    if maker is None:
        raise DataError(
            f"a layer of the checkpoint is of an unknown kind '{document.get('kind')}'",
            where=path,
            hint="was it written by a newer eamdeploy?",
        )
    try:
        return maker(document)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DataError("a layer's description is damaged", where=path, why=error) from error


def _operation(document: Mapping[str, Any]) -> Operation:
    name = str(document["operator"])
    operator_function(name)
    return Operation(name)


def _mixed(document: Mapping[str, Any]) -> MixedConv2d:
    bounds = document["bounds"]
    k, o, c, kh, kw = (int(size) for size in document["bank"])
    return MixedConv2d(
        (k, o, c, kh, kw),
        **_pairs(document),
        bias=bool(document["bias"]),
        shift=bool(document["shift"]),
        bounds=MixingBounds(
            bool(bounds["convex"]), _optional(bounds["l1"]), _optional(bounds["taps"]), bool(bounds["signed"])
        ),
        gated=bool(document["gated"]),
    )


def _optional(value: Any) -> float | None:
    return None if value is None else float(value)


def _pair(values: Any) -> Pair:
    first, second = values
    return int(first), int(second)


def _pairs(document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "stride": _pair(document["stride"]),
        "padding": _pair(document["padding"]),
        "dilation": _pair(document["dilation"]),
        "groups": int(document["groups"]),
    }
