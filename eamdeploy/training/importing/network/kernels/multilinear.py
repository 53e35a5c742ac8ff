"""How a computed kernel depends on the image: a walk back from the kernel to the values that it is linear in.

Whatever the user's code did between the attention and the kernel (views, permutations, products with a bank, sums, loops over
the bank), it is linear in the attention. So the bank need not be recognised by its shape: it is computed, as the
kernels that the code gives for the unit vectors. Values that only scale parts of the kernel are gates.
"""

from __future__ import annotations

from torch import fx

from eamdeploy.networks.program.operators import REARRANGING
from eamdeploy.training.importing.network.kernels.kernel_form import Gate, Mixing, NoMixing
from eamdeploy.training.importing.network.kernels.kernel_probe import KernelProbe, elements
from eamdeploy.training.importing.network.tracing.evaluate import operator_name
from eamdeploy.training.importing.network.tracing.trace import Traced

# linear in every tensor they are given, one at a time
_LINEAR = frozenset(
    [
        "mul.Tensor",
        "mul.Scalar",
        "add.Tensor",
        "add.Scalar",
        "sub.Tensor",
        "sub.Scalar",
        "rsub.Scalar",
        "neg.default",
        "div.Scalar",
        "sum.dim_IntList",
        "sum.default",
        "mean.dim",
        "mean.default",
        "mm.default",
        "bmm.default",
        "matmul.default",
        "addmm.default",
        "baddbmm.default",
        "linear.default",
        "einsum.default",
        "mv.default",
        "outer.default",
        "constant_pad_nd.default",
        "getitem",
        "to.dtype",
        "_to_copy.default",
        "cumsum.default",
        "index_put.default",
        "scatter.src",
        "scatter_add.default",
        "slice_scatter.default",
        "select_scatter.default",
        "index_add.default",
        "index_copy.default",
        "copy.default",
        "complex.default",
        "view_as_complex.default",
        "view_as_real.default",
        "real.default",
        "imag.default",
        "fft_ifft2.default",
        "fft_irfft2.default",
        "fft_fft2.default",
        "fft_rfft2.default",
        "fft_irfft.default",
        "fft_ifft.default",
        "fft_ifftshift.default",
        "fft_fftshift.default",
        "upsample_bilinear2d.vec",
        "upsample_nearest2d.vec",
    ]
)
# linear in these of their arguments alone: in what is picked or placed, not in where
_PLACING = {
    "index.Tensor": (0,), "index_select.default": (0,), "gather.default": (0,), "index_put.default": (0, 2),
    "scatter.src": (0, 3), "scatter_add.default": (0, 3), "index_add.default": (0, 3), "index_copy.default": (0, 3),
}  # fmt: skip
# beyond this many, what mixes is rather a layer that computes the kernel outright
MOST_KERNELS = 32


def find_mixing(
    traced: Traced, kernel: fx.Node, dependent: set[str], shape: tuple[int, int, int, int], groups: int
) -> Mixing | NoMixing:
    """The form of ``kernel``, a node that gives ``B`` kernels of ``shape`` (O, C/g, kh, kw) one after the other."""
    region, sources = _walk(kernel, dependent)
    if kernel in sources:
        return NoMixing(f"the kernel itself is what {operator_name(kernel) or kernel.target} gives")
    probe = KernelProbe(traced, kernel, sources, shape)
    if not probe.fits:
        return NoMixing("a value that the kernel is computed from does not belong to one image")
    gates: dict[str, list[Gate]] = {"outputs": [], "inputs": [], "taps": []}
    mixing: list[fx.Node] = []
    for source in sources:
        cuts = _narrowest(traced, source, kernel, region, dependent)
        # what scales the kernel may itself be computed by a linear layer: then a later cut is the gate
        found_gate = next((gate for cut in cuts if (gate := probe.gate(source, cut, groups))), None)
        if found_gate is None:
            mixing.append(cuts[0])
            probe.use(source, cuts[0])
        else:
            gates[found_gate[0]].append(found_gate[1])
            probe.use(source, found_gate[1].node)
    count = sum(probe.size(cut) for cut in mixing)
    if count > MOST_KERNELS:
        return NoMixing(f"it is computed from {count} values by a layer: there is no bank of kernels")
    found = probe.mixing(tuple(mixing), gates)
    if not probe.confirms(found, groups):
        if len(mixing) > 1:
            return NoMixing("the kernel is a product of several computed values", [node.name for node in mixing])
        return NoMixing("the kernel is not linear in what it is computed from")
    return found


def _walk(kernel: fx.Node, dependent: set[str]) -> tuple[set[fx.Node], list[fx.Node]]:
    """The nodes that the kernel is linear through, and those where that ends."""
    region: set[fx.Node] = set()
    sources: dict[fx.Node, None] = {}
    stack = [kernel]
    while stack:
        node = stack.pop()
        if node in region or node in sources:
            continue
        name = operator_name(node)
        inner = [one for one in node.all_input_nodes if one.name in dependent]
        linear = name in REARRANGING or name in _LINEAR
        if name in _PLACING:
            linear = all(any(node.args[place] is one for place in _PLACING[name]) for one in inner)
        if name == "div.Tensor":
            divisor = node.args[1]
            linear = not (isinstance(divisor, fx.Node) and divisor.name in dependent)
        if linear and inner:
            region.add(node)
            stack.extend(inner)
        else:
            sources[node] = None
    return region, list(sources)


def _narrowest(
    traced: Traced, source: fx.Node, kernel: fx.Node, region: set[fx.Node], dependent: set[str]
) -> list[fx.Node]:
    """Of the nodes that everything from ``source`` to ``kernel`` passes through, those with the fewest elements, in order."""
    chain = [source]
    while chain[-1] is not kernel:
        users = [user for user in chain[-1].users if user in region]
        if len(users) != 1 or users[0] is kernel:
            break
        if any(one not in chain for one in users[0].all_input_nodes if one.name in dependent):
            break
        chain.append(users[0])
    counted = [(node, elements(traced, node)) for node in chain]
    fewest = min(count for _, count in counted if count)
    return [node for node, count in counted if count == fewest]
