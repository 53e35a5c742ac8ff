"""Trees like /proc and /sys, and the answers of vendors' tools, of the boards that have profiles.

Formats are those of the kernel's documentation (sysfs-class-thermal, cpufreq, hwmon, cgroup), Raspberry Pi's of
``vcgencmd`` and NVIDIA's of ``nvpmodel``, the Linux developer guide and ``tegrastats``. A number that only has to be
somewhere is a round one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_CPU = "sys/devices/system/cpu"
_HWMON = "sys/bus/i2c/drivers/ina3221/1-0040/hwmon/hwmon3"
_IIO = "sys/bus/i2c/drivers/ina3221x/6-0040/iio:device0"
_NO_PMIC = 'error=1 error_msg="Command not registered"'
_PMIC = (
    "    3V7_WL_SW_A current(0)=0.10000000A\n    3V3_SYS_A current(1)=0.20000000A\n"
    "   3V7_WL_SW_V volt(8)=3.70000000V\n   3V3_SYS_V volt(9)=3.30000000V\n     EXT5V_V volt(24)=5.10000000V"
)


def write(root: Path, files: Mapping[str, str]) -> Path:
    """Write files below ``root``."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{content}\n")
    return root


def cpus(
    numbers: range, *, khz: int, top_khz: int, governor: str = "ondemand", low_khz: int = 600_000
) -> dict[str, str]:
    """Processors of one cluster."""
    files = {}
    for cpu in numbers:
        folder = f"{_CPU}/cpu{cpu}/cpufreq"
        files |= {
            f"{folder}/scaling_cur_freq": str(khz),
            f"{folder}/cpuinfo_max_freq": str(top_khz),
            f"{folder}/scaling_governor": governor,
            f"{folder}/scaling_min_freq": str(low_khz),
            f"{folder}/scaling_max_freq": str(top_khz),
        }
    return files


def zones(**temperatures: int) -> dict[str, str]:
    """Thermal zones by type, in thousandths of a degree; ``_`` in a name stands for ``-``."""
    files = {}
    for index, (kind, value) in enumerate(temperatures.items()):
        folder = f"sys/class/thermal/thermal_zone{index}"
        files |= {f"{folder}/type": kind.replace("_", "-"), f"{folder}/temp": str(value)}
    return files


def rails(*labels: str, millivolts: int = 5000, milliamperes: int = 1000, chip: str = _HWMON) -> dict[str, str]:
    """Channels of an INA3221, as hwmon shows them."""
    files = {}
    for index, label in enumerate(labels, start=1):
        files |= {
            f"{chip}/in{index}_label": label,
            f"{chip}/in{index}_input": str(millivolts),
            f"{chip}/curr{index}_input": str(milliamperes),
        }
    return files


def vcgencmd(pmic: str = _NO_PMIC, throttled: str = "throttled=0x0") -> str:
    """A script that answers as the Raspberry Pi's tool."""
    return f"case $1 in\nget_throttled) echo '{throttled}' ;;\npmic_read_adc) echo '{pmic}' ;;\n*) echo \"temp=48.3'C\" ;;\nesac"


def nvpmodel(mode: str, number: int) -> str:
    """A script that answers as NVIDIA's tool."""
    return f"printf 'NV Power Mode: {mode}\\n{number}\\n'"


_MODEL = "proc/device-tree/model"
_NANO_ZONES = zones(AO_therm=41000, CPU_therm=42000, GPU_therm=40000, PLL_therm=41000, PMIC_Die=100000)
_ORIN_ZONES = zones(cpu_thermal=48000, gpu_thermal=47000, cv0_thermal=-256000, soc0_thermal=46000, tj_thermal=48500)
# name -> files, tools, and what must be read: temperature, clock, milliwatts, power mode
BOARDS: dict[str, tuple[dict[str, str], dict[str, str], tuple[float, float, float | None, str | None]]] = {
    "pi-zero2w": (
        {_MODEL: "Raspberry Pi Zero 2 W Rev 1.0"}
        | cpus(range(4), khz=1_000_000, top_khz=1_000_000)
        | zones(cpu_thermal=43000),
        {"vcgencmd": vcgencmd()},
        (43.0, 1000.0, None, None),
    ),
    "pi3b": (
        {_MODEL: "Raspberry Pi 3 Model B Rev 1.2"}
        | cpus(range(4), khz=1_200_000, top_khz=1_200_000)
        | zones(cpu_thermal=45000),
        {"vcgencmd": vcgencmd()},
        (45.0, 1200.0, None, None),
    ),
    "pi4": (
        {_MODEL: "Raspberry Pi 4 Model B Rev 1.4"}
        | cpus(range(4), khz=1_500_000, top_khz=1_500_000)
        | zones(cpu_thermal=48000),
        {"vcgencmd": vcgencmd()},
        (48.0, 1500.0, None, None),
    ),
    "pi5": (
        {_MODEL: "Raspberry Pi 5 Model B Rev 1.0"}
        | cpus(range(4), khz=2_400_000, top_khz=2_400_000)
        | zones(cpu_thermal=50000),
        {"vcgencmd": vcgencmd(_PMIC)},
        (50.0, 2400.0, 370.0 + 660.0, None),
    ),
    "jetson-nano": (
        {_MODEL: "NVIDIA Jetson Nano Developer Kit", "sys/devices/pwm-fan/target_pwm": "0"}
        | cpus(range(4), khz=1_479_000, top_khz=1_479_000, governor="schedutil", low_khz=102_000)
        | _NANO_ZONES
        | {f"{_IIO}/rail_name_0": "POM_5V_IN", f"{_IIO}/in_power0_input": "1532"}
        | {f"{_IIO}/rail_name_1": "POM_5V_GPU", f"{_IIO}/in_power1_input": "0"},
        {"nvpmodel": nvpmodel("MAXN", 0)},
        (42.0, 1479.0, 1532.0, "MAXN (0)"),
    ),
    "jetson-xavier-nx": (
        {_MODEL: "NVIDIA Jetson Xavier NX Developer Kit"}
        | cpus(range(6), khz=1_400_000, top_khz=1_400_000, governor="schedutil")
        | zones(CPU_therm=44000, GPU_therm=43000, AUX_therm=43000, AO_therm=43000, PMIC_Die=100000)
        | rails("VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"),
        {"nvpmodel": nvpmodel("MODE_15W_6CORE", 2)},
        (44.0, 1400.0, 5000.0, "MODE_15W_6CORE (2)"),
    ),
    "jetson-orin-nano": (
        {_MODEL: "NVIDIA Jetson Orin Nano Developer Kit"}
        | cpus(range(6), khz=1_510_000, top_khz=1_510_000, governor="schedutil", low_khz=1_510_000)
        | _ORIN_ZONES
        | rails("VDD_IN", "VDD_CPU_GPU_CV", "VDD_SOC"),
        {"nvpmodel": nvpmodel("15W", 0)},
        (48.5, 1510.0, 5000.0, "15W (0)"),
    ),
    "jetson-agx-orin": (
        {_MODEL: "NVIDIA Jetson AGX Orin Developer Kit"}
        | cpus(range(12), khz=2_201_000, top_khz=2_201_000, governor="schedutil")
        | _ORIN_ZONES
        | rails("VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0")
        | rails("NC", "VDDQ_VDD2_1V8AO", "NC", chip=_HWMON.replace("0040", "0041").replace("hwmon3", "hwmon4")),
        {"nvpmodel": nvpmodel("MAXN", 0)},
        (48.5, 2201.0, 20_000.0, "MAXN (0)"),
    ),
}
