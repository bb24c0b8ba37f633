#!/usr/bin/env bash
# Update the stack without stopping a run: workers one by one, then masters, then the rest.
#
# Usage: scripts/rolling_update.sh [VERSION]
#
#   VERSION   a tag or commit of this repository; default: the checkout as it is
#
# A new worker has its part of the users before an old one leaves, and the old one finishes its requests
# first. If a new one is unfit, the former version comes back in the same way. The update can be
# interrupted and repeated. Prints the URL of the stack on stdout.
# Exit codes: 0 done, 1 a step failed, 2 bad arguments or settings, 3 refused: nothing is deployed,
# another deployment is under way, or the run needs what would be recreated.
set -Eeuo pipefail
shopt -s inherit_errexit

# shellcheck source-path=SCRIPTDIR source=lib/common.sh
source "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib/common.sh"
source "$root/scripts/lib/env.sh"

main() {
  local -a version=()
  while (($#)); do
    case $1 in
      -h | --help) usage && exit ;;
      -*) die 2 "unknown argument '$1' (try --help)" ;;
      *)
        ((${#version[@]} == 0)) || die 2 "unknown argument '$1' (try --help)"
        version=("$1")
        ;;
    esac
    shift
  done
  [[ -d $root/.deploy/deployed ]] ||
    die 3 "nothing is deployed from here; scripts/deploy.sh production does it"
  exec "$root/scripts/deploy.sh" "$(setting LOCUST_ENV)" "${version[@]}" --one-by-one
}

main "$@"
