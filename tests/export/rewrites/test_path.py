"""The frontier path: cheapest harm first, only the hull, nothing that does not save."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from export.rewrites.choice import RewriteChoice
from export.rewrites.path import choices_after, frontier_path, layer_steps

EXACT, RANK, COLLAPSE = RewriteChoice(), RewriteChoice("low-rank", 1), RewriteChoice("collapse")


def test_a_form_above_the_hull_is_left_out() -> None:
    costs = {EXACT: 10.0, RANK: 9.0, COLLAPSE: 1.0}
    steps = layer_steps("a", costs, {RANK: 5.0, COLLAPSE: 6.0})
    assert [step.choice for step in steps] == [COLLAPSE]


def test_a_form_on_the_hull_comes_before_the_harsher_one() -> None:
    costs = {EXACT: 10.0, RANK: 3.0, COLLAPSE: 1.0}
    steps = layer_steps("a", costs, {RANK: 1.0, COLLAPSE: 6.0})
    assert [(step.choice, step.saving, step.harm) for step in steps] == [(RANK, 7.0, 1.0), (COLLAPSE, 2.0, 5.0)]


def test_a_form_that_saves_next_to_nothing_is_no_step() -> None:
    assert layer_steps("a", {EXACT: 10.0, RANK: 9.9}, {RANK: 0.0}) == []
    assert layer_steps("a", {EXACT: 10.0, RANK: 11.0}, {RANK: 0.0}) == []


def test_layers_take_turns_by_harm_per_saving() -> None:
    steps = {
        "a": layer_steps("a", {EXACT: 10.0, RANK: 5.0, COLLAPSE: 1.0}, {RANK: 1.0, COLLAPSE: 40.0}),
        "b": layer_steps("b", {EXACT: 10.0, COLLAPSE: 1.0}, {COLLAPSE: 18.0}),
    }
    path = frontier_path(steps)
    assert [(step.layer, step.choice) for step in path] == [("a", RANK), ("b", COLLAPSE), ("a", COLLAPSE)]
    assert choices_after(path, 0) == {}
    assert choices_after(path, 2) == {"a": RANK, "b": COLLAPSE}
    assert choices_after(path, 3) == {"a": COLLAPSE, "b": COLLAPSE}


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0.1, 9.9), st.floats(0, 100)), min_size=1, max_size=6))
def test_every_step_saves_and_harms_more_per_saving_than_the_one_before(forms: list[tuple[float, float]]) -> None:
    choices = {RewriteChoice("low-rank", index): form for index, form in enumerate(forms)}
    costs = {EXACT: 10.0} | {choice: cost for choice, (cost, _) in choices.items()}
    steps = layer_steps("a", costs, {choice: harm for choice, (_, harm) in choices.items()})
    assert all(step.saving > 0 for step in steps)
    for first, two in pairwise(steps):
        assert first.harm / first.saving <= two.harm / two.saving + 1e-9
    # whatever is cheapest is reached, unless it saves too little over the last step
    if steps:
        assert costs[steps[-1].choice] <= min(cost for cost, _ in forms) + 0.02 * 10 + 1e-9
