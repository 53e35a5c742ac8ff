"""Damage good inputs of every kind and read them: ``python -m benchmarks.fuzz --mutations 20000``.

Each input is read in another process, with a limit of ten seconds. What is neither accepted nor refused in words is kept in a
folder: an internal error, a crash, or a process that does not come back.
"""

from __future__ import annotations

import argparse
import random
import select
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.fuzz.kinds import KINDS, InputKind
from eamdeploy.base.processes import Child, python_code, start

LIMIT_S = 10.0
_START_S = 120.0  # a new process imports first
_CODE = "from benchmarks.fuzz.worker import serve\nserve()"
COLUMNS = ("accepted", "refused", "internal", "crashed", "hung")


class Reader:
    """The other process, started anew when an input ended it."""

    def __init__(self) -> None:
        self._process: Child | None = None
        self._warm: set[str] = set()

    def read(self, kind: InputKind, path: Path) -> str:
        """One of ``COLUMNS``, with words."""
        if self._process is None:
            self._process, self._warm = start(python_code(_CODE)), set()
        process = self._process
        process.stdin.write(f"{kind.name}\t{path}\n".encode())
        process.stdin.flush()
        limit_s = LIMIT_S if kind.name in self._warm else _START_S
        self._warm.add(kind.name)
        if not select.select([process.stdout], [], [], limit_s)[0]:
            self.close()
            return f"hung for {limit_s:.0f} s"
        answer = process.stdout.readline().decode().strip()
        if answer:
            return answer
        status = process.wait()
        self.close()
        return f"crashed with {status}"

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process.stdin.close()
            self._process.stdout.close()
            self._process = None


def main() -> int:
    """Run it and print the table; 1 when anything was neither accepted nor refused."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__.splitlines()[0])
    parser.add_argument("--mutations", type=int, default=20_000, help="inputs in all, shared by the kinds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", action="append", help="only these kinds")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-findings"), help="folder for what was found")
    arguments = parser.parse_args()
    kinds = [kind for kind in KINDS if not arguments.kind or kind.name in arguments.kind]
    each = -(-arguments.mutations // len(kinds))
    total: Counter[str] = Counter()
    print(f"| kind | inputs | {' | '.join(COLUMNS)} |\n|---|{'---|' * (len(COLUMNS) + 1)}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="eamdeploy-fuzz-") as folder:
        reader = Reader()
        for kind in kinds:
            counts = _one_kind(kind, each, seed=arguments.seed, folder=Path(folder), reader=reader, keep=arguments.keep)
            total += counts
            print(f"| {kind.name} | {each} | {' | '.join(str(counts[name]) for name in COLUMNS)} |", flush=True)
        reader.close()
    print(f"| all {len(kinds)} | {each * len(kinds)} | {' | '.join(str(total[name]) for name in COLUMNS)} |")
    print(f"\n{time.monotonic() - began:.0f} s, seed {arguments.seed}")
    return 1 if total["internal"] + total["crashed"] + total["hung"] else 0


def _one_kind(kind: InputKind, count: int, *, seed: int, folder: Path, reader: Reader, keep: Path) -> Counter[str]:
    kind_folder = folder / kind.name.replace(" ", "-").replace(":", "").replace("/", "-")
    kind_folder.mkdir()
    good = kind.good(kind_folder)
    (kind_folder / f"good{kind.suffix}").write_bytes(good)
    if (words := reader.read(kind, kind_folder / f"good{kind.suffix}")) != "accepted":
        raise SystemExit(f"the good input of the kind '{kind.name}' is not accepted: {words}")
    counts: Counter[str] = Counter()
    messages: set[str] = set()
    for number in range(count):
        content = kind.damage(good, random.Random(f"{seed} {kind.name} {number}"))
        path = kind_folder / f"input{kind.suffix}"
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        words = reader.read(kind, path)
        name = words.split(" ")[0]
        counts[name] += 1
        if name not in ("accepted", "refused") and words not in messages:
            messages.add(words)
            keep.mkdir(parents=True, exist_ok=True)
            (keep / f"{kind_folder.name}-{number}{kind.suffix}").write_bytes(content)
            print(f"  {kind.name} {number}: {words}", flush=True)
    return counts


if __name__ == "__main__":
    raise SystemExit(main())
