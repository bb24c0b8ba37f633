#!/usr/bin/env bash
# Stop the stack. Ends an active run in order, and keeps all data.
#
# Usage: scripts/stop.sh [--delete-data --yes]
#
#   --delete-data   also delete results, reports, accounts, logs and test data of this stack
#   --yes           confirm --delete-data, which does nothing without it
#
# Exit codes: 0 done, 1 a step failed, 2 bad arguments, 3 refused: the engine is on another
# machine, or does not answer.
set -Eeuo pipefail
shopt -s inherit_errexit

# shellcheck source-path=SCRIPTDIR source=lib/common.sh
source "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib/common.sh"
source "$root/scripts/lib/env.sh"
source "$root/scripts/lib/engine.sh"

main() {
  local delete=no sure=no
  while (($#)); do
    case $1 in
      --delete-data) delete=yes ;;
      --yes) sure=yes ;;
      -h | --help) usage && exit ;;
      *) die 2 "unknown argument '$1' (try --help)" ;;
    esac
    shift
  done
  [[ -f $root/.env ]] || die 2 "there is no .env, so nothing was deployed from here"
  [[ $delete == no || $sure == yes ]] ||
    die 2 "--delete-data deletes all runs, reports and accounts for good; add --yes to do it"
  use_settings_file_alone
  require_engine 3

  local -a volumes=()
  [[ $delete == no ]] || volumes=(--volumes)
  # All profiles, because a store that is no longer used would stay otherwise.
  compose --profile '*' down --remove-orphans "${volumes[@]}"
  if [[ $delete == yes ]]; then
    log "stopped; its data is deleted, secrets/ and .env are kept"
  else
    log "stopped; its data is kept, scripts/deploy.sh production starts it again"
  fi
}

main "$@"
