#!/usr/bin/env bash
# Run one test on the deployed stack and judge it, as a pipeline would.
#
# Usage: scripts/run_test.sh --users N --spawn-rate R --run-time T [--locustfile F] [--host URL]
#                            [--max-failure-ratio X] [--name TEXT] [--alert NAME=VALUE]...
#
#   --users N              how many users in all
#   --spawn-rate R         how many of them start per second
#   --run-time T           how long, such as 90s, 30m or 1h30m
#   --locustfile F         a file in locustfiles/; default: the deployed one
#   --host URL             the system under test; default: TARGET_HOST
#   --max-failure-ratio X  the share of requests that may fail, 0 to 1; default: 0
#   --name TEXT            the name of the run in the console
#   --alert NAME=VALUE     the threshold of an alert until this run ends, such as HighResponseTime=15
#                          (seconds); 0 switches it off. May be given several times.
#
# Starts the run through the front with a new token, or with FLEET_TOKEN if the environment has it.
# Ctrl-C stops the run. Prints the folder of the reports on stdout.
# Exit codes: 0 good, 1 more failures than allowed, 2 bad arguments, 3 refused: a run is or may be
# active and the locustfile would change, 4 the test could not be carried out, 130 interrupted.
set -Eeuo pipefail
shopt -s inherit_errexit

# shellcheck source-path=SCRIPTDIR source=lib/common.sh
source "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib/common.sh"
source "$root/scripts/lib/env.sh"
source "$root/scripts/lib/settings.sh"
source "$root/scripts/lib/locustfile.sh"
source "$root/scripts/lib/engine.sh"
source "$root/scripts/lib/stack.sh"
source "$root/scripts/lib/mounted.sh"
source "$root/scripts/lib/lock.sh"
source "$root/scripts/lib/secrets.sh"
source "$root/scripts/lib/keep.sh"

readonly console_patience_s=120
readonly reports_dir=$root/reports reports_volume=/var/lib/locust-fleet/reports
# Runs in the console's container. The first line of its input is a token; then the input stays open while the
# caller lives. When the caller ends, however, the run is stopped.
# shellcheck disable=SC2016  # expanded in the container
readonly watched='exec 3<&0
IFS= read -r FLEET_TOKEN <&3; export FLEET_TOKEN
locust-fleet run-test "$@" 3<&- & test=$!
{ cat <&3 >/dev/null; kill -TERM "$test" 2>/dev/null; } & watch=$!
wait "$test"; code=$?
kill "$watch" 2>/dev/null
exit "$code"'

main() {
  local users='' rate='' time='' locustfile='' host='' ratio=0 name=''
  local -a alerts=()
  while (($#)); do
    [[ $1 != --*=* ]] || set -- "${1%%=*}" "${1#*=}" "${@:2}"
    case $1 in
      -h | --help) usage && exit ;;
      --users | --spawn-rate | --run-time | --locustfile | --host | --max-failure-ratio | --name | --alert)
        (($# > 1)) || die 2 "$1 needs a value (try --help)"
        ;;
      *) die 2 "unknown argument '$1' (try --help)" ;;
    esac
    case $1 in
      --users) users=$2 ;;
      --spawn-rate) rate=$2 ;;
      --run-time) time=$2 ;;
      --locustfile) locustfile=$2 ;;
      --host) host=$2 ;;
      --max-failure-ratio) ratio=$2 ;;
      --alert)
        matches "$2" '[A-Za-z]+=[0-9]+(\.[0-9]+)?' ||
          die 2 "--alert is $2; use a name and a number from 0, such as HighResponseTime=15"
        alerts+=("--alert=$2")
        ;;
      *) name=$2 ;;
    esac
    shift 2
  done
  check_arguments "$users" "$rate" "$time" "$host" "$ratio"
  use_settings_file_alone
  require_stack
  [[ -z $locustfile ]] || use_locustfile "$locustfile"

  run_test "--users=$users" "--spawn-rate=$rate" "--run-time=$time" ${host:+"--host=$host"} \
    "--max-failure-ratio=$ratio" "--name=$name" "${alerts[@]}"
}

