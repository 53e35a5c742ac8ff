"""Through which operators a kernel is linear, and where that ends."""

from __future__ import annotations

import torch
from torch import fx

from eamdeploy.networks.program.operators import GETITEM, REARRANGING
from eamdeploy.training.importing.network.kernels.kernel_probe import elements
from eamdeploy.training.importing.network.tracing.evaluate import operator_name
from eamdeploy.training.importing.network.tracing.trace import Traced

# linear in every tensor they are given, one at a time
_EVERYWHERE = """mul.Tensor mul.Scalar add.Tensor add.Scalar sub.Tensor sub.Scalar rsub.Scalar neg.default
    div.Scalar sum.dim_IntList sum.default mean.dim mean.default mm.default bmm.default matmul.default
    addmm.default baddbmm.default linear.default einsum.default mv.default outer.default constant_pad_nd.default
    cumsum.default index_put.default scatter.src scatter_add.default slice_scatter.default
    select_scatter.default index_add.default index_copy.default copy.default complex.default
    view_as_complex.default view_as_real.default real.default imag.default fft_ifft2.default fft_irfft2.default
    fft_fft2.default fft_rfft2.default fft_irfft.default fft_ifft.default fft_ifftshift.default
    fft_fftshift.default upsample_bilinear2d.vec upsample_nearest2d.vec
    lerp.Tensor lerp.Scalar addcmul.default"""
_LINEAR = frozenset(_EVERYWHERE.split())
# linear in these of their arguments alone: in what is picked or placed, not in where
_PLACING = {
    "index.Tensor": (0,), "index_select.default": (0,), "gather.default": (0,), "index_put.default": (0, 2),
    "scatter.src": (0, 3), "scatter_add.default": (0, 3), "index_add.default": (0, 3), "index_copy.default": (0, 3),
    "where.self": (1, 2), "where.ScalarOther": (1,), "where.ScalarSelf": (2,), "masked_fill.Scalar": (0,),
    "tril.default": (0,), "triu.default": (0,),
}  # fmt: skip
_CASTS = ("to.dtype", "_to_copy.default")


def walk(kernel: fx.Node, dependent: set[str]) -> tuple[set[fx.Node], list[fx.Node]]:
    """The nodes that the kernel is linear through, and those where that ends."""
    region: set[fx.Node] = set()
    sources: dict[fx.Node, None] = {}
    stack = [kernel]
    while stack:
        node = stack.pop()
        if node in region or node in sources:
            continue
        name = operator_name(node)
        inner = [source for source in node.all_input_nodes if source.name in dependent]
        linear = name in REARRANGING or name in _LINEAR or (name in _CASTS and _keeps_fractions(node))
        if name == GETITEM:  # one of the parts that a tensor was split into, and not of what an operator computed
            linear = all(operator_name(source) in REARRANGING for source in inner)
        if name in _PLACING:
            linear = all(any(node.args[place] is source for place in _PLACING[name]) for source in inner)
        if name == "div.Tensor":
            divisor = node.args[1]
            linear = not (isinstance(divisor, fx.Node) and divisor.name in dependent)
        if linear and inner:
            region.add(node)
            stack.extend(inner)
        else:
            sources[node] = None
    return region, list(sources)


def narrowest(
    traced: Traced, source: fx.Node, kernel: fx.Node, region: set[fx.Node], dependent: set[str]
) -> list[fx.Node]:
    """Of the nodes that everything from ``source`` to ``kernel`` passes through, those with the fewest elements, in order."""
    chain = [source]
    while chain[-1] is not kernel:
        users = [user for user in chain[-1].users if user in region]
        if len(users) != 1 or users[0] is kernel:
            break
        if any(node_input not in chain for node_input in users[0].all_input_nodes if node_input.name in dependent):
            break
        chain.append(users[0])
    counted = [(node, elements(traced, node)) for node in chain]
    fewest = min(count for _, count in counted if count)
    return [node for node, count in counted if count == fewest]


def _keeps_fractions(cast: fx.Node) -> bool:
    """Whether it is from fractions to fractions: a cast to integers cuts off, and integers are no weights yet."""
    before = cast.args[0]
    values = [cast.meta.get("val"), before.meta.get("val") if isinstance(before, fx.Node) else None]
    return all(isinstance(value, torch.Tensor) and value.is_floating_point() for value in values)
