"""The house rules that no linter knows: small folders, small files, nothing twice, names that say which."""

from __future__ import annotations

import ast
import statistics
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOST_ENTRIES = 14
MOST_LINES = 300
MEDIAN_LINES = 100
EQUAL_LINES = 10
MOST_POSITIONAL = 5


@cache
def tracked() -> tuple[Path, ...]:
    """Every file that git knows, relative to the root."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(path for name in listed.split("\0") if name and (ROOT / (path := Path(name))).is_file())


def sources(*, tests: bool) -> Iterator[tuple[Path, str]]:
    """Python files with their text."""
    for path in tracked():
        if path.suffix == ".py" and (tests or path.parts[0] != "tests"):
            yield path, (ROOT / path).read_text(encoding="utf-8")


def trees() -> Iterator[tuple[Path, ast.Module]]:
    """Every module outside the tests, parsed."""
    for path, text in sources(tests=False):
        yield path, ast.parse(text)


def test_no_folder_shows_more_than_a_dozen_and_two_entries() -> None:
    entries: defaultdict[Path, set[str]] = defaultdict(set)
    for path in tracked():
        if path.parts[0] == "tests" or "data" in path.parts:
            continue
        for folder in path.parents:
            if folder != Path():  # what stands at the top is laid down by the tools that read it
                entries[folder].add(path.relative_to(folder).parts[0])
    crowded = {str(folder): len(names) for folder, names in entries.items() if len(names) > MOST_ENTRIES}
    assert crowded == {}


def test_files_are_short() -> None:
    lines = {str(path): text.count("\n") for path, text in sources(tests=True)}
    assert {path: count for path, count in lines.items() if count > MOST_LINES} == {}
    assert statistics.median(lines.values()) < MEDIAN_LINES


def test_no_ten_equal_lines_stand_twice() -> None:
    places: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for path, text in sources(tests=True):
        lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
        lines = [(number, line) for number, line in lines if line and not line.startswith(("import ", "from "))]
        for start in range(len(lines) - EQUAL_LINES + 1):
            run = lines[start : start + EQUAL_LINES]
            places[tuple(line for _, line in run)].append(f"{path}:{run[0][0]}")
    assert [where for where in places.values() if len(where) > 1] == []


def test_a_class_name_stands_for_one_class() -> None:
    homes: defaultdict[str, list[str]] = defaultdict(list)
    for path, text in sources(tests=True):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(str(path))
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}


def test_long_records_are_filled_by_name() -> None:
    """A dataclass of many fields in the order of its fields: two of them exchanged, and nobody sees it."""
    records: set[str] = set()
    calls: list[tuple[str, str]] = []
    for path, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and any("dataclass" in ast.unparse(d) for d in node.decorator_list):
                records.add(node.name)
            elif isinstance(node, ast.Call) and len(node.args) > MOST_POSITIONAL:
                calls.append((f"{path}:{node.lineno}", ast.unparse(node.func).rpartition(".")[2]))
    assert [where for where, name in calls if name in records or name == "cls"] == []
