# What every script needs. Sourcing this changes nothing outside the shell.

# A shell sets some of these for itself, and Git sets others for its hooks; none is for us.
unset CDPATH GREP_OPTIONS POSIXLY_CORRECT GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
# TMPDIR may name a folder of a session that is gone; without it programs take /tmp.
[[ -d ${TMPDIR:-/tmp} && -w ${TMPDIR:-/tmp} ]] || unset TMPDIR

# checkout_of SCRIPT: print the path of the checkout, along the path by which the script or a link to it was
# called. Compose works with such paths too: reached by another path, such as a link to the folder, the
# checkout is another one for it, and it recreates the containers.
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
  # Overwrite the seconds that progress.sh shows on a terminal.
  [[ ! -t 2 ]] || printf '\r\033[K' >&2
  printf '%s %s: %s\n' "$(date -u +%FT%TZ)" "${0##*/}" "$*" >&2
}

# report_failure CODE COMMAND: silent for `x=$(f)`, because what failed within f has been reported. `x=$(f)`
# needs no `|| exit` to end the script; with it, f would go on after a command that fails.
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

# Compose resolves the paths of COMPOSE_FILE from where it is called, so call it from the checkout.
compose() (
  cd -- "$root" || exit
  exec docker compose "$@"
)

# Git for the clone in this folder, and for none above it. Naming the folder lets Git use a clone of another
# user, as with sudo; before 2.38 Git takes safe.directory from no argument.
repository() { git -C "$root" --git-dir=.git --work-tree=. "$@"; }

has() { command -v "$1" >/dev/null 2>&1; }

# version_at_least 26.1.5+dfsg1 20.10
version_at_least() {
  [[ ${1#v} =~ ^([0-9]+)\.([0-9]+) ]] || return 1
  local major=${BASH_REMATCH[1]} minor=${BASH_REMATCH[2]}
  ((major > ${2%%.*} || (major == ${2%%.*} && minor >= ${2#*.})))
}