check_arguments() {
  local number='[0-9]+(\.[0-9]+)?'
  [[ -n $1 && -n $2 && -n $3 ]] || die 2 "--users, --spawn-rate and --run-time are needed"
  matches "$1" '[1-9][0-9]{0,7}' || die 2 "--users is $1; use a whole number from 1"
  if ! matches "$2" "$number" || matches "$2" '0+(\.0+)?'; then
    die 2 "--spawn-rate is $2; use a number above 0, in users per second"
  fi
  matches "$3" '([0-9]+h)?([0-9]+m)?([0-9]+s?)?' && [[ $3 == *[1-9]* ]] ||
    die 2 "--run-time is $3; use 90s, 30m or 1h30m"
  [[ -z $4 ]] || matches "$4" 'https?://[^[:space:]]+' ||
    die 2 "--host is $4; use a URL such as https://shop.test.example"
  matches "$5" '0(\.[0-9]+)?|1(\.0+)?' || die 2 "--max-failure-ratio is $5; use 0 to 1, such as 0.01"
}

require_stack() {
  require_engine 4
  [[ -e $root/.env && -n $(running_container "$(setting COMPOSE_PROJECT_NAME)" console) ]] ||
    die 4 "the stack is not running; scripts/deploy.sh production starts it"
}

# run_test ARGUMENT...: ends this script.
run_test() {
  local work project life run_id='' code=0 interrupted=no
  project=$(setting COMPOSE_PROJECT_NAME)
  work=$(mktemp -d)
  # shellcheck disable=SC2064  # now
  trap "rm -rf -- ${work@Q}" EXIT
  mkfifo "$work/caller"
  trap 'interrupted=yes; exec 8>&-' INT TERM
  while true; do
    life=$(console_life "$project")
    code=0
    run_client "$work" "$@" ${run_id:+"--follow=$run_id"} || code=$?
    run_id=$(<"$work/run_id")
    # An update replaces the console beside the run, and with it the client.
    if [[ -z $run_id ]] || is_known "$code" || ! await_console "$project" "$life"; then
      break
    fi
    log "the console was replaced; run $run_id goes on"
  done
  if [[ $interrupted == yes && -n $run_id ]] && ! is_known "$code"; then
    log "interrupted: stopping the run"
    "$root/scripts/stop_run.sh" >&2 && code=130
  fi
  conclude "$code" "$run_id"
}

# run_client FOLDER ARGUMENT...: run the client until it ends; return its code, and write the run's id into
# the folder.
run_client() {
  local work=$1 client code=0
  shift
  # In a separate session, so that Ctrl-C reaches it only through this script.
  client_command "$@" <"$work/caller" >"$work/run_id" &
  client=$!
  exec 8>"$work/caller"
  # Not in an argument, which every process of the host could read. A client that ended before reading it has
  # said why; writing to a closed pipe must not end this script silently.
  trap '' PIPE
  printf '%s\n' "${FLEET_TOKEN:-}" >&8 2>/dev/null || true
  trap - PIPE
  # A signal came before.
  [[ $interrupted == no ]] || exec 8>&-

  # A signal ends `wait`, not the client, which then stops its run.
  wait "$client" || code=$?
  while kill -0 "$client" 2>/dev/null; do
    code=0
    wait "$client" || code=$?
  done
  exec 8>&-
  return "$code"
}

# is_known CODE: succeeds if the client ended by itself.
is_known() { [[ $1 =~ ^(0|1|2|4|130)$ ]]; }

# console_life PROJECT: print a text that changes whenever the console starts; nothing while there is no console.
console_life() {
  local container
  container=$(running_container "$1" console)
  # It may be removed between the two commands.
  [[ -z $container ]] ||
    docker inspect --format '{{.Id}} {{.State.StartedAt}}' "$container" 2>/dev/null || true
}

