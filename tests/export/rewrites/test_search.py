"""The search: still attention collapses, moving attention does not, and what is reported was measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from eamdeploy.base.errors import UsageError
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.networks.architectures.network import Network
from export.lowerings.fold import fold_batchnorm
from export.planning.sites import find_sites
from export.planning.target import RUNTIME_FORMATS, Target
from export.rewrites.accuracy import Change, compare_answers
from export.rewrites.attention_stats import attention_statistics
from export.rewrites.choice import RewriteChoice, rewrite_network
from export.rewrites.images import BudgetImages, LabelledImages
from export.rewrites.search import spend
from export.rewrites.sensitivity import divergence, scores_of
from export.rewrites.spending import Spending
from export.rewrites.work import OBJECTIVES, cost, exact_cost
from tests.export.rewrites.networks import PX, SHAPE, moving_network

PREPROCESSING = Preprocessing(PX, None, (0.5,) * 3, (0.25,) * 3, 3)


def images_answered_by(network: Network, seed: int, count: int = 40) -> LabelledImages:
    """Pictures that differ in colour and contrast; the network's own answers are the truth."""
    generator = torch.Generator().manual_seed(seed)
    level = torch.rand(count, 1, 1, 3, generator=generator)
    texture = torch.rand(count, PX, PX, 3, generator=generator) * torch.rand(count, 1, 1, 1, generator=generator)
    pixels = (255 * (0.7 * level + 0.3 * texture)).to(torch.uint8)
    blank = LabelledImages(f"images {seed}", pixels, torch.zeros(count, dtype=torch.int64), PREPROCESSING)
    return replace(blank, labels=scores_of(network, blank.batches()).argmax(1))


@pytest.fixture(scope="module")
def restless() -> Network:
    """Attention that moves a lot from image to image."""
    return moving_network(2.0)


@pytest.fixture(scope="module")
def still() -> Network:
    """Attention that hardly moves."""
    return moving_network(1e-5)


def search(network: Network, points: float, minimize: str = "latency", runtime: str = "onnxruntime") -> Spending:
    images = BudgetImages(images_answered_by(network, 1), images_answered_by(network, 2), parted=False)
    return spend(network, images, (Target(runtime=runtime),), SHAPE, budget_points=points, minimize=minimize)


@pytest.mark.parametrize("runtime", RUNTIME_FORMATS)
@pytest.mark.parametrize("minimize", OBJECTIVES)
def test_a_collapsed_layer_costs_less_on_every_runtime(still: Network, runtime: str, minimize: str) -> None:
    target = Target(runtime=runtime)
    for site in find_sites(fold_batchnorm(still), SHAPE):
        collapsed = cost(site, RewriteChoice("collapse"), "aggregate", target, minimize)
        assert 0 < collapsed < exact_cost(site, "aggregate", target, minimize)


def test_a_layer_of_constant_kernels_is_priced_as_what_it_computes(still: Network) -> None:
    """Scaled inputs are as many convolutions as scaled outputs; a bank stored in parts is mixed whatever the exact form was."""
    target, parts = Target("mnn", machine="aarch64"), RewriteChoice("mean-residual", 2, "fp16")
    for site in find_sites(fold_batchnorm(still), SHAPE):
        exact = {form: exact_cost(site, form, target, "instructions") for form in ("aggregate", "experts", "inputs")}
        assert exact["inputs"] == exact["experts"] != exact["aggregate"]
        assert cost(site, parts, "inputs", target, "size") == cost(site, parts, "aggregate", target, "size")


def test_still_attention_collapses_everywhere(still: Network) -> None:
    spending = search(still, 0.5)
    assert {layer.choice for layer in spending.layers} == {RewriteChoice("collapse")}
    assert spending.point.collapsed == len(still.dynamic_layers())
    assert spending.after < 0.3 * spending.before
    assert not spending.network.dynamic_layers()


