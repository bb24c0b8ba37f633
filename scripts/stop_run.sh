#!/usr/bin/env bash
# Stop the load, now. Needs the master's container and nothing else of the stack.
#
# Usage: scripts/stop_run.sh [--kill]
#
#   --kill   when the master does not answer, kill the workers: their last counts are lost
#
# Prints what it stopped. Users finish their requests first, within the stop timeout.
# Exit codes: 0 stopped or nothing to stop, 1 the load could not be stopped, 2 bad arguments.
set -Eeuo pipefail
shopt -s inherit_errexit

# shellcheck source-path=SCRIPTDIR source=lib/common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/lib/common.sh"

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

  if compose exec -T locust-master locust-fleet stop-run; then
    exit
  fi
  [[ $kill == yes ]] ||
    die 1 "the master does not answer, so its workers may go on; repeat with --kill to end them"
  compose kill locust-worker
  echo "killed the workers; docker compose up -d brings them back, idle"
}

main "$@"
