"""How an imported network is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

from eamdeploy.cli.views.output import make_table

if TYPE_CHECKING:
    from eamdeploy.training.importing.network.session import ImportedNetwork


def render_imported(console: Console, imported: ImportedNetwork) -> None:
    """What was found, what proves it, and what the weights do not hold."""
    rewritten = imported.rewritten
    if rewritten.layers:
        table = make_table("layer", "form", ">kernels", "seen")
        for layer in rewritten.layers:
            table.add_row(layer.path, layer.form, "x".join(map(str, layer.shape)), layer.note)
        console.print(table)
    else:
        console.print("No convolution has a computed kernel: this is a static network.")
    worst = max(rewritten.proof.errors.values())
    batches = ", ".join(map(str, rewritten.proof.errors))
    console.print(
        f"Equal to the original in float64 at batch {batches}: largest difference {worst:.1e} of the largest score."
    )
    if rewritten.one_by_one:
        console.print(f"Batches run image by image: {rewritten.one_by_one}.")
    for number in imported.unstored:
        console.print(f"note: {number.sentence}.")
    for path in imported.adapted:
        console.print(f"note: adapted: {path}.")
    console.print(f"wrote {imported.checkpoint.path}")
