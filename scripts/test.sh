#!/usr/bin/env bash
# Install what the tests need, and run all tests.
#
# Usage: scripts/test.sh [--quick] [--layer LAYER] [-- PYTEST_ARGUMENT...]
#
#   --quick         only what needs no Docker: lint, unit, scripts
#   --layer LAYER   only one of lint, unit, scripts, config, alerts, integration, e2e, chaos; or
#                   acceptance, which runs only when it is named: new machines, long runs under faults, many
#                   made-up examples. It takes hours; select its parts, such as -- -k soak
#
# The tests see only the programs of the base system and those that this script installs.
# Needs root if it must install the engine or a browser.
# Exit codes: 0 all passed, 1 something failed, 2 bad arguments.
set -Eeuo pipefail
shopt -s inherit_errexit

# shellcheck source-path=SCRIPTDIR source=lib/common.sh
source "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib/common.sh"
# shellcheck source-path=SCRIPTDIR source=lib/env.sh
source "$root/scripts/lib/env.sh"
# shellcheck source-path=SCRIPTDIR source=lib/engine.sh
source "$root/scripts/lib/engine.sh"
# shellcheck source-path=SCRIPTDIR source=lib/images.sh
source "$root/scripts/lib/images.sh"
# shellcheck source-path=SCRIPTDIR source=lib/programs.sh
source "$root/scripts/lib/programs.sh"

readonly all_layers=(lint unit scripts config alerts integration e2e chaos)
readonly layers_by_name=("${all_layers[@]}" acceptance)
readonly needed_programs=(git openssl)
readonly chromium=/usr/bin/chromium
# The programs that the tests see.
programs=''
# The processes of the unit tests, which run in the background, and the folder with their output.
unit=() unit_words=''

main() {
  local -a layers=("${all_layers[@]}")
  while (($#)); do
    case $1 in
      --quick) layers=(lint unit scripts) ;;
      --layer)
        [[ " ${layers_by_name[*]} " == *" ${2:-none} "* ]] ||
          die 2 "--layer needs one of: ${layers_by_name[*]}"
        layers=("$2")
        shift
        ;;
      -h | --help) usage && exit ;;
      --) shift && break ;;
      *) die 2 "unknown argument '$1' (try --help)" ;;
    esac
    shift
  done

  cd -- "$root"
  trap clean_up EXIT
  prepare "${layers[@]}"
  hide_other_programs
  run_layers "${layers[@]}" -- "$@"
}

# prepare LAYER...: install what these layers need, and nothing more.
prepare() {
  prepared "programs" prepare_programs
  prepared "Python packages" prepare_python
  export PATH=$root/.venv/bin:$PATH
  local without_docker='^(lint|unit|scripts)$'
  if printf '%s\n' "$@" | grep -Eqv "$without_docker"; then
    prepared "Docker engine" ensure_engine install
    prepared "images" prepare_images
  fi
  [[ ! " $* " =~ ' '(config|acceptance)' ' ]] || prepared "registry" prepare_registry
  [[ " $* " != *' e2e '* ]] || prepared "browser" prepare_browser
  [[ " $* " != *' acceptance '* ]] || prepared "an empty Debian" tests/acceptance/empty_debian.sh
}

prepare_programs() {
  local program
  for program in "${needed_programs[@]}"; do
    ensure_program "$program" install
  done
}

# Reinstalls the packages only when the lock file has changed.
prepare_python() {
  local lock=requirements-test.txt stamp=.venv/lock.sha256
  if [[ -f $stamp ]] && sha256sum --check --status "$stamp"; then
    return
  fi
  if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    install_packages python3-venv
  fi
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    die 1 "the tests need Python 3.11 or newer; this is $(python3 --version)"
  python3 -m venv --clear .venv
  .venv/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement "$lock"
  sha256sum "$lock" >"$stamp"
}

prepare_images() {
  local source
  source=$(ensure_third_party_images auto)
  # The tests use the same images as a deployment.
  local line
  while IFS= read -r line; do
    export "${line?}"
  done < <(third_party_images "$source")
}

prepare_browser() {
  [[ -x $chromium ]] || install_packages chromium fonts-dejavu-core
  # playwright comes with the Python packages, but needs this library.
  playwright --version >/dev/null 2>&1 || install_packages libatomic1
}

# Installs the program without its service: the package would start a registry now and at each start of the
# machine.
prepare_registry() (
  local policy=/usr/sbin/policy-rc.d
  ! has docker-registry || return 0
  if ((EUID == 0)) && [[ ! -e $policy ]]; then
    # shellcheck disable=SC2064  # now
    trap "rm -f -- ${policy@Q}" EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 0755 "$policy"
  fi
  install_packages docker-registry
  update-rc.d docker-registry disable
)

install_packages() {
  if ((EUID != 0)) || ! has apt-get; then
    die 1 "the tests need $*; install it, or run this as root on Debian or Ubuntu"
  fi
  apt_quietly update
  apt_quietly install "$@"
}

