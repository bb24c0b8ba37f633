#!/usr/bin/env bash
# Run the benchmarks one after another, and put what they measured into one page.
#
# Usage: tests/bench/run.sh [--quick] [--docker] [--only NAME]... [--output FOLDER]
#
#   --quick           a tenth of the time, to see that all of them work
#   --docker          also those that deploy a stack, on ports and under a name of its own
#   --only NAME       only this one; may be given more than once
#   --output FOLDER   for results.json and results.md; default: reports/bench
#
# Needs .venv, which scripts/test.sh makes; nginx, redis-server and Postgres as programs for some.
# Peers that are on PATH are measured too: wrk, hey, k6. Nothing else should run meanwhile.
# Exit codes: 0 done, 1 a benchmark failed or could not run, 2 bad arguments.
set -Eeuo pipefail
shopt -s inherit_errexit

# shellcheck source-path=SCRIPTDIR source=../../scripts/lib/common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/lib/common.sh"

# NAME ARGUMENT...; QUICK ARGUMENT... A new benchmark is one more line in each.
readonly -a usual=(
  "http_users --rounds 5 --seconds 4"
  "peers --rounds 5 --seconds 4"
  "arrivals --runs 4 --seconds 30"
  "overhead --windows 20 --seconds 3"
  "pauses --windows 7 --seconds 5"
  "master --windows 3 --seconds 6"
  "buckets"
  "reports"
  "plan"
  "checkpoint"
  "scrape"
  "memory --minutes 30"
  "leases --seconds 10"
)
readonly -a quick=(
  "http_users --rounds 1 --seconds 2"
  "peers --rounds 1 --seconds 1"
  "arrivals --rate 200 --workers 2 --runs 1 --seconds 3"
  "overhead --windows 2 --seconds 1"
  "pauses --windows 2 --seconds 1"
  "master --workers 4 --names 10 --windows 1 --seconds 3"
  "buckets"
  "reports"
  "plan"
  "checkpoint --names 1 100"
  "scrape --names 100"
  "memory --names 10 --minutes 10"
  "leases --seconds 1"
)
readonly -a with_docker=("deploy --rounds 3" "uploads --seconds 180")

main() {
  local output=$root/reports/bench docker=no which=usual
  local -a only=() wanted=()
  while (($#)); do
    case $1 in
      --quick) which=quick ;;
      --docker) docker=yes ;;
      --only | --output)
        (($# > 1)) || die 2 "$1 needs a value"
        if [[ $1 == --only ]]; then only+=("$2"); else output=$2; fi
        shift
        ;;
      -h | --help) usage && exit ;;
      *) die 2 "unknown argument '$1' (try --help)" ;;
    esac
    shift
  done
  if [[ $which == usual ]]; then wanted=("${usual[@]}"); else wanted=("${quick[@]}"); fi
  [[ $docker == no ]] || wanted+=("${with_docker[@]}")
  check_names "${only[@]}" -- "${wanted[@]}"

  export PATH=$root/.venv/bin:$PATH PYTHONPATH=$root/src:$root
  mkdir -p -- "$output"
  output=$(cd -- "$output" && pwd)
  rm -f -- "$output"/*.json "$output"/*.error "$output"/*.log
  cd -- "$root"
  python -m tests.bench.collect --machine >"$output/machine"

  local line name
  local -a words
  for line in "${wanted[@]}"; do
    read -ra words <<<"$line"
    name=${words[0]}
    if ((${#only[@]} == 0)) || [[ " ${only[*]} " == *" $name "* ]]; then
      measure "$output" "${words[@]}"
    fi
  done
  python -m tests.bench.collect "$output" >"$output/results.md"
  cat "$output/results.md"
  ! compgen -G "$output/*.error" >/dev/null || die 1 "not everything was measured; see above"
}

# check_names NAME... -- LINE...
check_names() {
  local -a names=()
  while [[ $1 != -- ]]; do
    names+=("$1")
    shift
  done
  shift
  local name line known
  for name in "${names[@]}"; do
    known=no
    for line; do [[ ${line%% *} != "$name" ]] || known=yes; done
    [[ $known == yes ]] || die 2 "there is no benchmark '$name'; use one of: ${*%% *}"
  done
}

# measure OUTPUT NAME ARGUMENT...: on one core, unless it shares out the cores by itself.
measure() {
  local output=$1 name=$2 began=$SECONDS
  local -a pin=(taskset --cpu-list "$(last_core)")
  shift 2
  case $name in
    http_users | peers | arrivals | overhead | master | pauses | leases | deploy | uploads) pin=() ;;
    *) ;;
  esac
  log "$name ..."
  if "${pin[@]}" python -m "tests.bench.$name" --json "$@" \
    >"$output/$name.new" 2>"$output/$name.log"; then
    mv -- "$output/$name.new" "$output/$name.json"
    log "$name: done after $((SECONDS - began)) s"
  else
    rm -f -- "$output/$name.new"
    tail -n 1 "$output/$name.log" >"$output/$name.error"
    log "$name: FAILED: $(<"$output/$name.error")"
  fi
}

# Of those that we may use: taskset says "pid 1's current affinity list: 0,1" or "0-3".
last_core() {
  local cores
  cores=$(taskset --cpu-list --pid $$)
  printf '%s\n' "${cores##*[ ,-]}"
}

main "$@"
