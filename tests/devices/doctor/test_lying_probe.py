"""What the doctor and the set-up ask a board is decoded too: a wrong answer names the board and the field."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from devices.doctor import examine
from devices.setup.environment import fresh_environment
from devices.transports.protocol import CompletedCommand
from eamdeploy.base.errors import EamdeployError, MeasurementError

MARK = "@eamdeploy "
PROBE = "machine=aarch64\nhome=/home/pi\nlibc=glibc 2.36\nMemTotal=8000000\nseconds=1795000000\n"
GOOD: dict[str, Any] = {
    "python": "3.11.2", "executable": "/usr/bin/python3", "platform": "linux-aarch64", "bits": 64, "numpy": "2.4.6",
    "pip": True, "venv": True, "onnxruntime": "1.32.0",
    "readings": {"t_ns": 1, "temperature_c": 48.3, "throttled": 0, "power_source": "PMIC", "clock_max_mhz": 2400.0},
    "settings": {"governor": "performance"}, "problems": {},
}  # fmt: skip


class ScriptedBoard:
    """Answers the two questions of the doctor, and the set-up's, with given texts."""

    name, python = "liar", ("python3", "-I")

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.stderr_tail = ""

    async def connect(self) -> None: ...

    async def run(self, argv, *, stdin=None, timeout_s=None) -> CompletedCommand:
        return CompletedCommand(0, self.answers.pop(0).encode(), b"")

    async def stream(self, argv, *, env=None):
        return self

    async def __aiter__(self):
        for line in self.answers:
            yield line

    async def send(self, line: str) -> None: ...

    async def wait(self) -> int:
        return 1

    async def kill(self) -> None: ...


def _with(path: str, value: object) -> str:
    probe = json.loads(json.dumps(GOOD))
    *parents, name = path.split(".")
    holder = probe
    for parent in parents:
        holder = holder[parent]
    holder[name] = value
    return MARK + json.dumps(probe)


LIES = {
    "python": (None, 3, "3", "three", "3.x", "3.11\n", "9" * 100),
    "executable": (None, [], "/usr/bin/py\x1b[2J"),
    "bits": (None, "64", 128, 64.5, True),
    "numpy": (3, [], {}),
    "pip": (None, 1, "yes"),
    "onnxruntime": (1.32, ["1"], False),
    "readings": (None, [], "hot"),
    "readings.temperature_c": ("hot", 1e300, -400.0, [], True),
    "readings.throttled": (-1, "0x0", 0.5, 2**70),
    "readings.clock_max_mhz": ("2400", -1.0, 1e300),
    "readings.power_source": (3, "a\nb", ["x"]),
    "settings": (None, {"governor": None}, {"governor": 3}, ["performance"]),
    "problems": ({"throttling": None}, "x"),
    "sensors_error": (3, []),
}


def test_a_good_answer_is_understood() -> None:
    examination = asyncio.run(examine(ScriptedBoard(PROBE, MARK + json.dumps(GOOD))))
    assert examination.facts.temperature_c == 48.3
    assert examination.facts.python is not None
    assert examination.facts.python.release == (3, 11)


@pytest.mark.parametrize(("field", "value"), [(field, value) for field, values in LIES.items() for value in values])
def test_a_wrong_answer_of_the_boards_python_names_board_and_field(field: str, value: object) -> None:
    with pytest.raises(MeasurementError) as caught:
        asyncio.run(examine(ScriptedBoard(PROBE, _with(field, value))))
    assert caught.value.exit_code == 5
    assert "liar" in str(caught.value)
    assert field.split(".")[0] in str(caught.value)


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "[]", "3", '"x"', "\ud800".encode("utf-8", "replace").decode()])
def test_what_is_no_answer_at_all(text: str) -> None:
    with pytest.raises(MeasurementError, match="liar"):
        asyncio.run(examine(ScriptedBoard(PROBE, MARK + text)))


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e999", "1e300", "", "x", "9" * 400])
def test_numbers_of_the_probe_that_are_none_are_unknown(number: str) -> None:
    lines = "".join(f"{name}={number}\n" for name in ("MemTotal", "load", "seconds", "cpus", "bits", "work_free_kb"))
    facts = asyncio.run(examine(ScriptedBoard(f"machine=aarch64\n{lines}", MARK + json.dumps(GOOD)))).facts
    assert (facts.memory_mb, facts.load, facts.clock_offset_s, facts.cpus, facts.bits) == (None,) * 5


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["hello"] * 1000,
        [MARK + "{"],
        [MARK + "[" * 100_000],
        [MARK + "3"],
        [MARK + '{"event": "built"}'],
        [MARK + '{"event": 3}'],
        [MARK + '{"event": "building"}'],
        [MARK + '{"event": "building", "python": 3, "home": "h", "scratch": "s"}'],
        [MARK + '{"event": "building", "python": "", "home": "h", "scratch": "s"}'],
        [MARK + json.dumps({"event": "building", "python": "/p\n", "home": "h", "scratch": "s"})],
        [MARK + json.dumps({"event": "building", "python": "p", "home": "h", "scratch": "x" * 5000})],
        [MARK + '{"event": "switched", "python": "/p"}'],
        [MARK + '{"event": "busy"}'],
    ],
)
def test_a_keeper_that_answers_wrongly_sets_nothing_up(lines: list[str]) -> None:
    async def scenario() -> None:
        async with fresh_environment(ScriptedBoard(*lines), "/home/pi"):
            pytest.fail("there is no environment")

    with pytest.raises(EamdeployError) as caught:
        asyncio.run(scenario())
    assert caught.value.exit_code in (5, 6, 7)
    assert "liar" in str(caught.value)
