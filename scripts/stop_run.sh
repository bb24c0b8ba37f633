#!/usr/bin/env bash
# Stop the load now. Needs only the master's container.
#
# Usage: scripts/stop_run.sh [--kill]
#
#   --kill   if the master does not answer, kill the workers: their last counts are lost
#
# Prints what it stopped. Users finish their requests first, within the stop timeout.
# Exit codes: 0 stopped or nothing to stop, 1 the load could not be stopped, 2 bad arguments,
# 3 refused: the engine is on another machine, or does not answer.
set -Eeuo pipefail
shopt -s inherit_errexit

# shellcheck source-path=SCRIPTDIR source=lib/common.sh
source "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib/common.sh"
source "$root/scripts/lib/env.sh"
source "$root/scripts/lib/engine.sh"
source "$root/scripts/lib/stack.sh"

main() {
  local kill=no
  while (($#)); do
    case $1 in
      --kill) kill=yes ;;
      -h | --help) usage && exit ;;
      *) die 2 "unknown argument '$1' (try --help)" ;;
    esac
    shift
  done
  use_settings_file_alone
  require_engine 3

  # Without Compose, so that a mistake in .env does not matter.
  local project masters
  project=$(setting COMPOSE_PROJECT_NAME)
  masters=$(running_containers "$project" locust-master)
  ! stop_run "$project" || exit 0
  [[ $kill == yes ]] || die 1 "$(reason "$masters"), so its workers may go on; repeat with --kill" \
    "to end them, or let them finish: docker compose stop locust-worker"
  kill_workers "$project"
}

reason() { if [[ -n $1 ]]; then echo "the master does not answer"; else echo "no master runs"; fi; }

kill_workers() {
  local -a workers
  mapfile -t workers < <(containers "$1" locust-worker '{{.State}} {{.ID}}' | sed -n 's/^running //p')
  if ((${#workers[@]} == 0)); then
    echo "no worker runs"
  else
    docker kill "${workers[@]}" >/dev/null
    echo "killed ${#workers[@]} workers; docker compose up -d brings them back, idle"
  fi
}

main "$@"
