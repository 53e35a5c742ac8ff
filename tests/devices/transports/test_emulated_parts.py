"""What an emulated board is made of, without booting one."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from devices.session.opening import open_emulated
from devices.transports.emulated import tools
from devices.transports.emulated.image import build as image_module
from devices.transports.emulated.image import recipe as recipe_module
from devices.transports.emulated.image.build import build_image, cached_image
from devices.transports.emulated.image.recipe import ImageRecipe
from devices.transports.emulated.image.sources import mirror
from devices.transports.emulated.machine import Machine, MachineOptions
from devices.wheel_tags import manylinux_platforms
from eamdeploy.base.errors import MissingDependency


def test_an_image_is_named_after_its_contents(monkeypatch):
    recipe = ImageRecipe(requirements=("numpy",))
    assert recipe.content_hash == ImageRecipe(requirements=("numpy",)).content_hash
    different = [
        replace(recipe, requirements=("numpy<2",)),
        replace(recipe, free_mb=100),
        replace(recipe, suite="trixie"),
        replace(recipe, modules=("nfsd",)),
    ]
    assert len({each.content_hash for each in [recipe, *different]}) == 5
    before = recipe.content_hash
    monkeypatch.setattr("devices.transports.emulated.image.recipe.guest_file", lambda name: "changed")
    assert recipe.content_hash != before


def test_an_image_is_named_after_the_code_that_builds_it(tmp_path, monkeypatch):
    before = ImageRecipe().content_hash
    folder = tmp_path / "image"
    shutil.copytree(Path(recipe_module.__file__).parent, folder)
    monkeypatch.setattr(recipe_module, "_folder", lambda: folder)
    assert ImageRecipe().content_hash == before
    with (folder / "kernel.py").open("a") as file:
        file.write("# another way\n")
    assert ImageRecipe().content_hash != before


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"sources.list": "deb http://mirror.test/debian bookworm main\n"}, "http://mirror.test/debian"),
        (
            {"sources.list": "# deb http://no.test/d bookworm main\ndeb [arch=amd64] http://y.test/d trixie main"},
            "http://y.test/d",
        ),
        (
            {
                "sources.list.d/a.list": "deb https://vendor.test tool main\n",
                "sources.list.d/d.sources": "Types: deb\nURIs: http://d.test/debian\nSuites: bookworm bookworm-updates\n",
            },
            "http://d.test/debian",
        ),
        ({"sources.list": "deb http://archive.test/ubuntu noble main\n"}, None),
        ({}, None),
    ],
)
def test_packages_come_from_the_host_s_own_mirror(tmp_path, monkeypatch, files, expected):
    monkeypatch.delenv("EAMDEPLOY_DEBIAN_MIRROR", raising=False)
    (tmp_path / "sources.list.d").mkdir()
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert mirror(tmp_path) == expected
    monkeypatch.setenv("EAMDEPLOY_DEBIAN_MIRROR", "http://mine.test/debian")
    assert mirror(tmp_path) == "http://mine.test/debian"


def test_every_wheel_tag_is_named():
    tags = manylinux_platforms("aarch64", (2, 31))
    assert tags[0] == "manylinux_2_31_aarch64"
    assert {"manylinux_2_28_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"} <= set(tags)
    assert not any("2_32" in tag or "2_16" in tag for tag in tags)
    assert {"manylinux1_x86_64", "manylinux2010_x86_64"} <= set(manylinux_platforms("x86_64", (2, 17)))


def test_without_qemu_it_is_said_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setenv("EAMDEPLOY_CACHE", str(tmp_path))
    monkeypatch.setattr(tools, "_which", lambda name: None)
    with pytest.raises(MissingDependency) as caught:
        build_image()
    assert caught.value.exit_code == 7
    assert "apt-get install e2fsprogs mmdebstrap qemu-system-arm" in str(caught.value)
    assert "`board`" in str(caught.value)


def test_this_machine_cannot_be_emulated():
    with pytest.raises(MissingDependency, match="no emulated board for 'host'"):
        open_emulated("host")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("mmdebstrap") is None, reason="mmdebstrap is not installed")
def test_a_build_that_fails_says_why_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("EAMDEPLOY_CACHE", str(tmp_path / "a,b"))
    monkeypatch.setenv("EAMDEPLOY_DEBIAN_MIRROR", "http://127.0.0.1:9/debian")
    with pytest.raises(MissingDependency, match="fetching the emulated board's Debian packages failed") as caught:
        build_image()
    assert "127.0.0.1:9" in str(caught.value)
    assert cached_image() is None
    assert [path.name for path in (tmp_path / "a,b" / "emulated").iterdir() if path.suffix != ".lock"] == []


def test_the_machine_s_command_line(tmp_path, monkeypatch):
    monkeypatch.setattr("devices.transports.emulated.machine.tool", lambda name: name)
    machine = Machine(image_module.Image(tmp_path / "a,b"), MachineOptions(cpu="cortex-a76", cores=4, memory_mb=512))
    command = machine._command()
    assert command[command.index("-cpu") + 1] == "cortex-a76"
    assert command[command.index("-smp") + 1] == "4"
    assert "-icount" not in command
    # a comma in the folder's name must not end the option
    assert f"file={tmp_path}/a,,b/disk.img,if=none" in " ".join(command)
    assert "restrict=on" in " ".join(command)
    counting = Machine(image_module.Image(tmp_path), MachineOptions(cores=4, instructions=True))._command()
    assert counting[counting.index("-smp") + 1] == "1"
    assert counting[counting.index("-icount") + 1] == "shift=0"


def test_unsigned_archives_are_never_allowed(monkeypatch):
    """Whatever this machine's apt allows itself."""
    from devices.transports.emulated.image import sources

    settings_text = (
        'Acquire::http::Proxy "http://proxy.test";\nAcquire::AllowInsecureRepositories "true";\n'
        'APT::Update::Pre-Invoke:: "evil";\nAPT::Get::AllowUnauthenticated "true";\n'
    )
    monkeypatch.setattr(sources, "tool", lambda *_: ["true"])
    monkeypatch.setattr(sources, "run", lambda *_: subprocess.CompletedProcess([], 0, settings_text.encode(), b""))
    options = sources.apt_options()
    assert "proxy.test" in options
    assert "evil" not in options
    assert '"true"' not in options
    assert 'AllowUnauthenticated "false"' in options


