# Reads what a board is; prints one name=value a line. POSIX, no Python, no privilege, changes nothing.
export LC_ALL=C PATH="$PATH:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/opt/vc/bin"
root="${EAMDEPLOY_SENSOR_ROOT%/}"
say() { [ -n "$2" ] && printf '%s=%s\n' "$1" "$(printf '%s' "$2" | tr '\n' ';')"; }
first() { [ -r "$1" ] && tr -d '\000' < "$1" 2>/dev/null | head -n 1; }
say machine "$(uname -m)"
say kernel "$(uname -r)"
say user "$(id -un 2>/dev/null)"
say libc "$(getconf GNU_LIBC_VERSION 2>/dev/null || ldd --version 2>&1 | head -n 1)"
say bits "$(getconf LONG_BIT 2>/dev/null)"
say os "$([ -r /etc/os-release ] && . /etc/os-release && printf '%s' "$PRETTY_NAME")"
say model "$(first "$root/proc/device-tree/model")"
say features "$(grep -m 1 -E '^(Features|flags)' "$root/proc/cpuinfo" 2>/dev/null | cut -d: -f2)"
say parts "$(grep 'CPU part' "$root/proc/cpuinfo" 2>/dev/null | cut -d: -f2 | sort -u)"
say cpus "$(nproc 2>/dev/null)"
for field in MemTotal MemAvailable SwapTotal SwapFree; do
  say "$field" "$(grep "^$field:" "$root/proc/meminfo" 2>/dev/null | tr -dc 0-9)"
done
say load "$(cut -d' ' -f1 "$root/proc/loadavg" 2>/dev/null)"
cpus="$root/sys/devices/system/cpu"
say governor "$(cat "$cpus"/cpu*/cpufreq/scaling_governor 2>/dev/null | sort -u)"
say clock_khz "$(cat "$cpus"/cpu*/cpufreq/scaling_cur_freq 2>/dev/null | sort -n | tail -n 1)"
say clock_max_khz "$(cat "$cpus"/cpu*/cpufreq/cpuinfo_max_freq 2>/dev/null | sort -n | tail -n 1)"
say temperature "$(cat "$root"/sys/class/thermal/thermal_zone*/temp 2>/dev/null | sort -n | tail -n 1)"
say throttled "$(vcgencmd get_throttled 2>/dev/null)"
say nvpmodel "$(nvpmodel -q 2>/dev/null)"
say power "$(cat "$root"/sys/bus/i2c/drivers/ina3221/*/hwmon/hwmon*/in*_label 2>/dev/null | head -n 8)"
say pmic "$(vcgencmd pmic_read_adc 2>/dev/null | head -n 1)"
for base in "${TMPDIR:-/tmp}" /var/tmp "$HOME" /dev/shm; do
  if [ -d "$base" ] && [ -w "$base" ]; then
    say work_folder "$base"
    say work_free_kb "$(df -Pk "$base" 2>/dev/null | tail -n 1 | tr -s ' ' | cut -d' ' -f4)"
    break
  fi
done
say home "$HOME"
[ -w "$HOME" ] && say home_writable yes
say home_free_kb "$(df -Pk "$HOME" 2>/dev/null | tail -n 1 | tr -s ' ' | cut -d' ' -f4)"
say seconds "$(date +%s)"
