"""The kinds of artifact: their names, their endings, and the files that each consists of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ArtifactFormat:
    """One kind of artifact.

    Attributes:
        name: as ``--format`` and the manifest call it.
        ending: of the file that is named on a command line, the last suffix included.
        companions: suffixes of further files that belong to it, in the place of the last suffix.
    """

    name: str
    ending: str
    companions: tuple[str, ...] = ()

    @property
    def suffix(self) -> str:
        """The last suffix, by which an artifact is recognized."""
        return Path(f"name{self.ending}").suffix

    def file_name(self, name: str) -> str:
        """The artifact's file name for the name of a model."""
        return f"{name}{self.ending}"


FORMATS: dict[str, ArtifactFormat] = {
    entry.name: entry
    for entry in (
        ArtifactFormat("onnx", ".onnx"),
        ArtifactFormat("tflite", ".tflite"),
        ArtifactFormat("ncnn", ".ncnn.param", (".bin",)),
        ArtifactFormat("mnn", ".mnn"),
    )
}
SUFFIXES: tuple[str, ...] = tuple(entry.suffix for entry in FORMATS.values())
# for messages and help texts
ARTIFACT_KINDS = "an .onnx, .tflite, .param (ncnn) or .mnn file"


def format_of(path: Path | str) -> ArtifactFormat | None:
    """The format of a file by its suffix, or ``None`` where it is no artifact."""
    suffix = Path(path).suffix.lower()
    return next((entry for entry in FORMATS.values() if entry.suffix == suffix), None)


def companions_of(path: Path) -> tuple[Path, ...]:
    """Where the files are that belong to an artifact of a format that consists of several."""
    known_format = format_of(path)
    return tuple(path.with_suffix(suffix) for suffix in (known_format.companions if known_format else ()))


def model_name(path: Path) -> str:
    """The artifact's name without its ending."""
    known_format = format_of(path)
    name = path.name
    if known_format is not None and name.lower().endswith(known_format.ending):
        return name[: -len(known_format.ending)]
    return path.stem
