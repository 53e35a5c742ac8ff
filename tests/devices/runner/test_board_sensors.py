"""Sensors on made-up boards: a tree like /proc and /sys, and a vcgencmd on the path."""

from __future__ import annotations

import time

import pytest

from devices.runner.sensors import Sensors
from devices.runner.sensors.others import OtherProcesses


def write(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


@pytest.fixture
def vcgencmd(tmp_path, monkeypatch):
    """A vcgencmd that answers as told; no other program is on the path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def answer(**answers):
        cases = "".join(f'{name}) echo "{text}" ;;\n' for name, text in answers.items())
        script = folder / "vcgencmd"
        script.write_text(f"#!/bin/sh\ncase $1 in\n{cases}*) exit 1 ;;\nesac\n")
        script.chmod(0o755)

    return answer


def test_a_board_without_sensors_reads_nothing_rather_than_zero(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert set(Sensors(tmp_path).read()) == {"t_ns", "wall_s"}


def test_raspberry_pi(tmp_path, vcgencmd):
    vcgencmd(get_throttled="throttled=0x50005", measure_temp="temp=99.9'C")
    write(
        tmp_path,
        {
            "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
            "sys/class/thermal/thermal_zone0/temp": "61342\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "600000\n",
            "sys/devices/system/cpu/cpu3/cpufreq/scaling_cur_freq": "1500000\n",
            "proc/loadavg": "0.52 0.58 0.59 1/389 12345\n",
            "proc/meminfo": "MemAvailable: 2048000 kB\nSwapTotal: 102396 kB\nSwapFree: 51196 kB\n",
        },
    )
    read = Sensors(tmp_path).read()
    assert read["throttled"] == 0x50005
    assert read["temperature_c"] == 61.342  # the kernel's, not the firmware's
    assert read["clock_mhz"] == 1500
    assert read["load1"] == 0.52
    assert read["memory_available_mb"] == 2000
    assert read["swap_used_mb"] == 50
    assert "power_mw" not in read


def test_temperature_from_the_firmware_where_the_kernel_has_none(tmp_path, vcgencmd):
    vcgencmd(get_throttled="throttled=0x0", measure_temp="temp=48.3'C")
    assert Sensors(tmp_path).read()["temperature_c"] == 48.3


def test_raspberry_pi_5_rails_add_up(tmp_path, vcgencmd):
    lines = (
        "3V7_WL_SW_A current(0)=0.10000000A\n 3V3_SYS_A current(1)=0.20000000A\n"
        " 3V7_WL_SW_V volt(8)=3.70000000V\n 3V3_SYS_V volt(9)=3.30000000V\n EXT5V_V volt(24)=5.10000000V"
    )
    vcgencmd(get_throttled="throttled=0x0", pmic_read_adc=lines)
    read = Sensors(tmp_path).read()
    assert read["power_mw"] == pytest.approx(370 + 660)
    assert "PMIC" in read["power_source"]


def test_jetson_input_rail(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    chip = "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3"
    write(
        tmp_path,
        {
            f"{chip}/in1_label": "VDD_IN\n",
            f"{chip}/in1_input": "5000\n",
            f"{chip}/curr1_input": "1200\n",
            f"{chip}/in2_label": "VDD_CPU_GPU_CV\n",
            f"{chip}/in2_input": "5000\n",
            f"{chip}/curr2_input": "400\n",
        },
    )
    read = Sensors(tmp_path).read()
    assert read["power_mw"] == 6000
    assert read["power_source"] == "INA3221 VDD_IN"


def test_a_tool_that_refuses_or_hangs_is_an_absent_sensor(tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "vcgencmd").write_text("#!/bin/sh\nexit 255\n")
    (folder / "vcgencmd").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    assert "throttled" not in Sensors(tmp_path).read()
    (folder / "vcgencmd").write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    monkeypatch.setattr("devices.runner.sensors.command._TIMEOUT_S", 0.2)
    start = time.monotonic()
    assert "throttled" not in Sensors(tmp_path).read()
    assert time.monotonic() - start < 10


def test_other_programs_are_told_from_this_one(tmp_path):
    """Two hundredths-of-a-second counters: others take what this process has not."""
    stat = tmp_path / "proc/stat"
    write(tmp_path, {"proc/stat": "cpu  1000 0 0 5000 0 0 0 0 0 0\n"})
    sensor = OtherProcesses(tmp_path)
    time.sleep(0.4)
    stat.write_text("cpu  1060 0 0 5000 0 0 0 20 0 0\n")  # 0.6 s busy and 0.2 s stolen by the hypervisor
    used = sensor.read()["other_cpus"]
    assert 0.8 < used <= 0.8 / 0.4
    assert sensor.read() == {}  # too soon to tell
