"""A variable is named by a noun of the field: what it holds, not what was done to it, and no pronoun."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.package.test_house import sources

# each could name anything
PARTICIPLES = "asked chosen found given heard held kept known made own ran said seen shown spent taken told wanted"
PRONOUNS = "both here it one others some that them there these they this those"
BANNED = frozenset((PARTICIPLES + " " + PRONOUNS).split())


def bound_names(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every variable, parameter and attribute that a module sets, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr, node.lineno
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            yield node.name, node.lineno


def test_variables_are_nouns() -> None:
    banned = [
        f"{path}:{line} {name}"
        for path, text in sources(tests=True)
        for name, line in bound_names(ast.parse(text))
        if name.strip("_") in BANNED
    ]
    assert banned == []


def test_a_banned_name_is_noticed_wherever_it_is_set() -> None:
    text = "\n".join(
        (
            "class Row:",
            "    found: int = 0",
            "    def add(self, given, *, wanted=None, **told):",
            "        self._kept = [made for made in given if (seen := made)]",
            "        try:",
            "            with open(given) as held, held: pass",
            "        except OSError as said: raise",
            "        match given:",
            "            case [taken, *others]: return lambda own: own",
        )
    )
    names = {name.strip("_") for name, _ in bound_names(ast.parse(text))} - {"self"}
    assert names < BANNED
    assert len(names) == 12
