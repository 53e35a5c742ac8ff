"""What is trained, in order of worth, and for how many epochs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from benchmarks.accuracy.variants import VARIANTS, AccuracyVariant
from eamdeploy.networks.spec import ArchSpec

MAIN_PAIR = ("static", "eam rcr")
OTHERS = ("eam rcr, tau 30 to 1", "dynet", "eam cgr-max")
# of the time asked for: reading data, evaluating and the last batches want some
USABLE = 0.9


@dataclass(frozen=True)
class Kind:
    """A network of the comparison without its seed."""

    variant: str
    width: float

    @property
    def setting(self) -> AccuracyVariant:
        """The variant, at this width."""
        variant = next(candidate for candidate in VARIANTS if candidate.name == self.variant)
        return replace(variant, spec=replace(variant.spec, width=self.width))


@dataclass(frozen=True)
class Job:
    """One training run."""

    kind: Kind
    seed: int
    epochs: int

    @property
    def spec(self) -> ArchSpec:
        """The network."""
        return replace(self.kind.setting.spec, seed=self.seed, classes=10)

    @property
    def folder(self) -> str:
        """A name for its files."""
        words = self.kind.variant.replace(",", "").replace(" ", "-")
        return f"v1x{self.kind.width:g}-{words}-seed{self.seed}-epochs{self.epochs}"


@dataclass(frozen=True)
class Scope:
    """How much is worth asking for on a kind of device.

    Attributes:
        shortest, longest: epochs.
        jobs: jobs ``(variant, width, seed)`` in order of worth; the first ``needed`` of them decide the epochs.
    """

    shortest: int
    longest: int
    needed: int
    jobs: tuple[tuple[Kind, int], ...]


def _jobs(variants: Sequence[str], width: float, seeds: Sequence[int]) -> list[tuple[Kind, int]]:
    """Seed by seed, so that an early stop leaves whole comparisons."""
    return [(Kind(variant, width), seed) for seed in seeds for variant in variants]


_CPU = (
    *_jobs(MAIN_PAIR, 0.25, (0, 1)),
    *_jobs(OTHERS[:2], 0.25, (0, 1)),
    *_jobs(OTHERS[2:], 0.25, (0, 1)),
    *_jobs(MAIN_PAIR, 0.25, (2,)),
)
_GPU_NEEDED = (
    *_jobs(MAIN_PAIR, 0.25, (0, 1, 2)),
    *_jobs(OTHERS, 0.25, (0,)),
    *_jobs(MAIN_PAIR, 0.5, (0, 1, 2)),
    *_jobs(OTHERS, 0.5, (0,)),
)
_GPU_REST = (*_jobs(OTHERS, 0.25, (1, 2)), *_jobs(OTHERS, 0.5, (1, 2)), *_jobs(MAIN_PAIR, 1.0, (0, 1, 2)))
SCOPES = {
    "cpu": Scope(12, 12, 4, _CPU),
    "cuda": Scope(60, 200, len(_GPU_NEEDED), (*_GPU_NEEDED, *_GPU_REST)),
}


def epochs_that_fit(scope: Scope, seconds: float, epoch_s: Mapping[Kind, float], replicas: int) -> int:
    """The most epochs at which the needed jobs end within ``seconds``, within the scope's bounds.

    Args:
        epoch_s: seconds of one epoch of each kind, measured with ``replicas`` networks training side by side.
    """
    needed = [epoch_s[kind] for kind, _ in scope.jobs[: scope.needed]]
    one_epoch = max(sum(needed) / replicas, *needed)
    return min(max(scope.shortest, int(USABLE * seconds / one_epoch)), scope.longest)


def jobs_of(scope: Scope, epochs: int, seeds: int | None = None) -> list[Job]:
    """Every job in order; of ``seeds`` seeds at most."""
    return [Job(kind, seed, epochs) for kind, seed in scope.jobs if seeds is None or seed < seeds]
