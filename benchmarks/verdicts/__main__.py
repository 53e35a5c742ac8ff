"""Run all cases and say which verdicts did not hold."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

from benchmarks.verdicts import gate_cases
from benchmarks.verdicts.case import VerdictCase


def all_cases(folder: Path, *, quick: bool) -> list[VerdictCase]:
    """Every case; ``quick`` leaves out those of the shipped network."""
    from benchmarks.verdicts import file_cases

    cases = [*gate_cases.cases(folder), *file_cases.cases(folder)]
    if not quick:
        from benchmarks.verdicts import network_cases

        cases += network_cases.cases(folder)
    return cases


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="leave out the shipped network")
    parser.add_argument("--out", type=Path, help="write every case with its result as JSON (results.json)")
    arguments = parser.parse_args()
    out = None if arguments.out is None else arguments.out.resolve()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)  # runs name their artifacts by relative paths, which nothing here may lie at
        results = [(case, *case.run()) for case in all_cases(Path(name), quick=arguments.quick)]
        os.chdir("/")
    counted = Counter((case.command, case.fault, case.right(result)) for case, result, _ in results)
    print(f"{'command':10} {'faults':>7} {'passed':>7} {'sound':>7} {'refused':>8}")
    for command in sorted({case.command for case, _, _ in results}):
        wrong = counted[command, True, False], counted[command, False, False]
        right = counted[command, True, True], counted[command, False, True]
        print(f"{command:10} {sum((wrong[0], right[0])):7} {wrong[0]:7} {sum((wrong[1], right[1])):7} {wrong[1]:8}")
    wrong_ones = [(case, result, sentence) for case, result, sentence in results if not case.right(result)]
    faults = sum(case.fault for case, _, _ in results)
    print(f"{faults} faults and {len(results) - faults} sound variations, {len(wrong_ones)} wrong verdicts")
    for case, result, sentence in wrong_ones:
        print(f"  {case.command}: {case.name}: {result} {sentence}")
    if out is not None:
        rows = [
            {"command": case.command, "name": case.name, "fault": case.fault, "result": result, "said": sentence}
            for case, result, sentence in results
        ]
        out.write_text(json.dumps({"cases": rows, "wrong": len(wrong_ones)}, indent=1) + "\n")
    sys.exit(bool(wrong_ones))


if __name__ == "__main__":
    main()
