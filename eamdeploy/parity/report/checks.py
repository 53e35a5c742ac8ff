"""A report's figures as questions with answers, for people, JUnit, SARIF and step summaries."""

from __future__ import annotations

from collections.abc import Sequence

from eamdeploy.base.results import to_dict
from eamdeploy.parity.report import rules
from eamdeploy.parity.report.judge import ParityJudge
from eamdeploy.parity.report.model import AttentionParity, BatchParity, Divergence, Flip, OutputParity
from eamdeploy.runs.findings import Check, Location

MOST_UNJUDGED = 0.1  # of the images of an output that passes


def checkpoint_check(artifact: str, made_from: str | None, sha256: str, carried: str | None) -> Check:
    """Whether artifact and checkpoint belong together."""
    place = Location(artifact)
    if made_from is None:
        message = "the artifact does not say what it was made from, so its function alone was compared"
        return Check("checkpoint", False, message, artifact, rules.CHECKPOINT.id, skipped=True, location=place)
    details = {"artifact_was_made_from": made_from, "checkpoint": sha256}
    if sha256 and made_from != sha256:
        message = f"it was made from another checkpoint (SHA-256 {made_from[:12]}…, not {sha256[:12]}…)"
        return Check("checkpoint", False, message, artifact, rules.CHECKPOINT.id, location=place, details=details)
    if carried is not None:
        return Check("checkpoint", False, carried, artifact, rules.CHECKPOINT.id, location=place, details=details)
    message = "made from this checkpoint, with its classes and preprocessing"
    return Check("checkpoint", True, message, artifact, rules.CHECKPOINT.id, location=place, details=details)


def output_check(
    artifact: str, output: OutputParity, *, judge: ParityJudge, excused: int, layer: str | None, rule: str
) -> Check:
    """Whether one output is within its limit."""
    ratio = "equal to the bit" if output.snr_db is None else f"SNR {output.snr_db:.1f} dB"
    if output.not_finite:
        message = f"{output.not_finite} of {output.images} images give a NaN or an infinity"
    elif judge.exact:
        message = (
            f"{ratio}, worst relative error {output.relative_error:.2g} "
            f"(rounding {output.rounding_relative:.2g}, allowed {judge.output_relative:.2g}), "
            f"max {output.max_abs_error:.2g}, mean {output.mean_abs_error:.2g}"
        )
    else:
        message = (
            f"{ratio} (at least {judge.limits.min_snr_db:g} dB), max error {output.max_abs_error:.2g}, "
            f"mean {output.mean_abs_error:.2g}"
        )
        if output.lost:
            columns = ", ".join(map(str, output.lost[:5]))
            message += f"; column{'s' if len(output.lost) > 1 else ''} {columns} no longer follow the reference"
    if judge.image_rounding and rule == rules.OUTPUT.id:
        message += f"; {len(judge.image_rounding)} images judged by their own rounding, which is larger"
    if excused:
        message += f"; {excused} images excused, where rounding decides a CGR-max choice"
    if unjudgeable := judge.unjudgeable(output.images):
        message += (
            f"; on {unjudgeable} of {output.images} images rounding alone explains a relative error of more than "
            f"{judge.widest_relative:.2g}, so that nothing is shown there"
        )
    name = "random input" if rule == rules.RANDOM.id else f"output {output.name}"
    # a limit that everything is within is no proof; one image in ten may be such a one
    unjudged = output.passed and unjudgeable > MOST_UNJUDGED * output.images
    return Check(
        name,
        output.passed and not unjudged,
        message,
        artifact,
        rule,
        skipped=unjudged,
        required=unjudged,
        location=Location(artifact, logical=layer),
        details=to_dict(output),
    )


def unknown_output_check(label: str, name: str, what: str) -> Check:
    """An output of the artifact that the reference (``what``, in a word) does not have: not judged, and said so."""
    message = f"the {what} has no such output, so there is nothing to compare it with"
    place = Location(label)
    return Check(f"output {name}", False, message, label, rules.OUTPUT.id, skipped=True, location=place)


def flips_check(artifact: str, flips: Sequence[Flip], images: int, judge: ParityJudge, layer: str | None) -> Check:
    """Whether classes stay."""
    counted = [flip for flip in flips if flip.counts]
    if judge.exact:
        passed = not counted
        allowed = ""
    else:
        passed = len(counted) <= (1 - judge.limits.min_agreement) * images
        allowed = f" (at most {1 - judge.limits.min_agreement:.0%} may)"
    if not flips:
        message = f"all {images} images keep their class"
    elif not counted:
        worst = max(flip.margin for flip in flips)
        message = f"{len(flips)} of {images} images change class, none beyond rounding (largest margin {worst:.2g})"
    else:
        worst_flip = max(counted, key=lambda flip: flip.margin)
        example = f"{worst_flip.image}: {worst_flip.reference} to {worst_flip.artifact}"
        message = (
            f"{len(counted)} of {images} images change class{' beyond rounding' if judge.rounding.images else ''}{allowed}, "
            f"by up to {worst_flip.margin:.2g} ({example})"
        )
    details = {"flips": len(flips), "above_rounding": len(counted), "images": images}
    place = Location(artifact, logical=layer)
    return Check("top-1", passed, message, artifact, rules.FLIPS.id, location=place, details=details)


def attention_check(artifact: str, rows: Sequence[AttentionParity], reason: str | None, judge: ParityJudge) -> Check:
    """Whether the mixing weights are the network's; skipped with ``reason`` where they cannot be seen."""
    if reason is not None:
        return Check(
            "attention", False, reason, artifact, rules.ATTENTION.id, skipped=True, location=Location(artifact)
        )
    failed = [row for row in rows if not row.passed]
    changes = sum(row.winner_changes for row in rows)
    if failed:
        first = failed[0]
        further_layers = f" and {len(failed) - 1} layers after it" if len(failed) > 1 else ""
        message = (
            f"the mixing weights of {first.layer}{further_layers} are off by up to {first.max_abs_error:.2g} "
            f"(rounding {first.rounding_abs:.1g}, allowed {first.tolerance_abs or 0:.1g})"
        )
    else:
        worst = max(rows, key=lambda row: row.max_abs_error / row.rounding_abs)
        message = (
            f"the mixing weights of {len(rows)} layers {'agree' if judge.exact else 'are seen'}, "
            f"worst error {worst.max_abs_error:.1g} ({worst.layer}, rounding {worst.rounding_abs:.1g})"
        )
        if excused := max(row.excused for row in rows):
            message += f"; {excused} images excused, where rounding decides a CGR-max choice"
    if changes:
        message += f"; another kernel weighs most in {changes} cases"
    place = Location(artifact, logical=failed[0].layer if failed else None)
    details = {"layers": len(rows), "winner_changes": changes}
    return Check("attention", not failed, message, artifact, rules.ATTENTION.id, location=place, details=details)


def batch_check(artifact: str, row: BatchParity) -> Check:
    """Whether images are independent of each other."""
    message = (
        f"{row.images} images in batches of {row.batch} differ from the same images alone by at most "
        f"{row.max_abs_difference:.2g} (rounding allows {row.tolerance_abs:.2g})"
    )
    return Check(
        f"batch {row.batch}",
        row.passed,
        message,
        artifact,
        rules.BATCH.id,
        location=Location(artifact),
        details=to_dict(row),
    )


def layer_of(divergence: Divergence | None) -> str | None:
    """The layer to point at."""
    return None if divergence is None else divergence.layer
