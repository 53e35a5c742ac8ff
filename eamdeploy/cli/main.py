"""The entry point: runs a command, and turns every error into one sentence and the documented exit code."""

from __future__ import annotations

import os
import sys
import traceback

from eamdeploy.base.errors import EamdeployError, MissingDependency
from eamdeploy.base.siblings import check_siblings

# top-level package to the extra that brings it
_EXTRAS = {
    "torch": "train",
    "safetensors": "train",
    "onnx": "export",
    "onnx_ir": "export",
    "onnxscript": "export",
    "onnxsim": "export",
    "litert_torch": "tflite",
    "ai_edge_quantizer": "tflite",
    "ncnn": "ncnn",
    "MNN": "mnn",
    "asyncssh": "boards",
    "jinja2": "report",
    "matplotlib": "report",
    "scipy": "report",
}


def say(message: str) -> None:
    """Write one line to standard error, such that no log takes it for a command."""
    from eamdeploy.cli.options.flags import with_flags
    from eamdeploy.cli.views.actions_log import harmless, in_actions

    message = with_flags(message)
    if sys.stderr.isatty():
        from eamdeploy.cli.views.output import err_console

        err_console().print(message, soft_wrap=True)  # broken between words
        return
    sys.stderr.write((harmless(message) if in_actions() else message) + "\n")


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    words = sys.argv[1:] if arguments is None else arguments
    debug = "--debug" in words
    if "--wide" in words:
        from eamdeploy.cli.views.output import show_wide

        show_wide()
    # --debug, --wide and --json are understood anywhere; typer would want the first two before the command
    words = [word for word in words if word not in ("--debug", "--wide")]
    try:
        check_siblings()
        from eamdeploy.cli.app import build_app

        build_app()(words, prog_name="eamdeploy")
    except EamdeployError as error:
        if debug:
            traceback.print_exc()
        say(f"error: {error}")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        say("interrupted")
        sys.exit(130)
    except SystemExit as ended:
        if ended.code == 130:  # typer turns Ctrl-C into this, without a word
            say("interrupted")
        raise
    except BrokenPipeError:
        # the reader of our output went away; keep Python from complaining when it flushes
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRAS or debug:
            traceback.print_exc()
        if package not in _EXTRAS:
            say(f"internal error: {error}; report it")
            sys.exit(1)
        missing = MissingDependency.extra(package, extra=_EXTRAS[package])
        say(f"error: {missing}")
        sys.exit(missing.exit_code)
    except Exception as error:
        if debug:
            traceback.print_exc()
        say(f"internal error: {type(error).__name__}: {error}; run again with --debug and report it")
        sys.exit(1)


if __name__ == "__main__":
    main()
