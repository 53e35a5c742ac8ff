"""Measure artifacts on this machine, on boards and on emulated boards: latency, accuracy, memory, energy, evidence."""

from eamdeploy.bench.many import bench
from eamdeploy.bench.report import Failure, Report, SelfCheck
from eamdeploy.bench.request import Case, Effort, Request, expand
from eamdeploy.bench.targets import Target, choose_targets

__all__ = [
    "Case",
    "Effort",
    "Failure",
    "Report",
    "Request",
    "SelfCheck",
    "Target",
    "bench",
    "choose_targets",
    "expand",
]
