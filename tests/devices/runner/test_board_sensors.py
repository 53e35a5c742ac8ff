"""Sensors on made-up boards: a tree like /proc and /sys, and a vcgencmd on the path."""

from __future__ import annotations

import time

import pytest

from devices.runner.sensors import Sensors
from devices.runner.sensors.others import OtherProcesses
from devices.runner.sensors.quota import CpuQuota
from devices.runner.sensors.settings import Settings
from devices.runner.sensors.survey import survey
from tests.devices.kit import sensor_tree


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
    values = Sensors(tmp_path, cores=lambda: {0, 3}).read()
    assert values["throttled"] == 0x50005
    assert values["temperature_c"] == 61.342  # the kernel's, not the firmware's
    assert values["clock_mhz"] == 1500
    assert values["load1"] == 0.52
    assert values["memory_available_mb"] == 2000
    assert values["swap_used_mb"] == 50
    assert "power_mw" not in values


def test_temperature_from_the_firmware_where_the_kernel_has_none(tmp_path, vcgencmd):
    vcgencmd(get_throttled="throttled=0x0", measure_temp="temp=48.3'C")
    assert Sensors(tmp_path).read()["temperature_c"] == 48.3


def test_raspberry_pi_5_rails_add_up(tmp_path, vcgencmd):
    lines = (
        "3V7_WL_SW_A current(0)=0.10000000A\n 3V3_SYS_A current(1)=0.20000000A\n"
        " 3V7_WL_SW_V volt(8)=3.70000000V\n 3V3_SYS_V volt(9)=3.30000000V\n EXT5V_V volt(24)=5.10000000V"
    )
    vcgencmd(get_throttled="throttled=0x0", pmic_read_adc=lines)
    values = Sensors(tmp_path).read()
    assert values["power_mw"] == pytest.approx(370 + 660)
    assert "PMIC" in values["power_source"]


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
    values = Sensors(tmp_path).read()
    assert values["power_mw"] == 6000
    assert values["power_source"] == "INA3221 VDD_IN"


def test_a_tool_that_refuses_or_hangs_is_an_absent_sensor(tmp_path, monkeypatch):
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "vcgencmd").write_text("#!/bin/sh\nexit 255\n")
    (folder / "vcgencmd").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    assert "throttled" not in Sensors(tmp_path).read()
    (folder / "vcgencmd").write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    monkeypatch.setattr("devices.runner.sensors.access.command._TIMEOUT_S", 0.2)
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


def _tools(folder, monkeypatch, **scripts):
    """Only these programs are on the path."""
    folder.mkdir(exist_ok=True)
    for name, text in scripts.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.parametrize("board", sensor_tree.BOARDS)
def test_every_board_is_read_as_it_is(board, tmp_path, monkeypatch):
    files, tools, (temperature, clock, power, mode) = sensor_tree.BOARDS[board]
    # found where they stand, not with the shell's path: neither doctor nor run has a login's
    _tools(tmp_path / "bin", monkeypatch, **{name: f"PATH=/bin:/usr/bin\n{text}" for name, text in tools.items()})
    monkeypatch.setenv("EAMDEPLOY_SENSOR_ROOT", str(sensor_tree.write(tmp_path / "tree", files)))
    survey_answer = survey()
    readings, settings = survey_answer["readings"], survey_answer["settings"]
    assert survey_answer["problems"] == {}
    assert readings["temperature_c"] == temperature  # not the PMIC's fixed 100, not a zone that is off
    assert readings["clock_mhz"] == clock
    assert readings.get("power_mw") == power  # an error text is no reading
    assert settings.get("power_mode") == mode
    assert settings["governor"] in ("ondemand", "schedutil")
    assert settings.get("clocks") == {"jetson-orin-nano": "locked (jetson_clocks)"}.get(
        board, "free" if board.startswith("jetson") else None
    )


