#!/usr/bin/env bash
# Write the lock files: exact versions and hashes of all dependencies in pyproject.toml.
#
# Usage: scripts/lock.sh [--upgrade]
#
# Without --upgrade, versions stay the same if pyproject.toml allows them.
# Needs python3 with venv. Prints nothing on stdout.
# Exit codes: 0 done, 1 a step failed, 2 bad arguments.
set -Eeuo pipefail
shopt -s inherit_errexit

# shellcheck source-path=SCRIPTDIR source=lib/common.sh
source "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib/common.sh"

# uv writes the lock files, and is in none of them.
readonly uv_version=0.13.8

main() {
  local -a upgrade=()
  while (($#)); do
    case $1 in
      --upgrade) upgrade=(--upgrade) ;;
      -h | --help) usage && exit ;;
      *) die 2 "unknown argument '$1' (try --help)" ;;
    esac
    shift
  done

  tools=$(mktemp -d)
  trap 'rm -rf -- "$tools"' EXIT
  python3 -m venv "$tools"
  "$tools/bin/pip" install --quiet "uv==$uv_version" >&2

  cd -- "$root"
  lock requirements-locust.txt "${upgrade[@]}" --extra locust pyproject.toml
  # Both images have the same versions of shared packages, so that the tests can run against both.
  lock requirements-console.txt "${upgrade[@]}" --extra console pyproject.toml \
    --constraints requirements-locust.txt
  lock requirements-build.txt "${upgrade[@]}" - <<<hatchling
  # The tests run against the versions of the images.
  lock requirements-test.txt "${upgrade[@]}" --extra test pyproject.toml \
    --constraints requirements-locust.txt --constraints requirements-console.txt
}

# lock FILE UV_ARGUMENT...
# One file for all Python versions that pyproject.toml allows, without the address of an index.
lock() {
  local file=$1
  shift
  log "locking $file"
  "$tools/bin/uv" pip compile --quiet --universal --generate-hashes --no-emit-index-url \
    --native-tls --no-emit-find-links --no-annotate --custom-compile-command scripts/lock.sh \
    --python-version 3.11 --output-file "$file" "$@" >&2
}

main "$@"
