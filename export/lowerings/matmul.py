"""matmul: a 1x1 dynamic convolution as a batched matrix product. Any batch."""

from __future__ import annotations

import math

from torch import Tensor, nn

from export.lowerings.base import LayerSite, LoweredConv, Refusal
from export.planning.target import Target

# channels last: up to this many positions the map is the cheaper operand to pack
KERNEL_LEFT_UP_TO_POSITIONS = 64
# channels last: from this many positions on, copying the map costs more than one product per row
ROWS_APART_FROM_POSITIONS = 8192


class MatMul:
    """``y = W(x) @ X`` with ``X: (C, H W)``; each image has its own ``W``."""

    name = "matmul"
    summary = "1x1 layers: a batched matrix product with a computed operand (any batch)"

    def applies(self, site: LayerSite, target: Target) -> Refusal | None:
        """Serves 1x1 kernels without padding."""
        del target
        layer = site.layer
        if layer.kernel_size != (1, 1):
            height, width = layer.kernel_size
            return Refusal(self.name, f"the kernel is {height}x{width}, not 1x1")
        if layer.padding != (0, 0):
            return Refusal(self.name, "a padded 1x1 layer has outputs outside its input")
        return None

    def __call__(self, site: LayerSite, target: Target) -> nn.Module:
        """The equivalent module."""
        return MatMulConv(site, target)


class MatMulConv(LoweredConv):
    """A 1x1 convolution as a matrix product, in the orientation of the runtime's maps.

    Channels first: ``W @ X``. Channels last: ``X @ W^T`` over rows of the map, which packs ``W`` for every image; on a map with
    few positions the map is the smaller operand, and ``(W @ X^T)^T`` packs that one instead.
    """

    def __init__(self, site: LayerSite, target: Target) -> None:
        super().__init__(site, target)
        kernels = site.layer.bank.detach().flatten(2)  # (k, O, C/g)
        self.inputs = kernels.shape[2]
        kernels = kernels.unflatten(1, (self.groups, -1))  # (k, g, O/g, C/g)
        positions = math.prod(self.output_hw)
        self.last = self.channels_last and self.groups == 1
        # an int8 kernel's scale belongs to the plain form, X @ W^T
        self.kernel_left = positions <= KERNEL_LEFT_UP_TO_POSITIONS and target.precision != "int8"
        self.rows_apart = positions >= ROWS_APART_FROM_POSITIONS and target.precision != "int8"
        right = self.last and not self.kernel_left
        self.bank = self.mixed(kernels.transpose(2, 3) if right else kernels, target)

    def convolve(self, x: Tensor, alpha: Tensor, taps: Tensor | None = None) -> Tensor:
        """``x: (B, C, H, W) -> (B, O, H', W')``."""
        if taps is not None:
            alpha = alpha * taps  # the one tap of a 1x1 kernel
        if self.stride != (1, 1):
            x = x[:, :, :: self.stride[0], :: self.stride[1]]
        if self.last:
            return self._channels_last(x, alpha)
        weight = self.bank(alpha)
        if self.groups == 1:
            y = weight.view(-1, self.out_channels, self.inputs) @ x.flatten(2)
        else:
            columns = x.flatten(2).unflatten(1, (self.groups, self.inputs))
            y = (weight.view(-1, self.groups, self.out_channels // self.groups, self.inputs) @ columns).flatten(1, 2)
        return self.add_bias(y.unflatten(2, self.output_hw), alpha)

    def _channels_last(self, x: Tensor, alpha: Tensor) -> Tensor:
        height, width = self.output_hw
        rows = x.permute(0, 2, 3, 1)
        weight, bias = self.bank(alpha), self.bias(alpha)
        if self.kernel_left:
            rows = rows.reshape(-1, height * width, self.inputs)
            y = weight.view(-1, self.out_channels, self.inputs) @ rows.transpose(1, 2)
            if bias is not None:
                y = y + bias.unsqueeze(-1)
            return y.transpose(1, 2).reshape(-1, height, width, self.out_channels).permute(0, 3, 1, 2)
        if self.rows_apart:
            # one product per image row: a large map is not copied into another shape and back
            y = rows @ weight.view(-1, 1, self.inputs, self.out_channels)
            if bias is not None:
                y = y + (bias[:, None, None] if bias.ndim == 2 else bias)
            return y.permute(0, 3, 1, 2)
        y = rows.reshape(-1, height * width, self.inputs) @ weight.view(-1, self.inputs, self.out_channels)
        if bias is not None:
            y = y + (bias[:, None] if bias.ndim == 2 else bias)
        return y.reshape(-1, height, width, self.out_channels).permute(0, 3, 1, 2)
