"""A lowering that does not serve a layer says why."""

from __future__ import annotations

import pytest

from eamdeploy.base.errors import UsageError
from eamdeploy.networks.architectures.network import Network
from export.lowerings.base import LayerSite
from export.planning.sites import find_sites
from export.planning.target import Target
from export.registry import BUILTIN, get_lowering, lowering_names


@pytest.fixture(scope="module")
def sites(small: Network) -> dict[str, LayerSite]:
    return {site.path: site for site in find_sites(small, (3, 32, 32))}


@pytest.mark.parametrize(
    ("name", "path", "target", "word"),
    [
        ("aggregate", "stem.conv", Target(batch=4), "batch is 4"),
        ("aggregate", "stem.conv", Target(batch="dynamic"), "batch is dynamic"),
        ("matmul", "stem.conv", Target(), "3x3"),
        ("matmul", "blocks.0.depthwise.conv", Target("litert"), "3x3"),
        ("taps", "stem.conv", Target(), "not depthwise"),
        ("taps", "blocks.0.pointwise.conv", Target(), "not depthwise"),
        ("im2col", "blocks.0.pointwise.conv", Target(), "1x1"),
    ],
)
def test_refusals_carry_reasons(sites: dict[str, LayerSite], name: str, path: str, target: Target, word: str) -> None:
    refusal = get_lowering(name).applies(sites[path], target)
    assert refusal is not None
    assert refusal.lowering == name
    assert word in refusal.reason


def test_every_layer_is_served_by_something_at_every_batch(sites: dict[str, LayerSite]) -> None:
    for target in (Target(), Target("litert"), Target(batch="dynamic"), Target(batch=8), Target("litert", batch=2)):
        for site in sites.values():
            assert any(lowering.applies(site, target) is None for lowering in BUILTIN)


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'aggregate'") as caught:
        get_lowering("agregate")
    assert all(name in str(caught.value) for name in lowering_names())


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"runtime": "litertt"}, "litert"),
        ({"precision": "int4"}, "int8"),
        ({"batch": 0}, "positive"),
        ({"runtime": "litert", "batch": "dynamic"}, "fixed batch"),
    ],
)
def test_a_target_that_cannot_be(fields: dict[str, object], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        Target(**fields)