def test_a_cached_image_that_was_changed_is_not_used(tmp_path, monkeypatch):
    import hashlib
    import json

    from devices.transports.emulated.image.build import cached_image
    from devices.transports.emulated.image.recipe import ImageRecipe

    monkeypatch.setenv("EAMDEPLOY_CACHE", str(tmp_path))
    folder = tmp_path / "emulated" / ImageRecipe().content_hash
    folder.mkdir(parents=True)
    digests = {}
    for name in ("vmlinuz", "init.gz", "disk.img", "id_ed25519", "host_key.pub"):
        (folder / name).write_bytes(name.encode())
        digests[name] = hashlib.sha256(name.encode()).hexdigest()
    described = {"recipe": folder.name, "packages": {}, "sha256": digests}
    (folder / "image.json").write_text(json.dumps(described))
    assert cached_image() is not None
    (folder / "image.json").write_text(json.dumps(described | {"sha256": {"vmlinuz": digests["vmlinuz"]}}))
    assert cached_image() is None  # of the disk nothing is said
    (folder / "image.json").write_text(json.dumps(described | {"recipe": "0123456789abcdef"}))
    assert cached_image() is None  # another recipe's, under this one's name
    (folder / "image.json").write_text(json.dumps(described))
    (folder / "vmlinuz").write_bytes(b"kernel!")
    assert cached_image() is None
    (folder / "image.json").write_text("[" * 10_000)
    assert cached_image() is None


def test_a_wheel_that_is_another_than_was_tried_is_not_installed(tmp_path, monkeypatch):
    import hashlib

    from devices.transports.emulated.image import wheels
    from tests.devices.kit import installable_board

    index = installable_board.wheels(tmp_path / "index")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    (wheel,) = index.glob("numpy-*")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    monkeypatch.setattr(wheels, "HASHED", tmp_path / "wheels.txt")
    board = {"python_version": "3.11", "machine": "aarch64", "glibc": (2, 36)}
    wheels.HASHED.write_text(f"# said before\nnumpy==9.1 --hash=sha256:{digest}\n")
    wheels.install_for_board(["numpy"], tmp_path / "good", **board)
    assert (tmp_path / "good" / "numpy-here.pth").is_file()
    installable_board.wheels(index, works=False)  # the same name and version, another content
    with pytest.raises(MissingDependency, match="THESE PACKAGES DO NOT MATCH THE HASHES"):
        wheels.install_for_board(["numpy==9.1"], tmp_path / "bad", **board)
    assert not (tmp_path / "bad").exists()
    assert wheels.unhashed(["numpy==9.2", "Numpy", "pillow"]) == ["numpy==9.2", "pillow"]


def test_every_wheel_of_the_default_board_has_its_hash():
    from devices.transports.emulated.image.recipe import RUNTIME_PACKAGES
    from devices.transports.emulated.image.wheels import unhashed

    assert unhashed([*RUNTIME_PACKAGES, "numpy", "pillow"]) == []
