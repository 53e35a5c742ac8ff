"""How an imported network is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from eamdeploy.cli.views.output import make_table

if TYPE_CHECKING:
    from eamdeploy.training.importing.network.session import ImportedNetwork


def render_imported(console: Console, made: ImportedNetwork) -> None:
    """What was found, what proves it, and what the weights do not hold."""
    found = made.rewritten
    if found.layers:
        table = make_table("layer", "form", ">kernels", "seen")
        for layer in found.layers:
            table.add_row(layer.path, layer.form, "x".join(map(str, layer.shape)), layer.note)
        console.print(table)
    else:
        console.print("No convolution has a computed kernel: this is a static network.")
    worst = max(found.proof.errors.values())
    batches = ", ".join(map(str, found.proof.errors))
    console.print(
        f"Equal to the original in float64 at batch {batches}: largest difference {worst:.1e} of the largest score."
    )
    if found.one_by_one:
        console.print(f"Batches run image by image: {found.one_by_one}.")
    for number in made.unstored:
        console.print(f"note: {number.sentence}.")
    for path in made.adapted:
        console.print(f"note: adapted: {path}.")
    console.print(f"wrote {made.checkpoint.path}")
