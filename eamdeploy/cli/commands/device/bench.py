"""``eamdeploy bench``: latency and accuracy where the model will run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import eamdeploy
from eamdeploy.cli.options.choices import RuntimeArithmetic
from eamdeploy.cli.options.common import DataOption, JsonOption, LimitOption, StoreOption
from eamdeploy.cli.options.completion import complete_artifact
from eamdeploy.cli.options.completion_devices import complete_board, complete_profile


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("bench", rich_help_panel="Boards and measurements", no_args_is_help=True)(bench_command)


def bench_command(
    *,
    artifacts: Annotated[
        list[Path],
        typer.Argument(
            metavar="ARTIFACT...",
            help="Files to measure: .onnx, .tflite, .ncnn.param or .mnn. Several files are measured in turns.",
            autocompletion=complete_artifact,
        ),
    ],
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            envvar="EAMDEPLOY_DEVICE",
            help="A device profile such as pi4, or one of your boards. Default: this machine.",
            autocompletion=complete_profile,
        ),
    ] = None,
    board: Annotated[
        str | None,
        typer.Option(
            "--board", help="Your boards to measure on, by name, separated by commas.", autocompletion=complete_board
        ),
    ] = None,
    every: Annotated[
        bool,
        typer.Option("--all", help="Measure on all your boards at once; with --device, on all boards of that profile."),
    ] = False,
    runtime: Annotated[
        str | None, typer.Option("--runtime", help="Runtimes, separated by commas. Default: the one for each file.")
    ] = None,
    threads: Annotated[
        str, typer.Option("--threads", help="Numbers of threads to measure with, separated by commas.")
    ] = "1",
    data: DataOption = None,
    accuracy: Annotated[
        bool | None,
        typer.Option(
            "--accuracy/--no-accuracy",
            help="Measure accuracy too. Default: yes if --data is given or the board is emulated.",
        ),
    ] = None,
    limit: LimitOption = None,
    runs: Annotated[
        int | None, typer.Option("--runs", min=4, help="Take exactly this many latency samples per file.")
    ] = None,
    within: Annotated[
        float,
        typer.Option(
            "--within", min=0.1, help="Stop when the 95 % interval of the median is within this many percent of it."
        ),
    ] = 2.0,
    max_seconds: Annotated[
        float, typer.Option("--max-seconds", min=0.1, help="Longest time to take samples of one file, in seconds.")
    ] = 20.0,
    batch: Annotated[
        int, typer.Option("--batch", min=1, help="Images per inference, for files exported with a dynamic batch size.")
    ] = 1,
    affinity: Annotated[
        str | None, typer.Option("--affinity", help="CPU cores to run on, separated by commas, such as 2,3.")
    ] = None,
    spinning: Annotated[
        bool | None,
        typer.Option(
            "--spinning/--no-spinning",
            help="Let idle threads of onnxruntime spin, or let them sleep. Default: the runtime's own.",
        ),
    ] = None,
    xnnpack: Annotated[bool, typer.Option("--xnnpack/--no-xnnpack", help="Use LiteRT's XNNPACK delegate.")] = True,
    arithmetic: Annotated[
        RuntimeArithmetic,
        typer.Option(
            "--arithmetic", help="Number format that ncnn and MNN compute in: fp32, or fp16 if the CPU supports it."
        ),
    ] = "fp32",
    provider: Annotated[
        str | None, typer.Option("--provider", help="Execution provider of onnxruntime: cpu, cuda or tensorrt.")
    ] = None,
    cooldown: Annotated[
        float | None,
        typer.Option(
            "--cooldown",
            help="Wait until the board is cooler than this before each block of samples, in degrees Celsius.",
        ),
    ] = None,
    operators: Annotated[bool, typer.Option("--operators", help="Also measure the time of each operator.")] = False,
    self_check: Annotated[
        bool,
        typer.Option(
            "--self-check", help="Measure one file against itself, to see how large a difference noise alone makes."
        ),
    ] = False,
    instructions: Annotated[
        bool,
        typer.Option(
            "--instructions",
            help="Count instructions on an emulated board. The count is repeatable, but it is not a time.",
        ),
    ] = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Only estimate the latency with the latency model. Nothing is run.")
    ] = False,
    wait: Annotated[
        float,
        typer.Option("--wait", min=0, help="Wait up to this many seconds for a board on which another job is running."),
    ] = 0.0,
    store: StoreOption = None,
    no_store: Annotated[bool, typer.Option("--no-store", help="Do not keep the results in the store.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Measure latency and accuracy on this machine or on a board.

    If you added a board of the --device profile, bench measures on it over SSH. Otherwise it runs the aarch64 runtimes on
    an emulated board, which gives real outputs and accuracy, and estimates the latency. Every figure says whether it was
    measured, emulated or estimated. Bench exits with 5 if a figure is not valid (the CPU throttled, or the noise was too
    large), and with 6 if a board cannot be reached.
    """
    from eamdeploy.cli.progress import BoardsBar
    from eamdeploy.cli.views.bench import show
    from eamdeploy.measurement import Effort
    from runtimes.protocol import RuntimeOptions

    if estimate:
        _refuse_with_estimate(
            data=data is not None, accuracy=bool(accuracy), operators=operators, self_check=self_check
        )
    with BoardsBar() as bar:
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
            progress=bar,
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


def _refuse_with_estimate(**flags_given: bool) -> None:
    flags = [f"--{name.replace('_', '-')}" for name, is_given in flags_given.items() if is_given]
    if flags:
        from eamdeploy.base.errors import UsageError

        what = f"with --estimate nothing runs, so there is nothing for {' and '.join(flags)}"
        raise UsageError(what, hint=f"leave out --estimate, or {' and '.join(flags)}")