@pytest.mark.parametrize(
    ("tool", "answer", "name", "words"),
    [
        ("vcgencmd", "echo 'VCHI initialization failed'; exit 255", "throttling", "group 'video'"),
        ("vcgencmd", 'echo "Can\'t open device file: /dev/vcio" >&2; exit 1', "throttling", "group 'video'"),
        ("vcgencmd", "echo 'error=1 error_msg=\"Command not registered\"'", "throttling", "Command not registered"),
        (
            "nvpmodel",
            "echo 'NVPM ERROR: Error opening /var/lib/nvpmodel/status: 13'; echo 'NVPM ERROR: Failed'; exit 255",
            "power mode",
            "it needs root there",
        ),
        ("nvpmodel", "echo 'NV Fan Mode:quiet'", "power mode", "names no mode"),
    ],
)
def test_a_tool_that_refuses_is_named_with_what_is_missing(*, tool, answer, name, words, tmp_path, monkeypatch):
    _tools(tmp_path / "bin", monkeypatch, **{tool: answer})
    monkeypatch.setenv("EAMDEPLOY_SENSOR_ROOT", str(tmp_path))
    survey_answer = survey()
    assert words in survey_answer["problems"][name]
    assert not {"throttled", "power_mw"} & survey_answer["readings"].keys()
    assert "power_mode" not in survey_answer["settings"]


def test_the_clock_is_that_of_the_cores_that_ran(tmp_path):
    """Big and little cores: the little ones are idle at their top speed, the big ones that run are slowed down."""
    active_cores = {4, 5}
    little = sensor_tree.cpus(range(4), khz=1_800_000, top_khz=1_800_000)
    sensor_tree.write(tmp_path, little | sensor_tree.cpus(range(4, 6), khz=1_512_000, top_khz=2_208_000))
    sensors = Sensors(tmp_path, cores=lambda: active_cores)
    assert sensors.read()["clock_mhz"] == 1512
    sensor_tree.write(tmp_path, sensor_tree.cpus(range(4, 6), khz=600_000, top_khz=2_208_000))
    assert sensors.read()["clock_mhz"] == 600
    active_cores |= {0, 1}  # both kinds: their mean, in which either's fall shows
    assert sensors.read()["clock_mhz"] == 1200


@pytest.mark.parametrize(
    ("cgroup", "folder"),
    [
        ("0::/system.slice/bench.service", "system.slice"),  # version 2; the limit is the slice's
        (
            "9:cpuset:/\n4:cpu,cpuacct:/docker/1234",
            "cpu,cpuacct",
        ),  # version 1 in a container that sees its own group as the top
        ("1:cpu:/bench", "cpu/bench"),
    ],
)
def test_a_quota_is_found_wherever_it_holds(cgroup, folder, tmp_path):
    stat = f"sys/fs/cgroup/{folder}/cpu.stat"
    sensor_tree.write(tmp_path, {"proc/self/cgroup": cgroup, stat: "nr_periods 10\nnr_throttled 1"})
    quota = CpuQuota(tmp_path)
    sensor_tree.write(tmp_path, {stat: "usage_usec 5\nnr_periods 63\nnr_throttled 53\nthrottled_usec 4"})
    assert quota.read() == {"quota_periods": 53, "quota_throttled": 52}
    assert quota.read() == {}


def test_settings_name_the_processors_where_governors_differ(tmp_path, monkeypatch):
    _tools(tmp_path / "bin", monkeypatch)
    files = sensor_tree.cpus(range(4), khz=1, top_khz=2, governor="powersave")
    files |= sensor_tree.cpus(range(4, 6), khz=1, top_khz=2, governor="performance")
    fan = "sys/class/hwmon/hwmon2"
    files |= {f"{fan}/name": "pwmfan", f"{fan}/pwm1": "128", f"{fan}/pwm1_enable": "1"}
    settings = Settings(sensor_tree.write(tmp_path / "tree", files)).read()
    assert settings == {"governor": "performance (CPU 4-5), powersave (CPU 0-3)", "fan": "fixed at 128 of 255"}


@pytest.mark.parametrize(
    ("raw", "celsius"), [("48", 48.0), ("48312", 48.312), ("-256000", None), ("N/A", None), ("", None)]
)
def test_a_temperature_in_degrees_is_no_twentieth_of_one(tmp_path, monkeypatch, raw, celsius):
    """The kernel's documentation wants thousandths; some vendors' kernels give degrees."""
    monkeypatch.setenv("PATH", str(tmp_path))
    zone = "sys/class/thermal/thermal_zone0"
    write(tmp_path, {f"{zone}/type": "cpu-thermal\n", f"{zone}/temp": f"{raw}\n"})
    assert Sensors(tmp_path).read().get("temperature_c") == celsius


def test_a_negative_power_is_no_reading_and_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("EAMDEPLOY_SENSOR_ROOT", str(tmp_path))
    write(tmp_path, sensor_tree.rails("VDD_IN", milliamperes=-20))
    answer = survey()
    assert "power_mw" not in answer["readings"]
    assert "negative power" in answer["problems"]["energy"]
