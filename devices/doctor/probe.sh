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
if [ -z "$libc" ]; then  # musl says its name and its version on two lines; without ldd its loader does
  for program in ldd /lib/ld-musl-*.so.1; do
    has "$program" || continue
    libc="$("$program" --version 2>&1 | {
      IFS= read -r first; IFS= read -r second
      case "$first" in musl*) first="$first $second" ;; esac
      printf %s "$first"
    })"
    break
  done
fi
say libc "$libc"
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
# a file system may have room and no more names for files; one that counts none says so with a zero
files() {
  df -Pi "$1" 2>/dev/null | { read -r _; read -r _ all _ left _; [ "${all:-0}" -gt 0 ] 2>/dev/null && say "$2" "$left"; }
}
for base in "${TMPDIR:-/tmp}" /var/tmp "$HOME" /dev/shm; do
  if [ -d "$base" ] && [ -w "$base" ]; then
    say work_folder "$base"
    free "$base" work_free_kb
    files "$base" work_free_files
    break
  fi
done
mounted() { df -Pk "$1" 2>/dev/null | { read -r _; read -r _ _ _ _ _ where; printf %s "$where"; }; }
# a network file system whose server is gone answers nobody, for ever: what touches such a home is left out
limited() { if has timeout; then timeout -s KILL 10 "$@"; else "$@"; fi; }
limited stat -f "$HOME" > /dev/null 2>&1
[ $? = 137 ] && { say home "$HOME"; say home_silent yes; say seconds "$(date +%s)"; exit 0; }
for base in /tmp "$HOME"; do
  case "$(grep " $(mounted "$base") " /proc/mounts 2>/dev/null | tail -n 1)" in *noexec*) say noexec "$base" ;; esac
done
say home "$HOME"
say home_type "$(stat -f -c %T "$HOME" 2>/dev/null)"
[ -w "$HOME" ] && say home_writable yes
free "$HOME" home_free_kb
files "$HOME" home_free_files
[ -d "$HOME" ] && say home_exists yes
say seconds "$(date +%s)"
