"""What a user should know of the data that a command went through: files left out, pictures that EXIF would turn."""

from __future__ import annotations

from eamdeploy.data.dataset import ImageDataset, Subset
from eamdeploy.data.formats.folder import FolderDataset


def remarks_on(dataset: ImageDataset, *, exif: bool = False) -> list[str]:
    """Sentences on a data set after it was read.

    Args:
        dataset: that was gone through.
        exif: whether the preprocessing applies the orientation.
    """
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    if not isinstance(dataset, FolderDataset):
        return []
    found = []
    if dataset.left_out:
        some = ", ".join(dataset.left_out[:3]) + (", …" if len(dataset.left_out) > 3 else "")
        found.append(
            f"{len(dataset.left_out)} files in {dataset.name} are no pictures by their endings and are left out: {some}"
        )
    if dataset.of_no_class:
        some = ", ".join(dataset.of_no_class[:3]) + (", …" if len(dataset.of_no_class) > 3 else "")
        found.append(f"{len(dataset.of_no_class)} folders in {dataset.name} are of no class and are left out: {some}")
    if dataset.turned:
        what = "is applied" if exif else 'is ignored ("exif": true in the preprocessing applies it)'
        found.append(
            f"{len(dataset.turned)} of {len(dataset.read)} pictures read carry an EXIF orientation, which {what}"
        )
    return found
