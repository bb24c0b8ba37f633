# What every script has. Sourcing this changes nothing but the shell.

# What a shell sets for itself, or Git for its hooks, is not meant for us.
unset CDPATH GREP_OPTIONS POSIXLY_CORRECT GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
# A folder that a session had and that is gone; programs then take /tmp.
[[ -d ${TMPDIR:-/tmp} && -w ${TMPDIR:-/tmp} ]] || unset TMPDIR

# checkout_of SCRIPT: print the checkout by the way the script, or a link to it, goes there. Compose does so
# too, and recreates what was made by another way, such as a link to the folder.
checkout_of() {
  local path=$1 real
  real=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)
  while [[ -L $path ]]; do
    path=$(cd -- "$(dirname -- "$path")" && realpath --no-symlinks -- "$(readlink -- "$path")")
  done
  path=$(cd -- "$(dirname -- "$path")" && pwd)
  until [[ -z $path || $path -ef $real ]]; do path=${path%/*}; done
  printf '%s\n' "${path:-$real}"
}

root=$(checkout_of "${BASH_SOURCE[1]:-${BASH_SOURCE[0]}}")
readonly root

trap 'report_failure "$?" "$BASH_COMMAND"' ERR

log() {
  # Over the seconds that progress.sh lets tick on a terminal.
  [[ ! -t 2 ]] || printf '\r\033[K' >&2
  printf '%s %s: %s\n' "$(date -u +%FT%TZ)" "${0##*/}" "$*" >&2
}

# report_failure CODE COMMAND: what fails within a substitution has said so. For its end, `x=$(f)` needs no
# `|| exit`, with which all of f goes on after what fails in it.
report_failure() {
  [[ $2 =~ ^[a-z_]+\+?=\$\([^\&|]*\)$ ]] || log "${BASH_SOURCE[1]#"$root"/}:${BASH_LINENO[0]}: '$2' exited $1"
}

# die CODE MESSAGE...
die() {
  local code=$1
  shift
  log "error: $*"
  exit "$code"
}

# Print the comment block at the top of the calling script.
usage() { sed -n '2,/^[^#]/{s/^# \{0,1\}//p;}' "$0"; }

# From the checkout: Compose takes the paths of COMPOSE_FILE from where it is called.
compose() (
  cd -- "$root" || exit
  exec docker compose "$@"
)

# Of this folder and no other above it; named, it may be somebody else's clone, as with sudo. Before 2.38
# Git takes safe.directory from no argument.
repository() { git -C "$root" --git-dir=.git --work-tree=. "$@"; }

has() { command -v "$1" >/dev/null 2>&1; }

# version_at_least 26.1.5+dfsg1 20.10
version_at_least() {
  [[ ${1#v} =~ ^([0-9]+)\.([0-9]+) ]] || return 1
  local major=${BASH_REMATCH[1]} minor=${BASH_REMATCH[2]}
  ((major > ${2%%.*} || (major == ${2%%.*} && minor >= ${2#*.})))
}
