"""Entry point: the supervisor, or with ``--worker FD`` one worker."""

from __future__ import annotations

import argparse
import sys


def main() -> int:
    """Run one of the two roles to its end and return the exit status."""
    parser = argparse.ArgumentParser(prog="eam_runner", description="On-board runner of eamdeploy.")
    parser.add_argument("--workdir", help="folder that is this run's own; removed at the end")
    parser.add_argument(
        "--silence", type=float, default=60.0, help="seconds without a word from the host until it ends"
    )
    parser.add_argument("--worker", type=int, metavar="FD", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker is not None:
        from devices.runner.worker import serve

        serve(arguments.worker)
        return 0
    from devices.runner.supervisor import Supervisor

    return Supervisor(arguments.workdir, arguments.silence).run()


if __name__ == "__main__":
    sys.exit(main())
