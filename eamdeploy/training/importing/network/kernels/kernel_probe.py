"""Values put in where a computed kernel comes from, to see the kernels that come out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, fx

from eamdeploy.training.importing.network.kernels.kernel_form import Gate, Mixing, mixed_kernels
from eamdeploy.training.importing.network.tracing.evaluate import evaluate
from eamdeploy.training.importing.network.tracing.trace import Traced

TOLERANCE = 1e-9


def elements(traced: Traced, node: fx.Node) -> int:
    """How many values a node gives, for all images together; 0 where its shape is not known, or it gives several tensors."""
    if isinstance(node.meta.get("val"), (tuple, list)):
        return 0
    count = 1
    for size in traced.shapes.get(node.name, (0,)):
        count *= size
    return count


class KernelProbe:
    """Puts values into the cuts and looks at the kernels that come out."""

    def __init__(self, traced: Traced, kernel: fx.Node, sources: Sequence[fx.Node], shape: tuple[int, ...]) -> None:
        self.traced, self.kernel, self.shape = traced, kernel, shape
        self.batch = traced.batch
        self.fits = all(count and count % self.batch == 0 for count in (elements(traced, part) for part in sources))
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
        return elements(self.traced, cut) // self.batch

    def kernels(self, values: dict[str, Tensor], without: fx.Node | None = None) -> Tensor:
        """``(B, O, C/g, kh, kw)`` for the given values of cuts; the other cuts, but for ``without``, have arbitrary ones."""
        filling = {cut.name: value for cut, value in self._filling.items() if cut is not without}
        filling.update({name: self._shaped(name, value) for name, value in values.items()})
        result: Tensor = evaluate(self.traced, self.kernel, filling, {})
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

    def confirms(self, mixing: Mixing, groups: int) -> bool:
        """Whether the form gives the kernels that the code gives, for other values and each image."""
        generator = torch.Generator().manual_seed(1)
        values = {
            cut.name: torch.randn(self.batch, self.size(cut), generator=generator, dtype=torch.float64)
            for cut in self.cuts
        }
        expected = self.kernels(values)
        actual = mixed_kernels(mixing, values, groups, self.batch)
        scale = expected.abs().max().clamp(min=1e-30)
        return bool(((actual - expected).abs().max() / scale) < TOLERANCE)


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