# await_console PROJECT LIFE: wait until the console has restarted; return 1 if it has not, or after a signal.
await_console() {
  local life waited_s
  for ((waited_s = 0; waited_s < console_patience_s; waited_s++)); do
    life=$(console_life "$1")
    [[ -z $life || $life == "$2" ]] || return 0
    # The end of the console shows a moment later than that of the client in it.
    if [[ $interrupted == yes ]] || { [[ $life == "$2" ]] && ((waited_s >= 3)); }; then
      return 1
    fi
    ((waited_s != 3)) || log "waiting for the console, for up to $console_patience_s s"
    sleep 1
  done
  return 1
}

client_command() {
  local -a terminal=()
  [[ ! -t 2 ]] || terminal=(--terminal)
  cd -- "$root"
  exec setsid docker compose exec -T console \
    sh -c "$watched" run-test "$@" "${terminal[@]}"
}

# conclude CODE RUN_ID: fetch the reports and end with the code.
conclude() {
  local code=$1 run_id=$2
  if [[ -z $run_id ]]; then
    # No run has started, so this is no result of a run.
    ((code != 1)) || code=4
    exit "$code"
  fi
  if ! is_known "$code"; then
    log "error: the console's container ended during run $run_id, which may go on;" \
      "stop it with scripts/stop_run.sh"
    code=4
  fi
  fetch_reports "$run_id"
  exit "$code"
}

fetch_reports() {
  mkdir -p -- "$reports_dir"
  if compose cp "console:$reports_volume/$1" "$reports_dir/" >/dev/null 2>&1; then
    printf '%s\n' "$reports_dir/$1"
  else
    log "warning: run $1 has no reports; see the console, and: docker compose logs locust-master"
  fi
}

# use_locustfile PATH: let master and workers run this file as it is now.
use_locustfile() {
  local name project candidate=$root/.deploy/run_test.env labels=$root/.deploy/run_test.yml
  name=$(locustfile_name "$1")
  matches "$name" '[A-Za-z0-9_][A-Za-z0-9._/-]*\.py' ||
    die 2 "--locustfile is $name; use letters, digits, . _ - in its name, and .py at the end"
  project=$(setting COMPOSE_PROJECT_NAME)
  take_lock
  # shellcheck disable=SC2064  # now
  trap "rm -f -- ${candidate@Q} ${candidate@Q}.new ${labels@Q}" EXIT
  show_mounted 4 "$name" conf locustfiles secrets/scenario
  cp -p -- "$root/.env" "$candidate"
  env_set "$candidate" LOCUSTFILE "$name"
  refreshed_labels "$root/.deploy/mounted.yml" "$candidate" locust-master locust-worker >"$labels"
  # After a failed switch, the files name a scenario that the containers do not run yet.
  if [[ $name != "$(setting LOCUSTFILE)" ]] || ! cmp -s "$labels" "$root/.deploy/mounted.yml" ||
    ! run_with "$labels" "$project" locust-master || ! run_with "$labels" "$project" locust-worker; then
    require_no_run "$project"
    check_locustfile "$candidate" || die 2 "$name cannot be used; nothing was changed"
    # Meanwhile somebody may have started a run.
    require_no_run "$project"
    switch_locustfile "$project" "$name" "$labels"
  fi
  rm -f -- "$candidate" "$labels"
  release_lock
}

require_no_run() {
  [[ $(run_state "$1") == none ]] ||
    die 3 "a run is active, or no master says that there is none; wait for its end," \
      "or stop it with scripts/stop_run.sh"
}

# switch_locustfile PROJECT NAME LABELS
switch_locustfile() {
  local workers
  workers=$(containers "$1" locust-worker | wc -l)
  log "master and workers restart with $2"
  env_set "$root/.env" LOCUSTFILE "$2"
  mv -- "$3" "$root/.deploy/mounted.yml"
  stop_workers
  # With its dependencies: Compose would forget them, and recreate everything at the next `up`.
  compose --progress quiet up --detach --wait --wait-timeout 300 \
    --scale "locust-worker=$workers" locust-master locust-worker >&2 ||
    die 4 "master and workers do not start with $2; see: docker compose logs locust-master"
  compose exec -T console locust-fleet smoke-test --workers "$workers" >&2 ||
    die 4 "the workers did not come back; see: docker compose logs locust-worker"
  keep_scenario "$2"
}

main "$@"
