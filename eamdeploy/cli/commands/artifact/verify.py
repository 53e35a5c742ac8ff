"""``eamdeploy verify``: is an artifact the same function as its checkpoint?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eamdeploy.base.errors import UsageError
from eamdeploy.cli.options.common import DataOption, JsonOption
from eamdeploy.cli.options.completion import complete_artifact
from eamdeploy.cli.options.foreign import HeadOption, LabelsOption, PreprocessingOption, said_card

if TYPE_CHECKING:
    from eamdeploy.parity import ParityReport


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify", rich_help_panel="Artifacts", no_args_is_help=True)(verify_command)


def verify_command(
    artifacts: Annotated[
        list[Path],
        typer.Argument(metavar="ARTIFACT...", help=".onnx and .tflite files.", autocompletion=complete_artifact),
    ],
    against: Annotated[
        str,
        typer.Option(
            "--against",
            metavar="CKPT|ARTIFACT",
            help="The checkpoint, by path or shipped name; or a float artifact, where there is no checkpoint.",
        ),
    ],
    data: DataOption = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Images, balanced over the classes.")] = 100,
    runtime: Annotated[
        str | None, typer.Option("--runtime", help="onnxruntime or litert; left out: the one for each file.")
    ] = None,
    threads: Annotated[int, typer.Option("--threads", min=1, help="Threads of the runtime and of PyTorch.")] = 1,
    random: Annotated[int, typer.Option("--random", min=0, help="Also try so many images of noise.")] = 0,
    factor: Annotated[
        float, typer.Option("--factor", help="An exact artifact may differ by this many times the network's rounding.")
    ] = 16.0,
    min_snr: Annotated[
        float, typer.Option("--min-snr", help="Of quantized artifacts: least signal-to-noise ratio, in dB.")
    ] = 10.0,
    min_agreement: Annotated[
        float, typer.Option("--min-agreement", help="Of quantized artifacts: least share of unchanged classes, 0 to 1.")
    ] = 0.9,
    preprocessing: PreprocessingOption = None,
    labels: LabelsOption = None,
    head: HeadOption = None,
    junit: Annotated[Path | None, typer.Option("--junit", help="Write JUnit XML to this file.")] = None,
    sarif: Annotated[Path | None, typer.Option("--sarif", help="Write SARIF to this file.")] = None,
    summary: Annotated[
        bool, typer.Option("--summary/--no-summary", help="Append to GitHub's step summary where there is one.")
    ] = True,
    as_json: JsonOption = False,
) -> None:
    """Compare artifacts with their checkpoint on real images; exit 3 when one is not the same function.

    The tolerance is the rounding of the network itself, measured against a float64 run. Of an artifact that differs,
    the first layer to differ is named. Without --data the embedded sample serves any network: labels do not matter.
    Against an artifact only scores and classes can be compared, by --min-snr and --min-agreement.
    """
    from eamdeploy.cli.views.output import emit, progress
    from eamdeploy.cli.views.verify import render, write_findings
    from eamdeploy.inference.model_card import is_artifact
    from eamdeploy.parity import ParityLimits

    limits = ParityLimits(factor, min_snr, min_agreement)
    with progress() as bars:
        task = bars.add_task("verifying", total=None, note="")

        def tell(name: str, done: int, total: int) -> None:
            bars.update(task, completed=done, total=total, note=name)

        options: dict[str, Any] = {"limit": limit, "threads": threads, "limits": limits, "progress": tell}
        if is_artifact(against):
            _only_against_checkpoints({"--runtime": runtime is not None, "--random": random > 0})
            reports = _against_artifact(artifacts, Path(against), (preprocessing, labels, head), data, options)
        else:
            said_card(against, preprocessing, labels, head)
            options |= {"runtime": runtime, "random_images": random}
            reports = _against_checkpoint(artifacts, against, data, options)
    write_findings(reports, junit, sarif, summary)
    failed = [report for report in reports if not report.passed]
    found = next((report.first_divergence for report in failed if report.first_divergence), None)
    document = {
        "verdict": "failed" if failed else "passed",
        "checks": [check.to_dict() for report in reports for check in report.checks],
        "first_divergence": None if found is None else vars(found),
        "artifacts": [report.to_dict() for report in reports],
    }
    emit("verify", document, as_json, lambda console: render(reports, console))
    if failed:
        from eamdeploy.base.errors import ParityError

        first = failed[0]
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        raise ParityError(f"{first.artifact}{more} is {first.sentence}")


def _against_checkpoint(
    artifacts: list[Path], against: str, data: Path | None, options: dict[str, Any]
) -> list[ParityReport]:
    from eamdeploy.data import open_images
    from eamdeploy.networks.checkpoint import load_checkpoint
    from eamdeploy.parity import verify

    checkpoint = load_checkpoint(against)
    dataset = None if data is None else open_images(data, checkpoint.classes)
    return verify(artifacts, checkpoint, dataset, **options)


def _against_artifact(
    artifacts: list[Path],
    against: Path,
    said: tuple[str | None, Path | None, str | None],
    data: Path | None,
    options: dict[str, Any],
) -> list[ParityReport]:
    from eamdeploy.data import open_images
    from eamdeploy.inference.foreign import artifact_card
    from eamdeploy.parity import verify_against_artifact

    card = artifact_card(against, *said, made_from_it=artifacts)
    dataset = None if data is None else open_images(data, card.classes)
    return verify_against_artifact(artifacts, card, dataset, **options)


def _only_against_checkpoints(given: dict[str, bool]) -> None:
    for option, there in given.items():
        if there:
            raise UsageError(f"{option} needs a checkpoint to compare with", where="--against")
