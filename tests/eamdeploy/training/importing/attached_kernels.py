"""Networks that hold their kernels, and reach them, in unusual ways."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.eamdeploy.training.importing.spellings import _bank, _each


class Attended(nn.Module):
    """Four kernels under a softmax; how it comes about is the subclass's."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__()
        self.fc, self.bank = nn.Linear(i, 4), _bank(4, o, i, 3, 3)

    def alpha(self, x: Tensor) -> Tensor:
        return F.softmax(self.fc(x.mean((2, 3))), 1)

    def kernels(self, alpha: Tensor) -> Tensor:
        return torch.einsum("bn,noikl->boikl", alpha, self.bank)

    def forward(self, x: Tensor) -> Tensor:
        return _each(x, self.kernels(self.alpha(x)).flatten(0, 1), padding=1)


class SummedByName(Attended):
    """Kernels under names of their own, added up in a loop over the parts of the attention."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__(i, o)
        for index, kernel in enumerate(self.bank.detach()):
            self.register_parameter(f"kernel_{index}", nn.Parameter(kernel))

    def kernels(self, alpha: Tensor) -> Tensor:
        exponents = (alpha - alpha.amax(1, keepdim=True)).exp()
        parts = enumerate((exponents / exponents.sum(1, keepdim=True)).unbind(1))
        terms = [part.view(-1, 1, 1, 1, 1) * self.get_parameter(f"kernel_{index}") for index, part in parts]
        return torch.stack(terms).sum(0)


class OldNorm(Attended):
    """Convolutions under the old ``weight_norm``, which keeps a computed tensor as an attribute."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__(i, o)
        self.convs = nn.ModuleList(nn.utils.spectral_norm(nn.Conv2d(i, o, 3)) for _ in range(4))

    def kernels(self, alpha: Tensor) -> Tensor:
        return torch.tensordot(alpha, torch.stack([conv.weight for conv in self.convs]), dims=1)


class Unregistered(Attended):
    """Kernels in a plain list, which ``.double()`` does not reach, and weights in single precision whatever the network's."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__(i, o)
        self.plain = [kernel.flatten() for kernel in self.bank.detach().clone()]

    def alpha(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", enabled=False):
            return F.softmax(self.fc(x.mean((2, 3))).float() / 3, 1, dtype=torch.float32).type_as(x)

    def kernels(self, alpha: Tensor) -> Tensor:
        return (alpha @ torch.stack(self.plain)).view(len(alpha), *self.bank.shape[1:])


class Hooked(Attended):
    """Hooks scale what goes in and what comes out; the second refers to a layer of the network as it was built."""

    def __init__(self, i: int, o: int) -> None:
        super().__init__(i, o)
        self.gate = nn.Linear(o, o)
        self.register_forward_pre_hook(lambda _, inputs: (inputs[0] * 0.5,))
        self.register_forward_hook(lambda _, __, y: y * torch.sigmoid(self.gate(y.mean((2, 3))))[:, :, None, None])


class ZerosFilled(Attended):
    """The two best weights, put into zeros that are made in single precision."""

    def alpha(self, x: Tensor) -> Tensor:
        values, places = self.fc(x.mean((2, 3))).topk(2, 1)
        return torch.zeros(len(x), 4).scatter_(1, places, values.softmax(1))


class Thresholded(Attended):
    """Small weights are left out, and the rest sums to 1 again; a prototype for each kernel is the nearer the larger its weight."""

    def alpha(self, x: Tensor) -> Tensor:
        alpha = F.softmax(F.cosine_similarity(x.mean((2, 3))[:, None], self.fc.weight[None], dim=-1), 1)
        alpha = torch.where(alpha < 0.1, torch.zeros_like(alpha), alpha)
        return alpha / alpha.sum(1, keepdim=True)


# by layer, whether its weights sum to 1
ATTACHED: dict[type[nn.Module], bool] = {
    SummedByName: True,
    OldNorm: True,
    Unregistered: True,
    Hooked: True,
    ZerosFilled: False,
    Thresholded: True,
}
