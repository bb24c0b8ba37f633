#!/usr/bin/env bash
# Bring the stack up on this machine, or up to date.
#
# Usage: scripts/deploy.sh ENVIRONMENT [VERSION] [--check] [--no-install] [--end-run] [--one-by-one]
#
#   ENVIRONMENT   production
#   VERSION       a tag or commit of this repository; default: the checkout as it is
#   --check       check everything, and change nothing
#   --no-install  do not install what is missing, such as the Docker engine
#   --end-run     end an active run in order, if containers that it needs have to be recreated
#   --one-by-one  replace workers and masters one by one; during a run this happens anyway
#
# Checks everything before it changes anything. A deployment that fails brings the former one back
# and never touches data; the first one removes what it made. An active run goes on. Prints the URL
# of the stack on stdout.
# Exit codes: 0 done, 1 a step failed, 2 bad arguments or settings, 3 refused: another deployment
# is under way, an active run needs what would be recreated, or a run began meanwhile.
set -Eeuo pipefail
shopt -s inherit_errexit

# shellcheck source-path=SCRIPTDIR source=lib/common.sh
source "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib/common.sh"
source "$root/scripts/lib/env.sh"
source "$root/scripts/lib/lock.sh"
source "$root/scripts/lib/settings.sh"
source "$root/scripts/lib/machine.sh"
source "$root/scripts/lib/folder.sh"
source "$root/scripts/lib/engine.sh"
source "$root/scripts/lib/secrets.sh"
source "$root/scripts/lib/certificate.sh"
source "$root/scripts/lib/locustfile.sh"
source "$root/scripts/lib/stack.sh"
source "$root/scripts/lib/mounted.sh"
source "$root/scripts/lib/images.sh"
source "$root/scripts/lib/release.sh"
source "$root/scripts/lib/keep.sh"
source "$root/scripts/lib/first.sh"
source "$root/scripts/lib/candidate.sh"
source "$root/scripts/lib/database.sh"
source "$root/scripts/lib/handover.sh"
source "$root/scripts/lib/progress.sh"
source "$root/scripts/lib/summary.sh"
source "$root/scripts/lib/checks.sh"

# looking, deciding, changing or finished: tells what to undo when the script ends.
phase=looking
# at_once or one_by_one: how workers and masters are replaced.
manner=at_once
# yes: the engine had nothing of this project before.
first=no

main() {
  local environment='' version='' check=no install=install end_run=no
  local -a arguments=("$@")
  while (($#)); do
    case $1 in
      --check) check=yes ;;
      --no-install) install=no-install ;;
      --end-run) end_run=yes ;;
      --one-by-one) manner=one_by_one ;;
      -h | --help) usage && exit ;;
      -*) die 2 "unknown argument '$1' (try --help)" ;;
      *)
        [[ -z $version ]] || die 2 "unknown argument '$1' (try --help)"
        if [[ -z $environment ]]; then environment=$1; else version=$1; fi
        ;;
    esac
    shift
  done
  check_environment "$environment"

  use_settings_file_alone
  trap 'on_exit "$?"' EXIT
  # A lost connection sends HUP, or breaks the pipe to the reader of our output.
  trap 'exit 130' INT TERM HUP PIPE
  check_everything "$version" "$install"
  if [[ $check == yes ]]; then
    log "everything is in order; nothing was changed"
    exit
  fi
  take_lock
  phase=deciding
  [[ -z $version ]] || switch_to "$version" "${arguments[@]}"
  deploy "$install" "$end_run"
}

check_environment() {
  case $1 in
    production) ;;
    '') die 2 "say which environment; there is: production" ;;
    *) die 2 "there is no environment '$1'; there is: production" ;;
  esac
}

# switch_to VERSION ARGUMENT...: check it out and run its own deploy.sh.
switch_to() {
  local version=$1
  shift
  [[ $(commit_of HEAD) != "$(commit_of "$version")" ]] || return 0
  FLEET_CAME_FROM=$(checked_out)
  export FLEET_CAME_FROM
  log "checking out $version"
  check_out "$version"
  exec "$root/scripts/deploy.sh" "$@"
}

