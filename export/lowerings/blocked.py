"""blocked: aggregate, in ONNX Runtime's own blocked channel layout. Batch 1, for one kind of CPU.

ONNX Runtime runs a convolution with constant weights in a blocked layout ("NCHWc") when it loads a file on x86-64; one with
a computed weight stays outside, which costs a depthwise layer a factor of five. The operators of that layout
(``com.microsoft.nchwc``) can be named in a file, and a bank that is stored in the blocked order is mixed into a blocked
kernel: the convolution then runs as fast as a static one. The price is portability: the size of a block belongs to the CPU
(16 channels with AVX-512, 8 without), other architectures have none, and the operators are nobody's standard. So the planner
chooses it only where the file is to be for this very host (``--device host``), and the file answers NaN where the block is
another (:mod:`export.onnx.blocked`).
"""

from __future__ import annotations

from torch import nn

from eamdeploy.networks.layers.dynamic_conv import AttentionConv2d
from export.lowerings.aggregate import AggregatedConv
from export.lowerings.base import LayerSite, Refusal
from export.planning.target import Target, host_machine

BLOCKED = "blocked"
WIDEST_BLOCK = 16


class Blocked:
    """An aggregated convolution that the ONNX exporter moves into the blocked layout."""

    name = BLOCKED
    summary = "aggregate in ONNX Runtime's blocked layout: fastest on x86-64, for one kind of CPU (on demand)"

    def applies(self, site: LayerSite, target: Target) -> Refusal | None:
        """Serves pointwise and depthwise layers, and first layers, at batch 1 in float32."""
        if target.runtime != "onnxruntime":
            return Refusal(self.name, f"the blocked layout is ONNX Runtime's, not {target.runtime}'s")
        if target.machine != "x86-64" or host_machine() != "x86-64":
            return Refusal(self.name, f"ONNX Runtime has the blocked layout on x86-64, not on {target.machine}")
        if target.batch != 1:
            return Refusal(self.name, f"a convolution has one kernel for all images, and the batch is {target.batch}")
        if target.precision != "fp32":
            return Refusal(self.name, f"the blocked operators are float32, not {target.precision}")
        layer = site.layer
        if not isinstance(layer, AttentionConv2d):
            return Refusal(self.name, "its mixing weights come from elsewhere in the network")
        if site.kind == "grouped" or layer.out_channels % WIDEST_BLOCK:
            return Refusal(
                self.name, f"{layer.out_channels} channels in {layer.groups} groups do not fill whole blocks of 16"
            )
        if site.kind != "depthwise" and layer.in_channels % WIDEST_BLOCK and layer.in_channels >= 4:
            return Refusal(self.name, f"{layer.in_channels} input channels do not fill whole blocks of 16")
        return None

    def __call__(self, site: LayerSite, target: Target) -> nn.Module:
        """The equivalent module; the exporter recognises it by its class."""
        return BlockedConv(site, target)


class BlockedConv(AggregatedConv):
    """The same function as :class:`AggregatedConv`, marked for the blocked layout."""
