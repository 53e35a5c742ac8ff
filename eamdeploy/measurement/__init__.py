"""Measure artifacts on this machine, on boards and on emulated boards: latency, accuracy, memory, energy, evidence."""

from eamdeploy.measurement.many import bench
from eamdeploy.measurement.report import BenchReport, Failure, SelfCheck
from eamdeploy.measurement.request import BenchCase, Effort, Request, expand
from eamdeploy.measurement.targets import BenchTarget, choose_targets

__all__ = [
    "BenchCase",
    "BenchReport",
    "BenchTarget",
    "Effort",
    "Failure",
    "Request",
    "SelfCheck",
    "bench",
    "choose_targets",
    "expand",
]