deploy() {
  local install=$1 end_run=$2 recreated project
  begin_steps 7
  step "the Docker engine"
  ensure_engine "$install"
  ensure_program openssl "$install"
  step "settings and secrets"
  prepare_settings
  project=$(setting COMPOSE_PROJECT_NAME)
  ! is_first "$project" || first=yes
  step "images"
  prepare_candidate "$install" "$project"
  step "what has to change"
  recreated=$(recreated_services "$project" "$candidate_env")
  recreated+=$'\n'$(services_of_scenario)
  check_candidate "$project" "$recreated"
  manner=$(choose_manner "$project" "$recreated" "$end_run" "$manner")

  phase=changing
  step "the database"
  commit_candidate
  # The stores may be recreated here; everything else that a run needs, only below.
  if grep -qx 'redis\|postgres' <<<"$recreated"; then
    make_way "$project" "$recreated" "$end_run" "$manner"
    bring_up_stores "$project" "$recreated"
  else
    bring_up_stores "$project" "$recreated"
    make_way "$project" "$recreated" "$end_run" "$manner"
  fi
  step "the containers"
  if [[ $manner == one_by_one ]]; then
    hand_over "$project" || die 1 "the update has stopped; the reason is above"
  fi
  bring_up || die 1 "the containers did not all become healthy"
  reload_certificate
  step "a look through the front, as a user would"
  compose exec -T console locust-fleet smoke-test --workers "$(setting LOCUST_WORKERS)" >&2 ||
    die 1 "the stack fails what a user would try first; the reason is above"
  finish
}

# bring_up_stores PROJECT RECREATED: dump and migrate only if there are new migrations or images.
bring_up_stores() {
  local project=$1 recreated=$2 bundled
  bundled=$(stores "$(setting COMPOSE_PROFILES)")
  if [[ -n $(containers "$project" migrate) ]] && ! grep -qx migrate <<<"$recreated"; then
    return
  fi
  # shellcheck disable=SC2086  # several services
  [[ -z $bundled ]] || compose --progress quiet up --detach --no-recreate --wait $bundled >&2
  if grep -qx postgres <<<"$bundled"; then
    dump_results "before-$(setting VERSION | tr -c 'A-Za-z0-9._\n-' -)-$(date -u +%Y%m%dT%H%M%SZ).dump"
  fi
  # shellcheck disable=SC2086
  [[ -z $bundled ]] || compose --progress quiet up --detach --wait $bundled >&2
  migrate_results
}

bring_up() {
  compose --progress quiet up --detach --wait --wait-timeout 300 --remove-orphans >&2
}

# nginx reads the new certificate without dropping a connection.
reload_certificate() {
  [[ -e $deploy_dir/certificate_changed ]] || return 0
  local words
  words=$(compose exec -T nginx nginx -s reload 2>&1) || {
    printf '%s\n' "$words" >&2
    die 1 "nginx does not accept the certificate; its output is above"
  }
  rm -f -- "$deploy_dir/certificate_changed"
}

finish() {
  keep_deployed
  phase=finished
  rm -f -- "$deploy_dir/in_progress"
  forget_old_images
  stop_ticking
  log "$(setting VERSION) is deployed after $SECONDS s"
  summary
}

# on_exit CODE: undo what a failed deployment has changed.
on_exit() {
  local code=$1
  trap - EXIT ERR
  trap '' INT TERM HUP PIPE
  set +e
  stop_ticking
  # Until we hold the lock, the candidate may belong to another deployment.
  [[ $phase == looking ]] || drop_candidate
  if [[ $phase == changing ]] && ((code == 130)); then
    log "interrupted; repeat the deployment to finish it"
    [[ $first == no ]] || log "or remove what it made: scripts/stop.sh --delete-data --yes"
  elif ((code == 130)); then
    log "interrupted; nothing was changed"
  elif [[ $phase == changing ]]; then
    # The code stays 3 if it refused because a run began meanwhile.
    if ! go_back || ((code != 3)); then code=1; fi
  fi
  if [[ $phase == looking || $phase == deciding ]] && ((code)); then
    # Checking the locustfile creates networks and volumes.
    [[ $first == no ]] || take_away "$(setting COMPOSE_PROJECT_NAME)"
    [[ -z ${FLEET_CAME_FROM:-} ]] || check_out "$FLEET_CAME_FROM"
  fi
  exit "$code"
}

# go_back: bring the former deployment back; returns 1 if that does not start either.
go_back() {
  local project workers
  project=$(setting COMPOSE_PROJECT_NAME)
  workers=$(setting LOCUST_WORKERS)
  show_failing "$project"
  if [[ ! -d $deploy_dir/deployed ]]; then
    log "the deployment failed, and there is no former one; remove the cause and repeat it"
    if [[ $first == yes ]]; then
      take_away "$project"
    else
      log "containers and volumes are left; scripts/stop.sh --delete-data --yes removes them with all data"
    fi
    return 0
  fi
  log "the deployment failed: going back to the former one; this one is kept in .deploy/failed"
  [[ -z ${FLEET_CAME_FROM:-} ]] || check_out "$FLEET_CAME_FROM"
  restore_deployed
  # The number of workers from before this deployment; people may have scaled since the former one.
  env_set "$root/.env" LOCUST_WORKERS "$workers"
  if { [[ $manner == at_once ]] || hand_over "$project" back; } && bring_up; then
    rm -f -- "$deploy_dir/in_progress"
    log "the former deployment runs again"
  else
    show_failing "$project"
    log "error: the former deployment does not start either; see the lines above"
    return 1
  fi
}

main "$@"
