"""The checkpoints that come with the package: ``eamdeploy/networks/zoo/NAME.safetensors`` and their cards, ``NAME.md``."""

from __future__ import annotations

from pathlib import Path

from eamdeploy.base.errors import DataError, did_you_mean

ZOO = Path(__file__).parent


def shipped_names() -> list[str]:
    """Names of the shipped checkpoints; each starts with its data."""
    return sorted(path.stem for path in ZOO.glob("*.safetensors"))


def shown_name(path: str) -> str:
    """A checkpoint as a sentence names it: a shipped one by its name, which commands take, another one by its path."""
    file = Path(path)
    return file.stem if file.parent == ZOO and file.suffix == ".safetensors" else path


def resolve_checkpoint(path_or_name: Path | str) -> Path:
    """The file of a checkpoint given by path or by shipped name; a path that exists wins.

    Raises:
        DataError: when it is neither.
    """
    path = Path(path_or_name)
    if path.is_file():
        return path
    if path.is_dir() and (path / "model.safetensors").is_file():
        return path / "model.safetensors"
    shipped = ZOO / f"{path_or_name}.safetensors"
    if shipped.is_file() and shipped.parent == ZOO:
        return shipped
    if path.is_dir():
        raise DataError("the folder holds no model.safetensors", where=path)
    hint = f"give a path or a shipped name ({did_you_mean(str(path_or_name), shipped_names())})"
    raise DataError("no such checkpoint", where=path_or_name, hint=hint)
