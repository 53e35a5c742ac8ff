"""Networks whose convolutions are static, DyNet or EAM-DyNet, imported ones, and dynamic layers for networks of your own.

``DynamicConv2d`` and ``convert`` are for your own networks (:mod:`eamdeploy.networks.drop_in`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eamdeploy.networks.drop_in import DynamicConv2d, convert

__all__ = ["DynamicConv2d", "convert"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from eamdeploy.networks import drop_in

    return getattr(drop_in, name)
