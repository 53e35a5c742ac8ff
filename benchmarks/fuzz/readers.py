"""The code of the product that reads each kind of input."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.fuzz import samples


def store_row(path: Path) -> None:
    from eamdeploy.runs.report import collect, render_markdown
    from eamdeploy.runs.store import import_runs, open_store

    folder = path.parent
    store = open_store(folder / "row.db")
    if not store.path.exists():
        (folder / "seed.jsonl").write_bytes(samples.exported_runs(folder))
        import_runs(store, folder / "seed.jsonl")
    with contextlib.closing(sqlite3.connect(store.path, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER IF EXISTS runs_no_UPDATE")
        text = path.read_bytes().decode("utf-8", "replace")
        connection.execute("UPDATE runs SET document = ?", (text,))
    material = collect(store)
    render_markdown(material, "t")


def import_history(path: Path) -> None:
    from eamdeploy.runs.report import collect, render_markdown
    from eamdeploy.runs.store import import_runs, open_store

    database = path.with_name("imported.db")
    for suffix in ("", "-wal", "-shm"):
        Path(f"{database}{suffix}").unlink(missing_ok=True)
    store = open_store(database)
    import_runs(store, path)
    if store.path.exists():
        render_markdown(collect(store), "t")


def baseline(path: Path) -> None:
    from eamdeploy.runs.compare import compare_runs
    from eamdeploy.runs.store import read_runs

    for run in read_runs(path):
        compare_runs(run, run)


def manifest(path: Path) -> None:
    from export.manifest.document import read_manifest

    read_manifest(path)


def preprocessing(path: Path) -> None:
    from eamdeploy.inference.foreign import read_preprocessing

    read_preprocessing(str(path))


def labels(path: Path) -> None:
    from eamdeploy.data.class_list import read_class_list

    read_class_list(path)


def class_map(path: Path) -> None:
    from eamdeploy.data.class_map import read_class_map

    read_class_map(path)


def boards(path: Path) -> None:
    from devices.boards.registry import BoardRegistry

    for board in BoardRegistry(path).boards():
        str(board.target) if not board.emulated else board.name


def settings(path: Path) -> None:
    import typer

    from eamdeploy.cli.app import build_app
    from eamdeploy.cli.options import config

    _ROOT.append(typer.main.get_command(build_app())) if not _ROOT else None
    config.default_map(_ROOT[0], str(path))


_ROOT: list[Any] = []


def board_answer(operation: str, request: dict[str, Any]) -> Callable[[Path], None]:
    def read(path: Path) -> None:
        from devices.session.messages import BadMessage, read_answer, read_line

        for line in path.read_bytes().decode("utf-8", "replace").split("\n"):
            try:
                frame = read_line("@eamdeploy " + line, "board")
            except BadMessage as bad:
                raise bad.error from bad
            if frame is not None:
                read_answer(operation, request, frame[1], "board")

    return read


def doctor(path: Path) -> None:
    import asyncio

    from devices.doctor import examine
    from tests.devices.doctor.test_lying_probe import MARK, PROBE, ScriptedBoard

    text = path.read_bytes().decode("utf-8", "replace").replace("\n", " ")
    asyncio.run(examine(ScriptedBoard(PROBE, MARK + text))).to_dict()


def set_up(path: Path) -> None:
    import asyncio

    from devices.setup.environment import fresh_environment
    from tests.devices.doctor.test_lying_probe import MARK, ScriptedBoard

    async def make() -> None:
        async with fresh_environment(ScriptedBoard(MARK + path.read_bytes().decode("utf-8", "replace")), "/home/pi"):
            pass

    asyncio.run(make())


def timed_row(path: Path) -> None:
    from eamdeploy.runs.store.rows import load_timed

    load_timed(samples.run()["id"], path.read_bytes().decode("utf-8", "replace"))


def mnn(path: Path) -> None:
    from runtimes.readers.metadata import read_metadata
    from runtimes.readers.mnn_file import read_network

    read_network(path)
    read_metadata(path)


def metadata(path: Path) -> None:
    from eamdeploy.inference.model_card import read_card
    from runtimes.readers.metadata import read_metadata

    read_metadata(path)
    read_card(path)


def operators(path: Path) -> None:
    from runtimes.readers.tflite_file import read_operators

    read_operators(path)


def graph(path: Path) -> None:
    from devices.latency.graph.extract import extract_features

    extract_features(path)


def predict(path: Path) -> None:
    from PIL import Image

    from eamdeploy.inference.predict import predict

    picture = path.with_name("picture.png")
    if not picture.exists():
        Image.new("RGB", (8, 8)).save(picture)
    list(predict(path, [picture]))


def ncnn(path: Path) -> None:
    from runtimes.readers.metadata import read_metadata
    from runtimes.readers.ncnn_file import read_param

    read_param(path)
    read_metadata(path)


def training_state(path: Path) -> None:
    from eamdeploy.training.loop.state import TrainingState

    TrainingState.load(path)


def checkpoint(path: Path) -> None:
    from eamdeploy.data.preprocessing import Preprocessing
    from eamdeploy.networks.checkpoint_header import read_document
    from eamdeploy.networks.spec import ArchSpec

    document = read_document(path)
    ArchSpec.from_dict(document["architecture"])
    Preprocessing.from_dict(document["preprocessing"])


def attention(path: Path) -> None:
    from eamdeploy.runs.report.content.attention import attention_table, read_attention
    from eamdeploy.runs.report.model import Names

    attention_table(Names(), [read_attention(path)])


def idx(path: Path) -> None:
    from eamdeploy.data.formats.idx import read_idx

    read_idx(path)


def picture(path: Path) -> None:
    from eamdeploy.data.picture import eight_bits, read_image

    eight_bits(read_image(path))


def calibration(path: Path) -> None:
    from devices.latency.model.calibration import read_calibration

    read_calibration(path)
