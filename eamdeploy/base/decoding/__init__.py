"""The one way from bytes that somebody else wrote to typed values; what does not fit is refused with file, field and value."""

from __future__ import annotations

from eamdeploy.base.decoding.decoder import JSON_LIMIT_BYTES, convert, decode, read_limited, refused
from eamdeploy.base.decoding.manifest import MANIFEST_LIMIT_BYTES, decode_manifest
from eamdeploy.base.decoding.run import TimedRun, check_run, decode_run, decode_timed_run

__all__ = [
    "JSON_LIMIT_BYTES",
    "MANIFEST_LIMIT_BYTES",
    "TimedRun",
    "check_run",
    "convert",
    "decode",
    "decode_manifest",
    "decode_run",
    "decode_timed_run",
    "read_limited",
    "refused",
]
