"""The user's file of boards, and the choice of boards from flags."""

from __future__ import annotations

import tomllib
from concurrent.futures import ThreadPoolExecutor

import pytest

from devices.boards.registry import Board, BoardRegistry
from devices.session.opening import choose_boards
from eamdeploy.base.errors import UsageError


@pytest.fixture
def registry(tmp_path):
    return BoardRegistry(tmp_path / "conf" / "boards.toml")


def test_what_is_added_is_read_back(registry):
    board = Board(
        "my.pi-4",
        "pi4",
        "pi@[2001:db8::1]:2222",
        identity='/k"ey\\ü',
        jump="gate",
        host_key="ssh-ed25519 AAAA",
        python="p",
    )
    registry.add(board)
    registry.add(Board("other", "pi5", "desk"))
    assert registry.boards() == (board, Board("other", "pi5", "desk"))
    assert tomllib.loads(registry.path.read_text())["boards"]["other"] == {"profile": "pi5", "host": "desk"}
    assert registry.remove("other").host == "desk"
    assert registry.boards() == (board,)


def test_a_name_is_taken_once(registry):
    registry.add(Board("a", "pi4", "h"))
    with pytest.raises(UsageError, match="already called 'a'"):
        registry.add(Board("a", "pi5", "i"))
    assert registry.get("a").host == "h"


def test_many_at_once_lose_none(registry):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: registry.add(Board(f"b{n}", "pi4", "h")), range(20)))
    assert len(registry.boards()) == 20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[boards.x]\nhost = 'h'", "boards.x.*required field profile"),
        ("[boards.x]\nprofile = 'pi4'\nhots = 'h'", "'hots' is unknown .*did you mean 'host'"),
        ("[boards.x]\nprofile = 'pi9'\nhost = 'h'", "no device is called 'pi9'"),
        ("[boards.x]\nprofile = 'pi4'\nhost = 7", "field 'host'.*expected str, got int"),
        ("[boards.x]\nprofile = 'pi4'\nhost = 'h'\npython = ['a']", "boards.x, field 'python'"),
        ("[boards.x]\nprofile = 'pi4'\nhost = 'h'\nidentity = \"a\\n\"", "boards.x, field 'identity'"),
        ("boards = 3", "not as expected"),
        ("[board.x]\nprofile = 'pi4'", "not as expected"),
        ("not toml", "cannot be read"),
        ("\0", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_is_said_where(registry, text, message):
    registry.path.parent.mkdir(parents=True)
    registry.path.write_text(text)
    with pytest.raises(UsageError, match=message):
        registry.boards()


@pytest.mark.parametrize(
    "values",
    [("../x", "pi4", "h"), ("", "pi4", "h"), ("-x", "pi4", "h"), ("a", "pi4", "-oProxyCommand=x"), ("a", "nope", "h")],
)
def test_values_that_cannot_be(values):
    with pytest.raises(UsageError):
        Board(*values)


def test_choice(registry):
    assert choose_boards(registry, "pi4") == []
    for name, profile in (("a", "pi4"), ("b", "pi4"), ("c", "pi5")):
        registry.add(Board(name, profile, "h"))
    names = lambda **flags: [board.name for board in choose_boards(registry, **flags)]  # noqa: E731
    assert names(device="pi5") == ["c"]
    assert names(device="pi4", every=True) == ["a", "b"]
    assert names(device=None, every=True) == ["a", "b", "c"]
    assert names(device="pi4", names=["b", "b"]) == ["b"]
    assert names(device="pi3b") == []
    with pytest.raises(UsageError, match=r"several boards are a pi4 \(a,b\); choose with `board` a,b, or `every`"):
        choose_boards(registry, "pi4")
    with pytest.raises(UsageError, match="board 'c' is a pi5, not a pi4"):
        choose_boards(registry, "pi4", names=["c"])
    with pytest.raises(UsageError, match="no board is called 'd'"):
        choose_boards(registry, None, names=["d"])


def test_what_people_wrote_around_the_entries_stays(tmp_path):
    path = tmp_path / "boards.toml"
    path.write_text(
        '# our lab\n[boards.desk]\nprofile = "pi4"  # with a fan\nhost = "pi@a"\n\n# the shelf\n[boards.shelf]\n'
        'profile = "pi5"\nhost = "pi@b"\n'
    )
    registry = BoardRegistry(path)
    registry.add(Board(name="new", profile="pi3b", host="pi@c"))
    registry.add(Board(name="desk", profile="pi4", host="pi@a", python="/opt/python"), replace_existing=True)
    registry.remove("shelf")
    text = path.read_text()
    assert text.startswith('# our lab\n[boards.desk]\nprofile = "pi4"  # with a fan\n')
    assert {board.name: board.python for board in registry.boards()} == {"desk": "/opt/python", "new": None}


def test_a_wrong_profile_in_the_file_names_file_and_board(tmp_path):
    path = tmp_path / "boards.toml"
    path.write_text('[boards.desk]\nprofile = "pi44"\nhost = "pi@a"\n')
    with pytest.raises(UsageError, match=r"pi44.*boards\.toml, boards\.desk.*pi4"):
        BoardRegistry(path).boards()


def test_a_mark_of_windows_before_the_first_line_is_no_mistake(tmp_path):
    path = tmp_path / "boards.toml"
    path.write_text('\ufeff[boards.desk]\r\nprofile = "pi4"\r\nhost = "pi@a"\r\n', encoding="utf-8")
    registry = BoardRegistry(path)
    registry.add(Board(name="new", profile="pi3b", host="pi@c"))
    assert [board.name for board in registry.boards()] == ["desk", "new"]


def test_a_link_into_a_folder_of_settings_stays_one(tmp_path):
    real, path = tmp_path / "dotfiles" / "boards.toml", tmp_path / "boards.toml"
    real.parent.mkdir()
    real.write_text('[boards.desk]\nprofile = "pi4"\nhost = "pi@a"\n')
    path.symlink_to(real)
    BoardRegistry(path).add(Board(name="new", profile="pi3b", host="pi@c"))
    assert path.is_symlink()
    assert [board.name for board in BoardRegistry(real).boards()] == ["desk", "new"]
