"""`eamdeploy devices` as a user types it: output, exit codes, and what it changes."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import threading

import asyncssh
import pytest

from devices.boards.registry import BoardRegistry
from eamdeploy.cli.main import main
from tests.devices.board_server import BoardServer


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("EAMDEPLOY_BOARDS", str(tmp_path / "boards.toml"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def typed(capsys):
    """Type a command; returns the exit code, standard output and standard error."""

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            main(["devices", *map(str, words)])
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return run


@pytest.fixture
def board(tmp_path):
    """A board server with an event loop of its own, as another machine would have."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def call(coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)

    server = call(BoardServer(tmp_path / "pi").__aenter__())
    server.call = call
    yield server
    call(server.__aexit__())
    loop.call_soon_threadsafe(loop.stop)
    thread.join(10)
    loop.close()


def _add(typed, board, name="mypi", **flags):
    words = ["add", name, "--profile", "pi4", "--host", f"pi@127.0.0.1:{board.port}", "--identity", board.identity]
    words += ["--python", sys.executable]
    for flag, value in flags.items():
        words += [f"--{flag}", value]
    return typed(*words)


def test_list_is_one_document(typed):
    code, out, _ = typed("list", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["schema"] == "eamdeploy/devices"
    names = [device["name"] for device in document["devices"]]
    assert {"host", "pi-zero2w", "pi5", "jetson-agx-orin"} <= set(names)
    assert len(names) == 11
    assert document["boards"] == []


def test_list_for_people_fits_a_terminal(typed, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = typed("list")
    assert code == 0
    assert "jetson-agx-xavier" in out
    assert "No board of your own yet" in out
    assert max(map(len, out.splitlines())) <= 80


def test_show_gives_every_source(typed):
    assert typed("show", "nope")[0] == 2
    code, out, _ = typed("show", "jetson-xavier-nx")
    assert code == 0
    assert "sbc-bench" in out
    assert "qemu has no Carmel" in out


def test_a_board_from_adding_to_removing(typed, board):
    code, out, err = _add(typed, board, fingerprint=board.host_key.get_fingerprint())
    assert (code, out.strip()) == (0, "Added mypi.")
    assert "devices check mypi" in err
    code, out, err = typed("check", "mypi", "--json")
    document = json.loads(out)["devices"][0]
    assert code == (0 if document["healthy"] else 7)
    assert document["reachable"] is True
    assert document["facts"]["python"]["executable"] == sys.executable
    assert {"glibc", "features", "governor", "throttled", "temperature_c"} <= document["facts"].keys()
    checks = {check["check"] for check in document["checks"]}
    assert {"C library", "Python", "numpy", "CPU", "governor", "temperature", "swap", "disk", "energy"} <= checks
    assert typed("show", "mypi", "--json")[0] == 0
    assert typed("remove", "mypi")[0] == 0
    assert BoardRegistry().boards() == ()
    code, _, err = typed("remove", "mypi")
    assert code == 2
    assert "no board is called 'mypi'" in err


def test_a_board_whose_key_is_not_known_is_trusted_by_its_fingerprint_only(typed, board):
    _add(typed, board)
    code, out, _ = typed("check", "mypi", "--json")
    document = json.loads(out)["devices"][0]
    assert code == 6
    assert document["reachable"] is False
    fingerprint = board.host_key.get_fingerprint()
    assert f"devices trust mypi --fingerprint {fingerprint}" in document["error"]
    code, _, err = typed("trust", "mypi", "--fingerprint", "SHA256:" + "B" * 43)
    assert code == 6
    assert "does not show that host key" in err
    assert BoardRegistry().get("mypi").host_key is None
    assert typed("trust", "mypi", "--fingerprint", fingerprint)[0] == 0
    assert typed("check", "mypi", "--json")[0] in (0, 7)
    # the board is installed anew, or something else answers: refused, and the way on is named
    board.call(board.stop())
    board.host_key = asyncssh.generate_private_key("ssh-ed25519")
    board.call(board.start())
    code, out, _ = typed("check", "mypi")
    assert code == 6
    assert "not the one on file" in out.replace("\n", " ")


def test_a_fingerprint_that_the_board_does_not_show_adds_nothing(typed, board):
    code, _, err = _add(typed, board, fingerprint="SHA256:" + "A" * 43)
    assert code == 6
    assert "does not show that host key" in err
    assert BoardRegistry().boards() == ()


def test_one_bad_board_does_not_hide_the_others(typed, board):
    _add(typed, board, "good", fingerprint=board.host_key.get_fingerprint())
    assert typed("add", "bad", "--profile", "pi5", "--host", "pi@127.0.0.1:1")[0] == 0
    code, out, _ = typed("check", "--all", "--json")
    documents = {device["name"]: device for device in json.loads(out)["devices"]}
    assert code == 6
    assert documents["good"]["reachable"]
    assert documents["good"]["checks"]
    assert "nothing listens on that port" in documents["bad"]["error"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("add", "x", "--profile", "pi44", "--host", "h"), "did you mean 'pi4'"),
        (("add", "x", "--profile", "pi4", "--host", "a b"), "is not a board's address"),
        (("add", "x y", "--profile", "pi4", "--host", "h"), "cannot be a board's name"),
        (("check",), "there is nothing to look at"),
        (("check", "nope"), "no board is called 'nope'"),
        (("setup", "nope"), "no board is called 'nope'"),
        (("emulate", "pi44"), "did you mean 'pi4'"),
    ],
)
def test_what_cannot_be_is_a_usage_error(typed, words, message):
    code, out, err = typed(*words)
    assert code == 2
    assert message in err
    assert out == ""


def test_this_machine_cannot_be_emulated(typed):
    if shutil.which("qemu-system-aarch64") is None:
        pytest.skip("qemu-system-aarch64 is not installed")
    code, _, err = typed("emulate", "host")
    assert code == 7
    assert "no emulated board for 'host'" in err


def test_emulate_without_qemu(typed, monkeypatch, tmp_path):
    monkeypatch.setattr("devices.transports.emulated.tools._which", lambda name: None)
    monkeypatch.setenv("EAMDEPLOY_CACHE", str(tmp_path))
    code, out, err = typed("emulate", "pi4")
    assert code == 7
    assert "qemu-system-arm" in err
    assert out == ""


def test_setup_on_an_emulated_board_and_of_an_unknown_runtime(typed):
    typed("add", "emu", "--profile", "pi4", "--host", "emulated")
    assert "has everything already" in typed("setup", "emu")[2]
    typed("add", "real", "--profile", "pi4", "--host", "pi@192.0.2.1")
    code, _, err = typed("setup", "real", "--runtime", "onnxruntme")
    assert code == 2
    assert "did you mean 'onnxruntime'" in err
