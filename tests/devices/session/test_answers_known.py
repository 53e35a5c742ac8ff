"""Every question that a runner answers has an answer that the host can decode: else it would wait for ever."""

from __future__ import annotations

from devices.runner.worker import Worker
from devices.session.messages import ANSWERS


def test_every_operation_of_the_runner_has_its_answer() -> None:
    assert set(Worker()._operations) | {"facts", "conditions"} == set(ANSWERS)
