"""How a computed kernel depends on the image: a walk back from the kernel to the values that it is linear in.

Whatever the user's code did between the attention and the kernel (views, permutations, products with a bank, sums, loops over
the bank), it is linear in the attention. So the bank need not be recognised by its shape: it is computed, as the
kernels that the code gives for the unit vectors. Values that only scale parts of the kernel are gates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, fx

from eamdeploy.networks.program.operators import REARRANGING
from eamdeploy.training.importing.network.tracing.evaluate import evaluate, operator_name
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
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Gate:
    """A value that scales parts of a kernel.

    Attributes:
        node: that gives it.
        index: of the image's gate values, the one that scales each output channel, input channel or tap.
    """

    node: fx.Node
    index: tuple[int, ...]


@dataclass(frozen=True)
class Mixing:
    """``W = taps * outputs * inputs * (constant + sum_i alpha_i bank_i)``; several alphas are one after the other.

    Attributes:
        alphas: the nodes of the mixing weights, mostly one; none where the kernel is only gated.
        bank: (k, O, C/g, kh, kw), in float64.
        constant: a kernel that is not mixed, of the same shape but for k, or ``None``.
        outputs, inputs, taps: gates; several of a kind multiply.
    """

    alphas: tuple[fx.Node, ...]
    bank: Tensor
    constant: Tensor | None = None
    outputs: tuple[Gate, ...] = ()
    inputs: tuple[Gate, ...] = ()
    taps: tuple[Gate, ...] = ()


@dataclass
class NoMixing:
    """Why a kernel has no such form."""

    reason: str
    seen: list[str] = field(default_factory=list)


def find_mixing(
    traced: Traced, kernel: fx.Node, dependent: set[str], shape: tuple[int, int, int, int], groups: int
) -> Mixing | NoMixing:
    """The form of ``kernel``, a node that gives ``B`` kernels of ``shape`` (O, C/g, kh, kw) one after the other."""
    region, sources = _walk(kernel, dependent)
    if kernel in sources:
        return NoMixing(f"the kernel itself is what {operator_name(kernel) or kernel.target} gives")
    probe = _Probe(traced, kernel, sources, shape)
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
    counted = [(node, _elements(traced, node)) for node in chain]
    fewest = min(count for _, count in counted if count)
    return [node for node, count in counted if count == fewest]


def _elements(traced: Traced, node: fx.Node) -> int:
    count = 1
    for size in traced.shapes.get(node.name, (0,)):
        count *= size
    return count


class _Probe:
    """Puts values into the cuts and looks at the kernels that come out."""

    def __init__(self, traced: Traced, kernel: fx.Node, sources: Sequence[fx.Node], shape: tuple[int, ...]) -> None:
        self.traced, self.kernel, self.shape = traced, kernel, shape
        self.batch = traced.batch
        self.fits = all(count and count % self.batch == 0 for count in (_elements(traced, one) for one in sources))
        self.cuts = {source: source for source in sources}
        self._generator = torch.Generator().manual_seed(0)
        self._filling = {source: self._arbitrary(source) for source in sources} if self.fits else {}

    def _arbitrary(self, node: fx.Node) -> Tensor:
        return torch.rand(self.traced.shapes[node.name], generator=self._generator, dtype=torch.float64) + 0.5

    def use(self, source: fx.Node, cut: fx.Node) -> None:
        """From now on put values in at ``cut`` in place of ``source``."""
        del self.cuts[source], self._filling[source]
        self.cuts[cut], self._filling[cut] = cut, self._arbitrary(cut)

    def size(self, cut: fx.Node) -> int:
        """Elements of a cut for one image."""
        return _elements(self.traced, cut) // self.batch

    def kernels(self, values: dict[str, Tensor], without: fx.Node | None = None) -> Tensor:
        """``(B, O, C/g, kh, kw)`` for the given values of cuts; the other cuts, but for ``without``, have arbitrary ones."""
        given = {cut.name: value for cut, value in self._filling.items() if cut is not without}
        given.update({name: self._shaped(name, value) for name, value in values.items()})
        result: Tensor = evaluate(self.traced, self.kernel, given, {})
        return result.reshape(self.batch, *self.shape)

    def _shaped(self, name: str, value: Tensor) -> Tensor:
        return value.double().reshape(self.traced.shapes[name])

    def _ones(self, cut: fx.Node) -> Tensor:
        return torch.ones(self.batch, self.size(cut), dtype=torch.float64)

    def gate(self, source: fx.Node, cut: fx.Node, groups: int) -> tuple[str, Gate] | None:
        """(``outputs``, ``inputs`` or ``taps``; the gate) where the cut behind ``source`` only scales parts of the kernel."""
        count = self.size(cut)
        steps = 1 + torch.arange(count, dtype=torch.float64) / count
        if count == 1:
            steps = steps * 2
        plain = self.kernels({cut.name: self._ones(cut)}, source)[0]
        ratio = self.kernels({cut.name: steps.expand(self.batch, -1)}, source)[0] / plain
        ratio = ratio / 2 if count == 1 else ratio
        index = ((ratio - 1) * count).round()
        settled = plain.abs() > 1e-12 * plain.abs().max()
        close = ((1 + index / count - ratio).abs() < TOLERANCE) | ~settled
        if not bool(close.all()) or bool((index[settled] < 0).any()) or bool((index[settled] >= count).any()):
            return None
        index[~settled] = -1
        return _role(index.long(), groups, cut)

    def mixing(self, alphas: tuple[fx.Node, ...], gates: dict[str, list[Gate]]) -> Mixing:
        """The bank: the kernels of the unit vectors, every gate open."""
        opened = {gate.node.name: self._ones(gate.node) for group in gates.values() for gate in group}
        fixed = {role: tuple(group) for role, group in gates.items()}
        if not alphas:
            return Mixing((), self.kernels(opened)[:1], None, **fixed)
        shut = {alpha.name: torch.zeros(self.batch, self.size(alpha)) for alpha in alphas}
        zero = self.kernels({**opened, **shut})[0]
        bank = [
            self.kernels({**opened, **shut, alpha.name: unit.expand(self.batch, -1)})[0] - zero
            for alpha in alphas
            for unit in torch.eye(self.size(alpha), dtype=torch.float64)
        ]
        return Mixing(alphas, torch.stack(bank), zero if bool(zero.any()) else None, **fixed)

    def confirms(self, found: Mixing, groups: int) -> bool:
        """Whether the form gives the kernels that the code gives, for other values and each image."""
        generator = torch.Generator().manual_seed(1)
        values = {
            cut.name: torch.randn(self.batch, self.size(cut), generator=generator, dtype=torch.float64)
            for cut in self.cuts
        }
        wanted = self.kernels(values)
        given = mixed_kernels(found, values, groups, self.batch)
        scale = wanted.abs().max().clamp(min=1e-30)
        return bool(((given - wanted).abs().max() / scale) < TOLERANCE)


def mixed_kernels(found: Mixing, values: dict[str, Tensor], groups: int, batch: int) -> Tensor:
    """The kernels ``(B, O, C/g, kh, kw)`` that ``found`` gives for the values ``(B, n)`` of its nodes."""
    shape = found.bank.shape[1:]
    if found.alphas:
        weights = torch.cat([values[alpha.name] for alpha in found.alphas], dim=1)
        kernels = torch.einsum("bk,kocij->bocij", weights, found.bank)
    else:
        kernels = found.bank.expand(batch, *shape)
    if found.constant is not None:
        kernels = kernels + found.constant
    outputs, inputs, height, width = shape
    for gate in found.outputs:
        kernels = kernels * values[gate.node.name][:, list(gate.index)].view(batch, outputs, 1, 1, 1)
    for gate in found.inputs:
        factors = values[gate.node.name][:, list(gate.index)].view(batch, groups, 1, inputs)
        factors = factors.expand(batch, groups, outputs // groups, inputs)
        kernels = kernels * factors.reshape(batch, outputs, inputs, 1, 1)
    for gate in found.taps:
        kernels = kernels * values[gate.node.name][:, list(gate.index)].view(batch, 1, 1, height, width)
    return kernels


def _role(index: Tensor, groups: int, cut: fx.Node) -> tuple[str, Gate] | None:
    """What a map from kernel elements (O, C/g, kh, kw) to gate values amounts to; -1 is an element that is zero."""
    outputs, inputs, height, width = index.shape
    grouped = index.view(groups, outputs // groups, inputs, height, width)
    forms = {
        "outputs": (index.flatten(1), (outputs,)),
        "inputs": (grouped.permute(0, 2, 1, 3, 4).flatten(2).flatten(0, 1), (groups * inputs,)),
        "taps": (index.flatten(2).permute(2, 0, 1).flatten(1), (height * width,)),
    }
    for role, (rows, _) in forms.items():
        highest = rows.amax(dim=1)
        if bool(((rows == highest[:, None]) | (rows == -1)).all()):
            return role, Gate(cut, tuple(int(value) for value in highest.clamp(min=0)))
    return None
