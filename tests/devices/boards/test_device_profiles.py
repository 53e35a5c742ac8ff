"""The profiles' data files: complete, sourced, and what the source table says."""

from __future__ import annotations

import csv
import os
import re
import subprocess
from pathlib import Path

import pytest

from devices.boards.profiles import load_profile, profile_names, profiles
from eamdeploy.base.errors import UsageError

TEN = {
    "pi-zero2w", "pi3b", "pi4", "pi5", "jetson-nano", "jetson-xavier-nx", "jetson-agx-xavier",
    "jetson-orin-nano", "jetson-orin-nx", "jetson-agx-orin",
}  # fmt: skip
ROWS = {
    "pi-zero2w": "Raspberry Pi Zero 2 W", "pi3b": "Raspberry Pi 3B", "pi4": "Raspberry Pi 4B", "pi5": "Raspberry Pi 5",
    "jetson-nano": "Jetson Nano", "jetson-xavier-nx": "Jetson Xavier NX", "jetson-agx-xavier": "Jetson AGX Xavier",
    "jetson-orin-nano": "Jetson Orin Nano", "jetson-orin-nx": "Jetson Orin NX", "jetson-agx-orin": "Jetson AGX Orin",
}  # fmt: skip


def test_the_ten_devices_and_this_machine():
    assert set(profile_names()) == TEN | {"host"}
    assert profile_names()[0] == "host"


@pytest.mark.parametrize("name", sorted(TEN))
def test_every_board_is_sourced_and_can_be_emulated(name):
    profile = load_profile(name)
    assert profile.sources
    assert profile.cpu.core
    assert profile.cpu.cores >= 4
    assert profile.cpu.clock_mhz >= 1000
    assert profile.cpu.dot_product is not None
    assert profile.emulation.cpu.startswith("cortex-")
    # an emulated CPU must have the dot product exactly where the real one has it: it decides which kernels run
    assert (profile.emulation.cpu == "cortex-a76") == profile.cpu.dot_product
    if profile.emulation.cpu.removeprefix("cortex-").upper() not in profile.cpu.core.upper():
        assert profile.emulation.note, "a stand-in must say so"


@pytest.mark.parametrize("name", sorted(TEN))
def test_facts_are_those_of_the_source_table(name):
    folder = os.environ.get("EAMDEPLOY_SOURCE_DATA")
    if folder is None:
        pytest.skip("EAMDEPLOY_SOURCE_DATA does not name the folder with latency/boards.csv")
    with Path(folder, "latency", "boards.csv").open(encoding="utf-8") as file:
        row = next(row for row in csv.DictReader(file) if row["board"] == ROWS[name])
    cpu = load_profile(name).cpu
    assert int(re.match(r"\d+", row["clock_mhz"])[0]) == cpu.clock_mhz
    assert f"{cpu.cores}x" in row["cpu_cores"]
    assert (row["dotprod"] == "yes") == cpu.dot_product
    assert (row["fp16_arith"] == "yes") == cpu.fp16_arithmetic
    for column, value in (("memcpy_MBps_1thread", cpu.memcpy_mb_per_s), ("memset_MBps_1thread", cpu.memset_mb_per_s)):
        assert (int(row[column]) if row[column] else None) == value
    flops = re.match(r"\d+", row["fp32_flop_per_cycle_per_core"])
    assert (int(flops[0]) if flops else None) == cpu.fp32_flop_per_cycle_core


def test_qemu_knows_every_cpu():
    try:
        done = subprocess.run(["qemu-system-aarch64", "-cpu", "help"], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        pytest.skip("qemu-system-aarch64 is not installed")
    cpu_names = done.stdout.split()
    assert {profile.emulation.cpu for profile in profiles() if profile.emulation} <= set(cpu_names)


def test_an_unknown_device_is_answered_with_the_nearest():
    with pytest.raises(UsageError, match=r"no device is called 'pi44'; did you mean 'pi4'\?"):
        load_profile("pi44")


def test_this_machine_is_read_from_itself():
    host = load_profile("host")
    assert host.cpu.cores == os.cpu_count()
    assert host.ram_mb > 100
    assert host.emulation is None