def test_moving_attention_is_not_collapsed_and_the_budget_holds(restless: Network) -> None:
    everything = dict.fromkeys(restless.dynamic_layers(), RewriteChoice("collapse"))
    images = images_answered_by(restless, 1)
    statistics = attention_statistics(restless, images.batches())
    ruined = rewrite_network(restless, everything, statistics)
    before = scores_of(restless, images.batches())
    assert compare_answers(before, scores_of(ruined, images.batches()), images.labels).drop_points > 10
    spending = search(restless, 2.0)
    assert spending.point.exact + spending.point.mean_residual + spending.point.low_rank > 0
    for change in (spending.point.calibration, spending.point.validation):
        assert change is not None
        assert change.drop_points <= 2.0
        assert change.expected_points <= 2.0


@pytest.mark.slow
def test_what_is_reported_is_what_the_network_does(restless: Network) -> None:
    spending = search(restless, 2.0, "size", "litert")
    images = images_answered_by(restless, 2)
    exact, rewritten = scores_of(restless, images.batches()), scores_of(spending.network, images.batches())
    assert compare_answers(exact, rewritten, images.labels) == spending.point.validation
    assert spending.frontier[0].exact == len(spending.layers)
    assert spending.network.rewrites == {
        layer.layer: layer.choice.to_dict() for layer in spending.layers if layer.choice.kind != "exact"
    }


def test_two_sets_of_one_name_are_two_sets(still: Network) -> None:
    """Both splits of some datasets are called alike, and so are two folders that end in ``val``."""
    first, two = images_answered_by(still, 1), images_answered_by(still, 2)
    spending = spend(
        still, BudgetImages(first, replace(two, name=first.name), parted=False), (Target(),), SHAPE, budget_points=0.5
    )
    assert {layer.choice for layer in spending.layers} == {RewriteChoice("collapse")}
    exact, rewritten = scores_of(still, two.batches()), scores_of(spending.network, two.batches())
    assert compare_answers(exact, rewritten, two.labels) == spending.point.validation


def test_the_network_that_was_given_stays_as_it_was(still: Network) -> None:
    before = {name: tensor.clone() for name, tensor in still.state_dict().items()}
    search(still, 0.5)
    after = still.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not still.rewrites


@pytest.mark.parametrize("points", [0.0, -1.0, 101.0])
def test_a_budget_that_cannot_be_is_refused(still: Network, points: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 100"):
        search(still, points)


def test_an_unknown_objective_names_the_known_ones(still: Network) -> None:
    with pytest.raises(UsageError, match="latency"):
        search(still, 1.0, "latencyy")


def test_a_static_network_has_nothing_to_spend_on(make: Callable[..., Network]) -> None:
    network = make(input_px=PX, conv="static")
    with pytest.raises(UsageError, match="no dynamic layer"):
        search(network, 1.0)


def test_a_lucky_draw_does_not_hide_harm() -> None:
    # five answers lost and five won: no drop at all, but each cost 40 points of probability
    before = torch.log(torch.tensor([[0.7, 0.3]] * 100))
    after = before.clone()
    after[:10] = after[:10].flip(1)
    labels = torch.zeros(100, dtype=torch.int64)
    labels[:5] = 1
    change = compare_answers(before, after, labels)
    assert (change.lost, change.gained, change.flips, change.drop_points) == (5, 5, 10, 0.0)
    assert change.expected_points == pytest.approx(100 * 0.1 * 0.4)
    assert not change.within(1.0)
    assert change.within(4.1)


def test_the_interval_of_a_drop_is_that_of_paired_answers() -> None:
    change = Change(10_000, 90.0, 89.9, lost=30, gained=20, flips=60, expected_points=0.05)
    assert change.drop_points == pytest.approx(0.1)
    assert change.error95_points == pytest.approx(100 * 1.96 * (50**0.5) / 10_000, rel=0.02)


def test_divergence_is_zero_only_for_the_same_answer() -> None:
    scores = torch.tensor([[1.0, 2.0, 3.0]])
    assert divergence(scores, scores + 5) == pytest.approx(0, abs=1e-12)
    assert divergence(scores, scores.flip(1)) > 0.5