# hide_other_programs: a program that a new machine lacks could make a test pass here that fails there.
hide_other_programs() {
  if ! has dpkg-query; then
    log "notice: without dpkg nobody knows which programs a new machine has; the tests see all programs of this one"
    return
  fi
  programs=$(mktemp -d)
  # Some tests run as another user.
  chmod 755 "$programs"
  # The engine brings iptables.
  link_programs "$programs" "${needed_programs[@]}" iptables docker-registry
  export PATH=$root/.venv/bin:$programs
}

# run_layers LAYER... -- PYTEST_ARGUMENT...: run all, even after one failed, and print which failed.
run_layers() {
  local -a layers=() failed=()
  while [[ $1 != -- ]]; do
    layers+=("$1")
    shift
  done
  shift
  local layer
  for layer in "${layers[@]}"; do
    if [[ $layer == unit && " ${layers[*]} " == *' scripts '* ]]; then
      log "unit: beside scripts"
      begin_unit "$@"
      continue
    fi
    judged "$layer" run_layer "$layer" "$@" || failed+=("$layer")
    if [[ $layer == scripts && -n $unit_words ]]; then
      judged unit end_unit || failed+=(unit)
    fi
  done
  ((${#failed[@]} == 0)) || die 1 "failed after $SECONDS s: ${failed[*]}"
  log "passed after $SECONDS s: ${layers[*]}"
}

run_layer() {
  local layer=$1
  shift
  case $layer in
    lint) lint ;;
    unit) if (($#)); then tests_in tests/unit "$@"; else begin_unit && end_unit; fi ;;
    # The examples run with this layer, because they start the same processes. Most tests wait for leases to end
    # or workers to be missed, hence more processes than cores.
    integration)
      tests_in 'tests/integration tests/examples' --numprocesses 5 --no-loadscope-reorder "$@"
      ;;
    # The tests of a file share a deployed stack.
    e2e) tests_in tests/e2e --numprocesses 2 --dist loadfile --no-loadscope-reorder "$@" ;;
    # These measure times, so nothing runs beside them.
    chaos) tests_in tests/chaos "$@" ;;
    # Each takes long, so show what happens on its machine.
    acceptance) tests_in tests/acceptance --capture=no "$@" ;;
    *) tests_in "tests/$layer" --numprocesses 2 "$@" ;;
  esac
}

# tests_in FOLDERS ARGUMENT...: run the tests in these folders, if no argument names others.
tests_in() {
  local places=$1
  shift
  pytest -q --override-ini "testpaths=$places" "$@"
}

# begin_unit PYTEST_ARGUMENT...: start two processes with half of the files each, which wait half of the time.
# Not with pytest-xdist: importing Locust patches waiting with gevent, also that of xdist for its next test.
begin_unit() {
  local half
  local -a files
  unit_words=$(mktemp -d)
  # An argument may name files, which both would run.
  if (($#)); then
    tests_in tests/unit "$@" >"$unit_words/all" 2>&1 &
    unit=("$!")
    return
  fi
  for half in 0 1; do
    mapfile -t files < <(find tests/unit -name 'test_*.py' | sort | awk -v half="$half" 'NR % 2 == half')
    tests_in "${files[*]}" >"$unit_words/$half" 2>&1 &
    unit+=("$!")
  done
}

end_unit() {
  local process status=0
  for process in "${unit[@]}"; do
    wait "$process" || status=$?
  done
  unit=()
  cat -- "$unit_words"/*
  return "$status"
}

clean_up() {
  local process
  for process in "${unit[@]}"; do
    # It may have ended just now.
    kill "$process" 2>/dev/null || true
  done
  [[ -z $unit_words ]] || rm -rf -- "$unit_words"
  [[ -z $programs ]] || rm -rf -- "$programs"
}

# Every linter runs, so that one run shows all problems.
lint() {
  local -a shell=()
  mapfile -t shell < <(git ls-files --cached --others --exclude-standard -- '*.sh' .ci/run)
  local status=0
  ruff format --quiet --check --diff . || status=1
  ruff check --quiet . || status=1
  mypy || status=1
  imports || status=1
  # A library is checked as part of the scripts that source it.
  printf '%s\n' "${shell[@]}" | grep -v '^scripts/lib/' |
    xargs shellcheck --external-sources --check-sourced || status=1
  shfmt --diff --indent 2 --case-indent "${shell[@]}" || status=1
  yamllint --strict . || status=1
  hadolint Dockerfile.production || status=1
  return "$status"
}

# imports: print the imports that break a contract of pyproject.toml, and nothing if none does.
imports() {
  local words
  words=$(PYTHONPATH=src lint-imports --no-logo --no-cache 2>&1) || {
    printf '%s\n' "$words"
    return 1
  }
}

# prepared NAME COMMAND...: run a step that all tests need, and print how long it took.
prepared() {
  local name=$1 began=$SECONDS
  shift
  log "$name ..."
  # Not in a condition, where errexit would ignore failures.
  "$@"
  log "$name: ready after $((SECONDS - began)) s"
}

# judged NAME COMMAND...: run a layer; print its begin, its result and its duration.
judged() {
  local name=$1 began=$SECONDS status=0
  shift
  log "$name ..."
  "$@" || status=$?
  if ((status == 0)); then
    log "$name: passed after $((SECONDS - began)) s"
  else
    log "$name: FAILED after $((SECONDS - began)) s"
  fi
  return "$status"
}

main "$@"
