"""The entry point: runs a command, and turns every error into one sentence and the documented exit code."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from typing import NoReturn

from eamdeploy.base.errors import EamdeployError, MissingDependency, UsageError
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

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def say(message: str) -> None:
    """Write one line to standard error, such that no log takes it for a command."""
    from eamdeploy.cli.options.flags import with_flags
    from eamdeploy.cli.views.actions_log import harmless, in_actions

    if sys.stderr is None:  # closed by whoever started us; the exit code is what is left to tell
        return
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
        if not ended.code:
            _check_output()
        raise
    except BrokenPipeError:
        _let_go_of_output()  # its reader went away
        sys.exit(1)
    except OSError as error:
        if error.errno in _FULL:
            _check_output("\n")
        _internal(error, debug=debug)
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
        _internal(error, debug=debug)


def _internal(error: Exception, *, debug: bool) -> NoReturn:
    if debug:
        traceback.print_exc()
    say(f"internal error: {type(error).__name__}: {error}; run again with --debug and report it")
    sys.exit(1)


def _check_output(more: str = "") -> None:
    """End with an error where standard output takes no more, as a file on a full disk does; what it refused is dropped."""
    try:
        if sys.stdout is not None:  # closed by whoever started us: nobody wants to see it
            sys.stdout.write(more)
            sys.stdout.flush()
    except BrokenPipeError:
        _let_go_of_output()
        sys.exit(1)
    except OSError as error:
        _let_go_of_output()
        say(f"error: {UsageError('the output cannot be written', why=error.strerror)}")
        sys.exit(UsageError.exit_code)


def _let_go_of_output() -> None:
    """Keep Python from trying again at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
