"""Devices: measure where the model will run, or estimate without the board."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from eamdeploy.api.types import AnyPath, ArtifactLike, artifact_path, artifact_paths, folder_of, names, store_of
from eamdeploy.base.progress import SILENT, Progress

if TYPE_CHECKING:
    from devices.latency.estimate.comparison import RatioEstimate
    from devices.latency.estimate.result import Estimate
    from eamdeploy.measurement import BenchReport, Effort
    from eamdeploy.runs.store import Store
    from runtimes.protocol import RuntimeOptions


def bench(
    artifacts: ArtifactLike | Sequence[ArtifactLike],
    device: str | None = None,
    *,
    boards: str | Iterable[str] = (),
    every_board: bool = False,
    runtimes: str | Iterable[str] = (),
    threads: int | Sequence[int] = 1,
    batch: int = 1,
    data: AnyPath | None = None,
    accuracy: bool | None = None,
    limit: int | None = None,
    effort: Effort | None = None,
    options: RuntimeOptions | None = None,
    profile: bool = False,
    self_check: bool = False,
    instructions: bool = False,
    estimate: bool = False,
    store: AnyPath | Store | None = None,
    keep: bool = True,
    wait_s: float = 0.0,
    progress: Progress = SILENT,
) -> BenchReport:
    """Measure latency, accuracy and memory on this host, on boards over SSH, or on an emulated board.

    Example:
        >>> runs = eamdeploy.bench("build/fashion-mnist-v1x0.25-eam-rcr.onnx", "host", accuracy=False)
        >>> runs[0].latency.p50_ms > 0
        True

    Args:
        artifacts: .onnx and .tflite files, or what ``export`` returned; measured in turns.
        device: a profile such as ``pi4``: your board of that kind, else an emulated one; this host by default.
        boards: names of your boards.
        every_board: measure on all your boards (of the profile).
        runtimes: names; for each artifact the one for its kind of file by default.
        threads: one number of threads, or several.
        batch: images in one inference, where the artifact leaves that open.
        data: labelled images for accuracy.
        accuracy: measure accuracy; by default where ``data`` is given or the embedded sample fits.
        limit: at most this many images.
        effort: how long to measure.
        options: everything else about the runtimes.
        profile: add the time of each operator.
        self_check: measure the first artifact against itself, which shows this machine's false-alarm floor.
        instructions: count instructions on an emulated board in place of time.
        estimate: run nothing; ask the latency model.
        store: where the runs are kept; the user's store by default.
        keep: store the runs.
        wait_s: how long to wait for a board that is busy.
        progress: receives what is being done, under the place's name.

    Returns:
        The runs, as a sequence; ``failures`` says what gave no result, and ``exit_code`` what that amounts to.

    Raises:
        UsageError: an artifact, device or runtime does not exist or cannot be served.
    """
    from eamdeploy.measurement import Effort, Request, choose_targets, expand
    from eamdeploy.measurement import bench as run

    cases = expand(
        artifact_paths(artifacts),
        runtimes=names(runtimes),
        threads=(threads,) if isinstance(threads, int) else tuple(threads),
        options=options,
        batch=batch,
    )
    request = Request(
        cases=cases,
        effort=effort or Effort(),
        data=folder_of(data),
        accuracy=accuracy,
        limit=limit,
        profile=30 if profile else 0,
    )
    targets = choose_targets(
        device, boards=names(boards), every=every_board, instructions=instructions, estimate=estimate
    )
    run_store = store_of(store) if keep else None
    return run(request, targets, store=run_store, check_itself=self_check, wait_s=wait_s, progress=progress)


def estimate(
    artifact: ArtifactLike,
    devices: str | Iterable[str] | None = None,
    *,
    runtime: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
) -> list[Estimate]:
    """Estimate the latency of an artifact on boards that are not here, each with a 90 % interval.

    Example:
        >>> eamdeploy.estimate("build/fashion-mnist-v1x0.25-eam-rcr.onnx", "pi4")[0].device
        'pi4'

    Args:
        artifact: an .onnx or .tflite file, or what ``export`` returned.
        devices: profiles such as ``pi4``, or boards that you calibrated; all of them by default.
        runtime: the file's own by default.
        precision: ``fp32``, ``fp16`` or ``int8``; the file's own by default.
        threads: as in the measurements behind the estimate by default.

    Returns:
        One estimate for each device; ``p50_ms`` is None, and ``notes`` says why, where there can be none.

    Raises:
        UsageError: no artifact, or an unknown device, runtime or precision.
    """
    from devices.latency.estimate.estimate import estimate_all, known_device

    device_list = None if devices is None else [known_device(name) for name in names(devices)]
    return estimate_all(artifact_path(artifact), runtime, precision, threads, devices=device_list)


def estimate_ratio(
    artifact: ArtifactLike,
    compared_with: ArtifactLike,
    devices: str | Iterable[str] | None = None,
    *,
    runtime: str | None = None,
    precision: str | None = None,
    threads: int | None = None,
) -> list[RatioEstimate]:
    """Estimate how many times as long one artifact takes as another, with an interval narrower than either latency's.

    Args:
        artifact: an .onnx or .tflite file, or what ``export`` returned.
        compared_with: the artifact to divide by.
        devices: profiles such as ``pi4``, or boards that you calibrated; all of them by default.
        runtime, precision, threads: for both, as in ``estimate``.

    Returns:
        One ratio for each device; ``ratio`` is None, and ``notes`` says why, where there can be none.

    Raises:
        UsageError: no artifact, or an unknown device, runtime or precision.
    """
    from devices.latency.estimate.comparison import compare_estimates
    from devices.latency.estimate.estimate import device_names, known_device

    device_list = device_names() if devices is None else [known_device(name) for name in names(devices)]
    artifact_paths = artifact_path(artifact), artifact_path(compared_with)
    return [
        compare_estimates(*artifact_paths, name, runtime=runtime, precision=precision, threads=threads)
        for name in device_list
    ]
