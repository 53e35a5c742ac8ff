"""How a computed kernel depends on the image: a walk back from the kernel to the values that it is linear in.

Whatever the user's code did between the attention and the kernel (views, permutations, products with a bank, sums, loops over
the bank), it is linear in the attention. So the bank need not be recognised by its shape: it is computed, as the
kernels that the code gives for the unit vectors. Values that only scale parts of the kernel are gates.
"""

from __future__ import annotations

from torch import fx

from eamdeploy.training.importing.network.kernels.kernel_form import Gate, Mixing, NoMixing
from eamdeploy.training.importing.network.kernels.kernel_probe import KernelProbe
from eamdeploy.training.importing.network.kernels.linearity import narrowest, walk
from eamdeploy.training.importing.network.tracing.evaluate import operator_name
from eamdeploy.training.importing.network.tracing.trace import Traced

# beyond this many, what mixes is rather a layer that computes the kernel outright
MOST_KERNELS = 32
_PICKS = ("index.Tensor", "index_select.default", "embedding.default", "gather.default")


def find_mixing(
    traced: Traced, kernel: fx.Node, dependent: set[str], shape: tuple[int, int, int, int], groups: int
) -> Mixing | NoMixing:
    """The form of ``kernel``, a node that gives ``B`` kernels of ``shape`` (O, C/g, kh, kw) one after the other."""
    region, sources = walk(kernel, dependent)
    if kernel in sources:
        return NoMixing(f"the kernel itself is what {operator_name(kernel) or kernel.target} gives")
    probe = KernelProbe(traced, kernel, sources, shape)
    if not probe.fits:
        return NoMixing("a value that the kernel is computed from does not belong to one image")
    gates: dict[str, list[Gate]] = {"outputs": [], "inputs": [], "taps": []}
    mixing: list[fx.Node] = []
    for source in sources:
        cuts = narrowest(traced, source, kernel, region, dependent)
        # what scales the kernel may itself be computed by a linear layer: then a later cut is the gate
        found_gate = next((gate for cut in cuts if (gate := probe.gate(source, cut, groups))), None)
        if found_gate is None:
            mixing.append(cuts[0])
            probe.use(source, cuts[0])
        else:
            gates[found_gate[0]].append(found_gate[1])
            probe.use(source, found_gate[1].node)
    count = sum(probe.size(cut) for cut in mixing)
    if count > MOST_KERNELS and any(operator_name(cut) in _PICKS for cut in mixing):
        return NoMixing("it is picked by index: weights of 0 and 1 times the bank would be mixed (F.one_hot)")
    if count > MOST_KERNELS:
        return NoMixing(f"it is computed from {count} values by a layer: there is no bank of kernels")
    mixing_form = probe.mixing(tuple(mixing), gates)
    if not probe.confirms(mixing_form, groups):
        if len(mixing) > 1:
            return NoMixing("the kernel is a product of several computed values", [node.name for node in mixing])
        return NoMixing("the kernel is not linear in what it is computed from")
    return mixing_form
