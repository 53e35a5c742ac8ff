# Reads what a board is; prints one name=value a line. POSIX, no Python, no privilege, changes nothing.
# Shell built-ins wherever they do: starting a program is what takes time on a small board.
export LC_ALL=C PATH="$PATH:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/opt/vc/bin"
root="${EAMDEPLOY_SENSOR_ROOT%/}"
say() { [ -n "$2" ] && printf '%s=%s\n' "$1" "$2"; }
line() { value=; [ -r "$1" ] && IFS= read -r value < "$1" 2>/dev/null; }
has() { command -v "$1" > /dev/null 2>&1; }
has uname && uname -rm | { read -r kernel machine; say machine "$machine"; say kernel "$kernel"; }
say user "$(id -un 2>/dev/null)"
if has getconf; then
  libc="$(getconf GNU_LIBC_VERSION 2>/dev/null)"
  say bits "$(getconf LONG_BIT 2>/dev/null)"
fi
say libc "${libc:-$(ldd --version 2>&1 | head -n 1)}"
if [ -r /etc/os-release ]; then
  while IFS='=' read -r key value; do
    [ "$key" = PRETTY_NAME ] && value="${value%\"}" && say os "${value#\"}"
  done < /etc/os-release
fi
line "$root/proc/device-tree/model"; say model "$value"
if [ -r "$root/proc/cpuinfo" ]; then
  while IFS=':' read -r key value; do
    case "$key" in Features*|flags*) say features "$value"; break ;; esac
  done < "$root/proc/cpuinfo"
fi
say cpus "$(unset OMP_NUM_THREADS OMP_THREAD_LIMIT; nproc 2>/dev/null)"
if [ -r "$root/proc/meminfo" ]; then
  while read -r key value _; do
    case "$key" in MemTotal:|MemAvailable:|SwapTotal:|SwapFree:) say "${key%:}" "$value" ;; esac
  done < "$root/proc/meminfo"
fi
line "$root/proc/loadavg"; say load "${value%% *}"
free() { df -Pk "$1" 2>/dev/null | { read -r _; read -r _ _ _ kilobytes _; say "$2" "$kilobytes"; }; }
for base in "${TMPDIR:-/tmp}" /var/tmp "$HOME" /dev/shm; do
  if [ -d "$base" ] && [ -w "$base" ]; then
    say work_folder "$base"
    free "$base" work_free_kb
    break
  fi
done
mounted() { df -Pk "$1" 2>/dev/null | { read -r _; read -r _ _ _ _ _ where; printf %s "$where"; }; }
for base in /tmp "$HOME"; do
  case "$(grep " $(mounted "$base") " /proc/mounts 2>/dev/null | tail -n 1)" in *noexec*) say noexec "$base" ;; esac
done
say home "$HOME"
say home_type "$(stat -f -c %T "$HOME" 2>/dev/null)"
[ -w "$HOME" ] && say home_writable yes
free "$HOME" home_free_kb
say seconds "$(date +%s)"
