"""What a board may say, as types: every line is decoded against its event, and every answer against what was asked."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from devices.runner.wire import MARK
from eamdeploy.base.decoding import refused
from eamdeploy.base.errors import MeasurementError
from eamdeploy.base.values import Amount, Count, Duration, Name, Reading, Text

LINE_LIMIT_BYTES = 1 << 26  # one line may hold the outputs of a hundred images, or many samples
_MOST_SAMPLES = 1_000_000
_LIE = "the board's answer cannot be used"
_HINT = "nothing of it was kept; check the board, or run again"
# a tenth of a microsecond to a day: no inference ends sooner or later
_Nanoseconds = Annotated[int, Meta(ge=100, le=86_400_000_000_000)]
_Durations = Annotated[list[_Nanoseconds], Meta(max_length=_MOST_SAMPLES)]
_Base64 = Annotated[str, Meta(max_length=LINE_LIMIT_BYTES, pattern=r"^[A-Za-z0-9+/]*={0,2}\Z")]
_Scalar = Reading | int | Text | bool | None
Problem = tuple[str, str]


class Ready(Struct, tag_field="event", tag="ready"):
    """The runner has started."""

    pid: Count
    python: Name


class Alive(Struct, tag_field="event", tag="alive"):
    """The runner has nothing to say, and is there."""


class Ended(Struct, tag_field="event", tag="ended"):
    """A worker has ended."""

    worker: Name
    status: Annotated[int, Meta(ge=-128, le=255)]


class Result(Struct, tag_field="event", tag="result"):
    """The answer to a request; what else it holds depends on the request."""

    id: Count
    worker: Name | None = None


class Failed(Struct, tag_field="event", tag="error"):
    """A request that could not be done."""

    id: Count
    type: Name = ""
    what: Text | None = None
    where: Text | None = None
    why: Text | None = None
    hint: Text | None = None
    traceback: Text | UnsetType = UNSET
    worker: Name | None = None


Message = Ready | Alive | Ended | Result | Failed
_MESSAGE = msgspec.json.Decoder(Message)


class BadMessage(ValueError):
    """A line that says it is ours and is not.

    Attributes:
        error: what is wrong with it.
    """

    def __init__(self, error: MeasurementError) -> None:
        super().__init__(str(error))
        self.error = error


def read_line(line: str, board: str) -> tuple[Message, str] | None:
    """The message in a line with its text; None when the line is somebody else's (a banner, a print).

    Raises:
        BadMessage: the line is marked as ours and does not decode.
    """
    at = line.find(MARK)
    if at < 0:
        return None
    text = line[at + len(MARK) :]
    try:
        return _MESSAGE.decode(text), text
    except (msgspec.DecodeError, RecursionError, UnicodeError, ValueError) as error:
        raise BadMessage(_lie(error, text, board)) from error


class _Tensor(Struct):
    name: Name
    shape: Annotated[list[Annotated[int, Meta(ge=-1, le=2**31)] | None], Meta(max_length=16)]
    dtype: Name


class Loaded(Struct):
    """The answer to ``load``."""

    version: Name
    numpy: Name
    python: Name
    import_ms: Duration
    load_ms: Duration
    inputs: Annotated[list[_Tensor], Meta(max_length=1024)]
    outputs: Annotated[list[_Tensor], Meta(max_length=1024)]
    baseline_mb: Amount | None
    engine_build_ms: Duration | None = None


class _Readings(Struct):
    t_ns: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    wall_s: Annotated[float, Meta(ge=-1e11, le=1e11)]
    temperature_c: Annotated[float, Meta(ge=-273.15, le=1000.0)] | None = None
    clock_mhz: Annotated[float, Meta(ge=0.0, le=1e6)] | None = None
    load1: Amount | None = None
    throttled: Count | None = None
    power_mw: Amount | None = None
    other_cpus: Reading | None = None
    swap_used_mb: Amount | None = None


class _Timing(Struct):
    first_ns: _Nanoseconds
    warmup_ns: _Durations
    stable: bool
    samples_ns: Annotated[_Durations, Meta(min_length=1)]
    starts_ns: Annotated[list[Annotated[int, Meta(ge=0, le=2**63 - 1)]], Meta(max_length=_MOST_SAMPLES)]
    untimed: Count
    conditions: Annotated[list[_Readings], Meta(min_length=1, max_length=_MOST_SAMPLES)]


class Timed(Struct):
    """The answer to ``measure``."""

    timing: _Timing
    peak_mb: Amount | None


class OnceAnswer(Struct):
    """The answer to ``once``."""

    duration_ns: _Nanoseconds


class Inferred(Struct):
    """The answer to ``infer``."""

    outputs: _Base64
    shape: Annotated[list[Annotated[int, Meta(ge=1, le=2**31)]], Meta(min_length=1, max_length=8)]
    input_sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class _Operator(Struct):
    name: Name
    kind: Name
    mean_ms: Duration
    calls: Count
    where: Name


class Profiled(Struct):
    """The answer to ``profile``."""

    operators: Annotated[list[_Operator], Meta(max_length=100_000)]


class Facts(Struct):
    """The answer to ``facts``."""

    facts: dict[Name, Text]


class ConditionsMessage(Struct):
    """The answer to ``conditions``."""

    conditions: _Readings


ANSWERS: dict[str, Any] = {
    "load": Loaded,
    "measure": Timed,
    "once": OnceAnswer,
    "infer": Inferred,
    "profile": Profiled,
    "facts": Facts,
    "conditions": ConditionsMessage,
}
_DECODERS = {operation: msgspec.json.Decoder(kind) for operation, kind in ANSWERS.items()}


def read_answer(operation: str, request: Mapping[str, Any], text: str, board: str) -> dict[str, Any]:
    """The answer to a request, decoded and held against what was asked.

    Raises:
        MeasurementError: it cannot be true; board, field and value are named.
    """
    try:
        answer = _DECODERS[operation].decode(text)
        document: dict[str, Any] = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeError, ValueError) as error:
        raise _lie(error, text, board) from error
    for field, why in _CHECKS.get(operation, _nothing)(answer, request, document):
        raise MeasurementError(_LIE, where=f"{board}, field '{field}'", why=why, hint=_HINT)
    return document


def _timed(answer: Timed, request: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[Problem]:
    timing, limits = answer.timing, request.get("limits", {})
    count = len(timing.samples_ns)
    if len(timing.starts_ns) != count:
        yield "timing.starts_ns", f"{len(timing.starts_ns)} starts for {count} samples"
        return
    if count > limits.get("max_samples", math.inf):
        yield "timing.samples_ns", f"{count} samples where at most {limits['max_samples']:g} were asked for"
    total_s = sum(timing.samples_ns) / 1e9
    if count < limits.get("min_samples", 1) and total_s < limits.get("max_seconds", 60.0) / 2:
        yield "timing.samples_ns", f"{count} samples where at least {limits['min_samples']:g} were asked for"
    ends = (start + duration for start, duration in zip(timing.starts_ns, timing.samples_ns, strict=True))
    if any(begin < end for end, begin in zip(ends, timing.starts_ns[1:], strict=False)):
        yield "timing.starts_ns", "an inference began before the one before it had ended"
    if any(later.t_ns < earlier.t_ns for earlier, later in itertools.pairwise(timing.conditions)):
        yield "timing.conditions", "its clock ran backwards"
    yield from _odd_readings(document["timing"]["conditions"], "timing.conditions")


def _inferred(answer: Inferred, request: Mapping[str, Any], _: Mapping[str, Any]) -> Iterator[Problem]:
    images = request["images"][0]
    if answer.shape[0] != images:
        yield "shape", f"outputs of {answer.shape[0]} images where {images} were sent"
    padded, numbers = len(answer.outputs), math.prod(answer.shape)
    size = padded // 4 * 3 - answer.outputs[-2:].count("=")
    if padded % 4 or size != 4 * numbers:
        yield "outputs", f"{size} bytes for {numbers} numbers of float32"


def _conditions(_: ConditionsMessage, __: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[Problem]:
    yield from _odd_readings([document["conditions"]], "conditions")


def _odd_readings(readings: list[dict[str, Any]], field: str) -> Iterator[Problem]:
    """Readings of newer sensors are plain values, whatever they are called."""
    for reading in readings:
        try:
            msgspec.convert(reading, dict[Name, _Scalar])
        except msgspec.ValidationError as error:
            yield field, str(error)
            return


def _nothing(_: Any, __: Mapping[str, Any], ___: Mapping[str, Any]) -> Iterator[Problem]:
    return iter(())


_CHECKS: dict[str, Callable[[Any, Mapping[str, Any], Mapping[str, Any]], Iterator[Problem]]] = {
    "measure": _timed,
    "infer": _inferred,
    "conditions": _conditions,
}


def _lie(error: Exception, text: str, board: str) -> MeasurementError:
    refusal = refused(error, text, where=board, what=_LIE, hint=_HINT)
    return MeasurementError(refusal.what, where=refusal.where, why=refusal.why, hint=refusal.hint)


__all__ = [
    "LINE_LIMIT_BYTES",
    "Alive",
    "BadMessage",
    "Ended",
    "Failed",
    "Message",
    "Ready",
    "Result",
    "read_answer",
    "read_line",
]
