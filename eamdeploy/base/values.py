"""The kinds of values that a file, a board or a store may hold: each with its bounds, wide enough for anything real."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

# one nanosecond to a day
Milliseconds = Annotated[float, Meta(ge=1e-6, le=86_400_000.0)]
Duration = Annotated[float, Meta(ge=0.0, le=86_400_000.0)]
Percent = Annotated[float, Meta(ge=0.0, le=100.0)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Positive = Annotated[int, Meta(ge=1, le=2**53)]
Few = Annotated[int, Meta(ge=1, le=65_536)]
Amount = Annotated[float, Meta(ge=0.0, le=1e12)]
Reading = Annotated[float, Meta(ge=-1e12, le=1e12)]
# a text that is a name: no line breaks, no control characters
Name = Annotated[str, Meta(max_length=1024, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
# a path may hold anything but a NUL
FilePath = Annotated[str, Meta(max_length=65_536, pattern=r"^[^\x00]*\Z")]
Text = Annotated[str, Meta(max_length=65_536)]
Identifier = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"^[!-~]+\Z")]
Digest = Annotated[str, Meta(max_length=128, pattern=r"^[0-9A-Za-z]*\Z")]
Bits = Annotated[str, Meta(min_length=1, max_length=1 << 22, pattern=r"^[0-9a-f]+\Z")]
Moment = Annotated[str, Meta(max_length=64)]
