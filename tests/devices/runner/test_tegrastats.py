"""``tegrastats`` as NVIDIA's guides show its lines, for JetPack 4, 5 and 6; and a program that prints them."""

from __future__ import annotations

import time

import pytest

from devices.runner.sensors.tegrastats import Tegrastats, parse_tegrastats

_NANO = (
    "RAM 1903/3964MB (lfb 2x4MB) SWAP 0/1982MB (cached 0MB) IRAM 0/252kB(lfb 252kB) CPU [3%@102,2%@204,off,0%@102] "
    "EMC_FREQ 0%@204 GR3D_FREQ 0%@76 APE 25 PLL@31C CPU@33.5C PMIC@100C GPU@32C AO@39C thermal@32.75C "
    "POM_5V_IN 1022/1022 POM_5V_GPU 0/0 POM_5V_CPU 124/124"
)
_NX = (
    "RAM 2448/7772MB (lfb 907x4MB) SWAP 0/3886MB (cached 0MB) CPU [5%@1190,6%@1190,off,off,off,off] EMC_FREQ 0%@1600 "
    "GR3D_FREQ 0%@114 APE 150 MTS fg 0% bg 0% AO@37C GPU@38C PMIC@100C AUX@37.5C CPU@38.5C thermal@37.75C "
    "VDD_IN 2882/2880 VDD_CPU_GPU_CV 409/409 VDD_SOC 819/819"
)
_ORIN = (
    "11-27-2026 12:00:00 RAM 3162/15388MB (lfb 2x4MB) SWAP 0/7694MB (cached 0MB) CPU [0%@729,0%@1510,off,off] "
    "GR3D_FREQ 0%@[305] cpu@48.2C soc2@45.8C soc0@46.9C gpu@46.1C tj@48.2C soc1@46.2C "
    "VDD_IN 5012mW/4998mW VDD_CPU_GPU_CV 577mW/577mW VDD_SOC 1383mW/1383mW"
)
_AGX = "RAM 2/3MB CPU [1%@2201] VDD_GPU_SOC 2000mW/2000mW VDD_CPU_CV 800mW/800mW VIN_SYS_5V0 3000mW/3000mW"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (_NANO, {"power_mw": 1022, "clock_mhz": 204, "gpu_mhz": 76}),
        (_NX, {"power_mw": 2882, "clock_mhz": 1190, "gpu_mhz": 114}),
        (_ORIN, {"power_mw": 5012, "clock_mhz": 1510, "gpu_mhz": 305}),
        (_AGX, {"power_mw": 5800, "clock_mhz": 2201}),
        ("tegrastats: permission denied", {}),
    ],
)
def test_lines_of_every_jetpack(line, expected):
    assert parse_tegrastats(line) == expected


def test_the_program_runs_beside_the_measurement_and_is_ended(tmp_path, monkeypatch):
    program = tmp_path / "tegrastats"
    program.write_text(f"#!/bin/sh\necho '{_ORIN}'\nprintf 'VDD_IN 9'\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    sensor = Tegrastats(enabled=True)
    for _ in range(200):
        if reading := sensor.read():
            break
        time.sleep(0.05)
    assert reading == {"power_mw": 5012, "power_source": "tegrastats"}  # not the line that is only half there
    sensor.close()
    assert Tegrastats(enabled=False).read() == {}
