"""A budget from the command line's side: nothing without one, a rewritten checkpoint within one, and training on."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from eamdeploy.base.errors import DataError
from eamdeploy.base.progress import SILENT
from eamdeploy.data import open_dataset
from eamdeploy.data.preprocessing import Preprocessing
from eamdeploy.networks.checkpoint import Checkpoint, load_checkpoint
from eamdeploy.pipeline.budget import BudgetRequest
from eamdeploy.pipeline.export import ExportedArtifact, ExportOptions, export_checkpoint
from eamdeploy.pipeline.finetune import Finetuning, finetune_within
from eamdeploy.training.session import run_training
from export.planning.target import Target
from export.rewrites.images import budget_images
from export.rewrites.search import spend
from export.rewrites.spending import Spending
from tests.eamdeploy.training.runs import SPEC, request
from tests.recorded_progress import RecordedProgress


@pytest.fixture(scope="module")
def trained(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    """A network that knows the stripes, with attention that moves."""
    spec = replace(SPEC, temperature=1.0)
    result = run_training(request(tree, tmp_path_factory.mktemp("float"), spec=spec, epochs=14, batch=16))
    return load_checkpoint(str(result.checkpoint))


def export(checkpoint: Checkpoint, folder: Path, tree: Path, budget: BudgetRequest | None) -> ExportedArtifact:
    data = open_dataset(tree, "test", checkpoint.classes)
    (artifact,) = export_checkpoint(checkpoint, folder, ExportOptions(name="net", budget=budget), dataset=data)
    assert isinstance(artifact, ExportedArtifact)
    return artifact


@pytest.mark.slow
def test_budget_zero_is_the_export_without_one(trained: Checkpoint, tree: Path, tmp_path: Path) -> None:
    import eamdeploy

    (plain,) = eamdeploy.export(trained, tmp_path / "plain", data=tree)
    (zero,) = eamdeploy.export(trained, tmp_path / "zero", data=tree, calibration=tree, budget=0.0)
    assert zero.path.read_bytes() == plain.path.read_bytes()
    assert zero.plan.to_list() == plain.plan.to_list()


@pytest.mark.slow
def test_a_budget_gives_an_ordinary_checkpoint_and_a_file_that_is_exactly_it(
    trained: Checkpoint, tree: Path, tmp_path: Path
) -> None:
    artifact = export(trained, tmp_path, tree, BudgetRequest(20, tree))
    rewritten = load_checkpoint(str(tmp_path / "net.rewritten.safetensors"))
    assert artifact.parity.passed
    assert artifact.budget is not None
    assert len(rewritten.network.dynamic_layers()) < len(trained.network.dynamic_layers())
    assert len(artifact.budget["layers"]) == len(trained.network.dynamic_layers())
    validation = artifact.budget["validation"]
    assert validation["drop_points"] <= 20
    assert validation["top1_exact"] - validation["top1"] == pytest.approx(validation["drop_points"], abs=1e-3)
    manifest = json.loads((tmp_path / "net.manifest.json").read_text())
    assert manifest["artifacts"][0]["budget"]["sentence"] == artifact.budget["sentence"]


@pytest.fixture(scope="module")
def search(trained: Checkpoint, tree: Path) -> Spending:
    """Within a budget that hardly anything meets, and the cheapest rewrite beyond it."""
    images = images_of(trained, tree)
    shape = (3, 16, 16)
    return spend(trained.network, images, (Target("onnxruntime"),), shape, budget_points=0.01, beyond=True)


def images_of(trained: Checkpoint, tree: Path):
    preprocessing = Preprocessing.from_dict(trained.preprocessing)
    return budget_images(tree, tree, preprocessing, trained.classes, limit=60)


@pytest.mark.slow
def test_the_search_hands_over_the_cheapest_rewrite_where_it_is_asked_to(search: Spending) -> None:
    best = search.cheapest or search
    assert best.point.collapsed == len(best.layers)
    assert best.after <= search.after


@pytest.mark.slow
def test_fine_tuning_starts_from_the_cheapest_rewrite(search: Spending, trained: Checkpoint, tree: Path) -> None:
    progress = RecordedProgress()
    tuned = finetune_within(trained, search, images_of(trained, tree), Finetuning(6, tree, tree), progress)
    cheapest = search.cheapest or search
    assert f"fine-tuning with {cheapest.point.collapsed} layers collapsed" in progress.sentences[0]
    if tuned is not None:
        assert tuned.validation.drop_points <= search.budget_points
        assert not tuned.network.dynamic_layers() or tuned.spending is search


def test_fine_tuning_that_leaves_the_budget_is_not_kept(
    search: Spending, trained: Checkpoint, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eamdeploy.training import recipes

    # a learning rate that destroys the network
    wild = replace(recipes.RECIPES["finetune"], lr=5.0, nesterov=False)
    monkeypatch.setitem(recipes.RECIPES, "finetune", wild)
    assert finetune_within(trained, search, images_of(trained, tree), Finetuning(1, tree, tree), SILENT) is None


def test_a_class_map_serves_a_budget(trained: Checkpoint, tree: Path, tmp_path: Path) -> None:
    """Folders under other names than the classes: the same images, the same answers, the same drop."""
    import shutil

    renamed = tmp_path / "renamed"
    shutil.copytree(tree, renamed)
    for split in ("train", "test"):
        for name in trained.classes:
            (renamed / split / name).rename(renamed / split / f"n-{name}")
    mapping = {f"n-{name}": name for name in trained.classes}
    preprocessing = Preprocessing.from_dict(trained.preprocessing)
    tree_images = budget_images(tree, tree, preprocessing, trained.classes, limit=60)
    mapped = budget_images(renamed, renamed, preprocessing, trained.classes, limit=60, class_map=mapping)
    assert sorted(mapped.validation.labels.tolist()) == sorted(tree_images.validation.labels.tolist())
    sums = [
        sorted(
            (label, int(pixels.sum())) for label, pixels in zip(part.labels.tolist(), part.pixels.long(), strict=True)
        )
        for part in (tree_images.validation, mapped.validation)
    ]
    assert sums[0] == sums[1]


def test_images_of_a_few_of_many_classes_are_enough(tree: Path, trained: Checkpoint) -> None:
    """What counts is how many images there are of each class in the data, not how many classes the network knows."""
    preprocessing = Preprocessing.from_dict(trained.preprocessing)
    classes = (*trained.classes, *(f"other {index}" for index in range(997)))
    mapping = {name: name for name in trained.classes}
    images = budget_images(tree, None, preprocessing, classes, limit=30, class_map=mapping)
    assert images.parted
    assert len(images.calibration) == len(images.validation) == 30
    with pytest.raises(DataError, match=r"4 images are too few .* at least 6"):
        budget_images(tree, None, preprocessing, classes, limit=2, class_map=mapping)
