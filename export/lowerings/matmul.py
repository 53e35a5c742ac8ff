"""matmul: a 1x1 dynamic convolution as a batched matrix product. Any batch."""

from __future__ import annotations

from torch import Tensor, nn

from export.lowerings.base import KernelBank, LayerSite, LoweredConv, Refusal
from export.target import Target


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
    """A 1x1 convolution as a matrix product, in the orientation of the runtime's maps."""

    def __init__(self, site: LayerSite, target: Target) -> None:
        super().__init__(site, target)
        kernels = site.layer.bank.detach().flatten(2)  # (k, O, C/g)
        self.inputs = kernels.shape[2]
        kernels = kernels.unflatten(1, (self.groups, -1))  # (k, g, O/g, C/g)
        self.last = self.channels_last and self.groups == 1
        self.bank = KernelBank(kernels.transpose(2, 3) if self.last else kernels, target)

    def convolve(self, x: Tensor, alpha: Tensor) -> Tensor:
        """``x: (B, C, H, W) -> (B, O, H', W')``."""
        if self.stride != (1, 1):
            x = x[:, :, :: self.stride[0], :: self.stride[1]]
        height, width = self.output_hw
        weight = self.bank(alpha)
        if self.last:
            rows = x.permute(0, 2, 3, 1).reshape(-1, height * width, self.inputs)
            y = rows @ weight.view(-1, self.inputs, self.out_channels)
            bias = self.bias(alpha)
            if bias is not None:
                y = y + (bias[:, None] if bias.ndim == 2 else bias)
            return y.reshape(-1, height, width, self.out_channels).permute(0, 3, 1, 2)
        if self.groups == 1:
            y = weight.view(-1, self.out_channels, self.inputs) @ x.flatten(2)
        else:
            columns = x.flatten(2).unflatten(1, (self.groups, self.inputs))
            y = (weight.view(-1, self.groups, self.out_channels // self.groups, self.inputs) @ columns).flatten(1, 2)
        return self.add_bias(y.unflatten(2, (height, width)), alpha)
