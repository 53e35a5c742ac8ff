"""Assembles the commands; each lives in its own module and has ``register(app)``."""

from __future__ import annotations

import importlib
from typing import Annotated

import typer

import eamdeploy
from eamdeploy.cli.help.screen import HelpTyper
from eamdeploy.cli.options import config

# in the order of the help: what a newcomer needs first
COMMANDS = (
    "artifact.demo",
    "network.models",
    "info",
    "artifact.export",
    "artifact.verify",
    "artifact.quantize",
    "artifact.evaluate",
    "artifact.predict",
    "artifact.attach",
    "artifact.audit",
    "device.bench",
    "device.estimate",
    "device.devices",
    "result.report",
    "result.compare",
    "result.gate",
    "result.history",
    "network.train",
    "network.import_",
    "network.describe",
    "network.init",
)

_MAIN_PATH = """eamdeploy takes an image classifier to a verified,
quantized, measured model on a board.

  eamdeploy demo
      the whole path in a minute, without the internet
  eamdeploy export CKPT --out build
      a checkpoint becomes verified files
  eamdeploy quantize build/NAME.onnx --calibration IMAGES
      int8, checked on real images
  eamdeploy verify build/NAME.onnx --against CKPT
      does the file compute the same function?
  eamdeploy bench build/NAME.onnx --device pi4
      latency and accuracy on a board
  eamdeploy estimate build/NAME.onnx --all-devices
      latency without the board
  eamdeploy report --out report.html
      everything that was measured, on one page
  eamdeploy gate --baseline baseline.json
      fail a CI job for a regression

'eamdeploy --help' lists all commands;
'eamdeploy COMMAND --help' explains one."""


def _version(requested: bool) -> None:
    if requested:
        typer.echo(f"eamdeploy {eamdeploy.__version__}")
        raise typer.Exit


def _root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback if something fails.")] = False,
    wide: Annotated[
        bool, typer.Option("--wide", help="Show every column of every table, even if a line does not fit the terminal.")
    ] = False,
    config_file: Annotated[
        str | None,
        typer.Option("--config", metavar="FILE", help="Read the settings from this file instead of ./eamdeploy.toml."),
    ] = None,
) -> None:
    """Take an image classifier from a checkpoint to a verified, quantized, measured model on a board.

    Exit codes: 0 ok, 1 internal error, 2 wrong use, 3 parity failed, 4 gate failed, 5 not measured or not judged,
    6 board unreachable, 7 missing dependency, 130 interrupted.
    """
    del version, debug, wide  # --debug and --wide are read by eamdeploy.cli.main, which renders what went wrong
    context.default_map = config.default_map(context.command, config_file)
    if context.invoked_subcommand is None:
        typer.echo(_MAIN_PATH)


def build_app() -> typer.Typer:
    """The whole command line."""
    app = HelpTyper(
        name="eamdeploy",
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_root)
    for name in COMMANDS:
        importlib.import_module(f"eamdeploy.cli.commands.{name}").register(app)
    return app
