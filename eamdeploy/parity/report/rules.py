"""The rules a verification can break, under the stable names that SARIF and annotations carry."""

from __future__ import annotations

from eamdeploy.runs.findings import Rule

CHECKPOINT = Rule(
    "parity/checkpoint",
    "The artifact was made from the checkpoint it is verified against.",
    "Verify against the checkpoint it was exported from, or export it again.",
)
OUTPUT = Rule(
    "parity/output",
    "The artifact's outputs are the network's, up to rounding.",
    "The report names the first layer whose tensors differ; export that network again and compare.",
)
FLIPS = Rule(
    "parity/top1-flips",
    "No image changes its class by a margin that rounding does not explain.",
    "Look at the images listed; a flip far above rounding is a wrong layer, not noise.",
)
ATTENTION = Rule(
    "parity/attention",
    "Every dynamic layer mixes its kernels with the network's weights.",
    "A layer named here has a wrong channel choice, pooling, linear layer or temperature.",
)
BATCH = Rule(
    "parity/batch",
    "An image comes out of a batch as it does alone.",
    "A kernel of one image is applied to another: export with the batch you need, or with a dynamic batch.",
)
RANDOM = Rule("parity/random", "On random input, too, the artifact's outputs are the network's.")
BUDGET = Rule(
    "parity/budget",
    "An artifact that was rewritten within an accuracy budget keeps the original's accuracy to within it.",
    "Export again with a smaller budget or more images of calibration.",
)
RULES = (CHECKPOINT, OUTPUT, FLIPS, ATTENTION, BATCH, RANDOM, BUDGET)
