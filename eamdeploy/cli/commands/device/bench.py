"""``eamdeploy bench``: latency and accuracy where the model will run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import eamdeploy
from eamdeploy.cli.options.common import DataOption, JsonOption, LimitOption, StoreOption
from eamdeploy.cli.options.completion import complete_artifact
from eamdeploy.cli.options.completion_devices import complete_board, complete_profile


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench", no_args_is_help=True)(bench_command)


def bench_command(
    *,
    artifacts: Annotated[
        list[Path],
        typer.Argument(
            metavar="ARTIFACT...",
            help="What to measure: .onnx, .tflite, .ncnn.param, .mnn.",
            autocompletion=complete_artifact,
        ),
    ],
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            envvar="EAMDEPLOY_DEVICE",
            help="A profile, e.g. pi4, or one of your boards; else this host.",
            autocompletion=complete_profile,
        ),
    ] = None,
    board: Annotated[
        str | None,
        typer.Option(
            "--board", help="Several of your boards by name, separated by commas.", autocompletion=complete_board
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All your boards (of the profile), at once.")] = False,
    runtime: Annotated[
        str | None, typer.Option("--runtime", help="Runtimes, separated by commas; left out: the one for each file.")
    ] = None,
    threads: Annotated[str, typer.Option("--threads", help="Numbers of threads, separated by commas.")] = "1",
    data: DataOption = None,
    accuracy: Annotated[
        bool | None,
        typer.Option("--accuracy/--no-accuracy", help="Measure accuracy; left out: where --data is given or emulated."),
    ] = None,
    limit: LimitOption = None,
    runs: Annotated[int | None, typer.Option("--runs", min=4, help="Exactly so many samples of each artifact.")] = None,
    within: Annotated[
        float, typer.Option("--within", min=0.1, help="Stop when the median is known to within this many percent.")
    ] = 2.0,
    max_seconds: Annotated[
        float, typer.Option("--max-seconds", min=0.1, help="Longest sampling of each artifact, in seconds.")
    ] = 20.0,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Images in one inference, where it is open.")] = 1,
    affinity: Annotated[
        str | None, typer.Option("--affinity", help="CPUs to stay on, separated by commas, e.g. 2,3.")
    ] = None,
    spinning: Annotated[
        bool | None, typer.Option("--spinning/--no-spinning", help="Idle threads of onnxruntime spin or sleep.")
    ] = None,
    xnnpack: Annotated[bool, typer.Option("--xnnpack/--no-xnnpack", help="LiteRT's XNNPACK delegate.")] = True,
    arithmetic: Annotated[
        str, typer.Option("--arithmetic", help="What ncnn and MNN compute in: fp32, or fp16 where the CPU can.")
    ] = "fp32",
    provider: Annotated[
        str | None, typer.Option("--provider", help="onnxruntime's execution provider: cpu, cuda, tensorrt.")
    ] = None,
    cooldown: Annotated[
        float | None, typer.Option("--cooldown", help="Start no block above this temperature, in degrees Celsius.")
    ] = None,
    operators: Annotated[bool, typer.Option("--operators", help="Add the time of each operator.")] = False,
    self_check: Annotated[
        bool, typer.Option("--self-check", help="Measure one artifact against itself: which differences mean nothing?")
    ] = False,
    instructions: Annotated[
        bool, typer.Option("--instructions", help="Count instructions on an emulated board; repeatable, but no time.")
    ] = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Only the latency model's estimate: nothing runs on any board.")
    ] = False,
    wait: Annotated[
        float, typer.Option("--wait", min=0, help="Wait so many seconds for a board on which another job runs.")
    ] = 0.0,
    store: StoreOption = None,
    no_store: Annotated[bool, typer.Option("--no-store", help="Keep the results out of the store.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure latency and accuracy on a board, with the evidence that makes the numbers believable.

    With a board of the profile registered, it is measured over SSH. With none, the real aarch64 runtimes run on an
    emulated board (outputs and accuracy), and the latency is estimated, each labelled. Exit code 5: a number is not
    valid (throttled, too noisy); 6: board unreachable.
    """
    from eamdeploy.cli.views.bench import Watch, show
    from eamdeploy.measurement import Effort
    from runtimes.protocol import RuntimeOptions

    if estimate:
        _refuse_with_estimate(
            data=data is not None, accuracy=bool(accuracy), operators=operators, self_check=self_check
        )
    with Watch() as watch:
        report = eamdeploy.bench(
            artifacts,
            device,
            boards=_names(board),
            every_board=every,
            runtimes=_names(runtime),
            threads=_numbers(threads, "--threads"),
            batch=batch,
            data=data,
            accuracy=accuracy,
            limit=limit,
            effort=Effort(runs=runs, precision=within / 100, max_seconds=max_seconds, cooldown_c=cooldown),
            options=RuntimeOptions(
                affinity=_numbers(affinity, "--affinity") if affinity else None,
                spinning=spinning,
                xnnpack=xnnpack,
                arithmetic=arithmetic,
                provider=provider,
            ),
            profile=operators,
            self_check=self_check,
            instructions=instructions,
            estimate=estimate,
            store=store,
            keep=not no_store,
            wait_s=wait,
            told=watch.told,
        )
    show(report, as_json=as_json)
    if report.exit_code:
        raise typer.Exit(report.exit_code)


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in (text or "").split(",") if name.strip()]


def _numbers(text: str, flag: str) -> tuple[int, ...]:
    names = _names(text)
    if not names or not all(name.isdigit() for name in names):
        raise typer.BadParameter(f"numbers separated by commas, not '{text}'", param_hint=flag)
    return tuple(int(name) for name in names)


def _refuse_with_estimate(**asked: bool) -> None:
    flags = [f"--{name.replace('_', '-')}" for name, given in asked.items() if given]
    if flags:
        from eamdeploy.base.errors import UsageError

        what = f"with --estimate nothing runs, so there is nothing for {' and '.join(flags)}"
        raise UsageError(what, hint=f"leave out --estimate, or {' and '.join(flags)}")
