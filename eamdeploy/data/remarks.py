"""What a user should know of the data that a command went through: files left out, pictures that EXIF would turn."""

from __future__ import annotations

from eamdeploy.data.dataset import ImageDataset, Subset
from eamdeploy.data.formats.folder import FolderDataset

_FOURTEEN_BITS = 16383


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
    remarks = []
    if dataset.left_out:
        examples = ", ".join(dataset.left_out[:3]) + (", …" if len(dataset.left_out) > 3 else "")
        remarks.append(
            f"{len(dataset.left_out)} files in {dataset.name} are no pictures (by their endings, or as links to nowhere) "
            f"and are left out: {examples}"
        )
    if dataset.of_no_class:
        examples = ", ".join(dataset.of_no_class[:3]) + (", …" if len(dataset.of_no_class) > 3 else "")
        remarks.append(
            f"{len(dataset.of_no_class)} folders in {dataset.name} are of no class and are left out: {examples}"
        )
    if dataset.turned:
        what = "is applied" if exif else 'is ignored ("exif": true in the preprocessing applies it)'
        remarks.append(
            f"{len(dataset.turned)} of {len(dataset.indices_read)} pictures read carry an EXIF orientation, which {what}"
        )
    if dataset.largest and max(dataset.largest.values()) <= _FOURTEEN_BITS:
        remarks.append(
            f"all {len(dataset.largest)} pictures of 16 bits hold no grey value above {max(dataset.largest.values())}, and are "
            "dark: if the camera gave 10, 12 or 14 bits, scale them to 16"
        )
    return remarks
