"""Assembles the commands; each lives in its own module and has ``register(app)``."""

from __future__ import annotations

import importlib
from typing import Annotated

import typer

import eamdeploy
from eamdeploy.cli.options import config

COMMANDS = (
    "network.describe",
    "network.train",
    "network.init",
    "network.import_",
    "network.models",
    "artifact.export",
    "artifact.quantize",
    "artifact.verify",
    "artifact.audit",
    "artifact.attach",
    "artifact.evaluate",
    "artifact.predict",
    "device.bench",
    "device.devices",
    "device.estimate",
    "result.history",
    "result.compare",
    "result.gate",
    "result.report",
    "artifact.demo",
    "info",
)

_MAIN_PATH = """eamdeploy takes a network from a checkpoint to a verified, quantized, measured model on a board.

  eamdeploy demo                                     the whole path, without a network connection
  eamdeploy models                                   shipped checkpoints
  eamdeploy export CKPT --out build                  a checkpoint becomes verified artifacts
  eamdeploy quantize build/NAME.onnx --calibration IMAGES
  eamdeploy verify build/NAME.onnx --against CKPT    is it the same function?
  eamdeploy bench build/NAME.onnx --device pi4       latency and accuracy, with the evidence
  eamdeploy estimate build/NAME.onnx --all-devices   latency without the board
  eamdeploy gate --baseline baseline.json            fail a build for a regression
  eamdeploy report --out report.html                 everything that was measured, as one page

'eamdeploy --help' lists all commands; 'eamdeploy COMMAND --help' explains one."""


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"eamdeploy {eamdeploy.__version__}")
        raise typer.Exit


def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback when something fails.")] = False,
    wide: Annotated[
        bool, typer.Option("--wide", help="Show every column of every table, however narrow the window.")
    ] = False,
    config_file: Annotated[
        str | None, typer.Option("--config", help="Read settings from this file instead of ./eamdeploy.toml.")
    ] = None,
) -> None:
    """From a dynamic-convolution checkpoint to a verified, quantized, measured model on a board.

    Exit codes: 0 ok, 1 internal error, 2 usage, 3 parity failed, 4 gate failed, 5 measurement not valid,
    6 board unreachable, 7 missing dependency, 130 interrupted.
    """
    del version, debug, wide  # --debug and --wide are read by eamdeploy.cli.main, which renders what went wrong
    context.default_map = config.default_map(context.command, config_file)
    if context.invoked_subcommand is None:
        typer.echo(_MAIN_PATH)


def build_app() -> typer.Typer:
    """The whole command line."""
    app = typer.Typer(
        name="eamdeploy",
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_root)
    for name in COMMANDS:
        importlib.import_module(f"eamdeploy.cli.commands.{name}").register(app)
    return app
