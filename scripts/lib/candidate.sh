# The settings: missing ones are made, and those of the present deployment stand beside the ones in use until
# everything is decided.

# The services that a run needs, and those of them that cannot be replaced one by one.
readonly one_of_a_kind='redis\|postgres\|demo-target'
readonly of_a_run="locust-master\\|locust-worker\\|$one_of_a_kind"
readonly candidate_env=$root/.deploy/candidate.env candidate_labels=$root/.deploy/candidate.yml

# Makes files only; a repeated deployment uses them as they are.
prepare_settings() {
  local file=$root/.env changed
  if [[ ! -e $file ]]; then
    log "making .env from .env.example"
    cp -p -- "$file.example" "$file.new"
    chmod 0640 "$file.new"
    (($(nproc) >= 2)) || env_set "$file.new" MASTER_CPUS 1
    mv -- "$file.new" "$file"
  fi
  [[ -e $deploy_dir/scenario.env ]] || (umask 027 && : >"$deploy_dir/scenario.env")
  ensure_secrets "$file"
  changed=$(install_certificate "$file")
  write_metrics
  # Kept in a file, in case this deployment is interrupted.
  [[ -z $changed ]] || : >"$deploy_dir/certificate_changed"
  show_mounted 1 "$(setting LOCUSTFILE)"
  label_secrets
}

# The node exporter serves these metrics for us. The file appears in one step.
write_metrics() {
  local folder=$deploy_dir/metrics
  # node-exporter reads it under another user id.
  (umask 022 && mkdir -p -- "$folder" && certificate_metric >"$folder/certificate.prom.new")
  mv -- "$folder/certificate.prom.new" "$folder/certificate.prom"
}

# prepare_candidate install|no-install PROJECT: get the images, and write their names.
prepare_candidate() {
  local install=$1 project=$2 source third_party own version python
  source=$(ensure_third_party_images "$(setting IMAGE_SOURCE)" "$install")
  third_party=$(third_party_images "$source")
  version=$(checkout_version)
  python=$(sed -n 's/^PYTHON_IMAGE=//p' <<<"$third_party")
  own=$(build_release "$python" "$version" "$project")
  own+=$'\n'$(demo_image "$project" "$own")
  mounted_labels "$root/.env" >"$candidate_labels"
  write_candidate "$project" "VERSION=$version" "$third_party" "$own"
}

# demo_image PROJECT OWN: print DEMO_IMAGE=...; it stays the same while a run may aim at the demo shop.
demo_image() {
  local image=''
  [[ $(run_state "$1") == none ]] || image=$(env_get "$root/.env" DEMO_IMAGE)
  printf 'DEMO_IMAGE=%s\n' "${image:-$(sed -n 's/^CONSOLE_IMAGE=//p' <<<"$2")}"
}

# write_candidate PROJECT VERSION THIRD_PARTY OWN
write_candidate() {
  local project=$1 profiles
  profiles=$(profiles_of "$root/.env" "$3")
  cp -p -- "$root/.env" "$candidate_env"
  local -a block
  mapfile -t block <<<"$3"$'\n'"$4"
  write_block "$candidate_env" \
    "COMPOSE_FILE=$(compose_files):.deploy/candidate.yml" \
    "COMPOSE_PROFILES=$profiles" \
    "LOCUST_WORKERS=$(wanted_workers "$project")" \
    "NOFILE=$(open_files_limit)" \
    "$2" "${block[@]}"
}

# Print the files of the stack.
compose_files() {
  local monitoring=:docker-compose.monitoring.yml
  [[ $(setting MONITORING_ENABLED) != false ]] || monitoring=''
  printf 'docker-compose.prod.yml%s\n' "$monitoring"
}

# profiles_of FILE [IMAGES]: print the bundled stores that these settings use, and Grafana if its image is here.
profiles_of() {
  local profiles='' host grafana
  host=$(env_get "$1" POSTGRES_HOST)
  [[ ${host:-postgres} != postgres ]] || profiles=postgres
  host=$(env_get "$1" REDIS_HOST)
  [[ ${host:-redis} != redis ]] || profiles+=${profiles:+,}redis
  grafana=$(sed -n 's/^GRAFANA_IMAGE=//p' <<<"${2:-}")
  if [[ -n $grafana && $(setting MONITORING_ENABLED) != false ]]; then
    if image_is_there "$grafana"; then
      profiles+=${profiles:+,}grafana
    else
      log "note: Grafana is left out: $grafana is not on this machine, and no registry has it;" \
        "load it with 'docker load' and deploy again to have it"
    fi
  fi
  printf '%s\n' "$profiles"
}

# wanted_workers PROJECT: print the present number of workers, because people scale by hand.
wanted_workers() {
  local most count=0
  # An interrupted deployment was replacing them.
  [[ -e $root/.deploy/in_progress ]] || count=$(containers "$1" locust-worker | wc -l)
  ((count > 0)) || count=$(setting LOCUST_WORKERS)
  most=$(setting MAX_WORKERS)
  if ((count > most)); then
    log "warning: there are $count workers, but MAX_WORKERS is $most; going on with $most"
    count=$most
  fi
  printf '%s\n' "$count"
}

# Print the services whose SCENARIO_ settings differ from those in .env.
services_of_scenario() {
  scenario_lines "$candidate_env" | cmp -s - "$root/.deploy/scenario.env" ||
    printf 'locust-master\nlocust-worker\n'
}

# check_candidate PROJECT RECREATED: import the locustfile, unless a run goes on with the present master.
check_candidate() {
  local project=$1 recreated=$2
  if ! grep -qx locust-master <<<"$recreated" && [[ $(run_state "$project") == active* ]]; then
    return
  fi
  check_locustfile "$candidate_env" ||
    die 2 "LOCUSTFILE is $(setting LOCUSTFILE), which cannot be used; nothing was changed"
}

# choose_manner PROJECT RECREATED END_RUN WANTED: print at_once, or one_by_one during a run. Refuses to recreate
# what a run needs, unless END_RUN is yes.
choose_manner() {
  local project=$1 recreated=$2 end_run=$3 wanted=$4 state reason
  state=none
  ! grep -qx "$of_a_run" <<<"$recreated" || state=$(run_state "$project")
  if [[ $state == none ]]; then
    printf '%s\n' "$wanted"
  elif [[ $end_run == yes ]]; then
    end_run "$project" "$state"
    printf '%s\n' "$wanted"
  elif reason=$(reason_to_refuse "$project" "$recreated" "$state" "$wanted"); then
    restore_image_names
    die 3 "$reason"
  else
    log "run ${state#active } is active: replacing workers and masters one by one"
    echo one_by_one
  fi
}

# end_run PROJECT STATE
end_run() {
  log "ending the run: $2"
  stop_run "$1" >&2 ||
    log "warning: the master does not answer; going on, because --end-run was given"
}

# make_way PROJECT RECREATED END_RUN MANNER: the last check before containers are recreated that a run needs:
# somebody may have started one since the manner was chosen. Once the workers are stopped, nobody can.
make_way() {
  local project=$1 recreated=$2 state
  if [[ $4 == one_by_one ]] || ! grep -qx "$of_a_run" <<<"$recreated"; then
    return 0
  fi
  state=$(run_state "$project")
  if [[ $state != none && $3 == yes ]]; then
    end_run "$project" "$state"
  elif [[ $state == unknown ]]; then
    die 3 "no master says any more whether a run is active; if one is, it was not touched;" \
      "repeat with --one-by-one, which keeps a run if there is one, or with --end-run"
  elif [[ $state != none ]]; then
    die 3 "the run ${state#active } began meanwhile and was not touched;" \
      "repeat, which then replaces workers and masters one by one, or repeat with --end-run"
  fi
  if grep -qx locust-master <<<"$recreated"; then
    stop_workers
  fi
}

# reason_to_refuse PROJECT RECREATED STATE WANTED: print the reason; return 1 if there is none.
reason_to_refuse() {
  local project=$1 state=$3 fixed
  local remedy="wait for its end, stop it with scripts/stop_run.sh, or repeat with --end-run"
  if [[ $state == unknown && $4 != one_by_one ]]; then
    echo "the master does not say whether a run is active, and" \
      "$(grep -x "$of_a_run" <<<"$2" | paste -sd ' ') would be recreated;" \
      "repeat with --one-by-one, which keeps a run if there is one, or with --end-run"
  elif fixed=$(grep -x "$one_of_a_kind" <<<"$2" | paste -sd ' '); then
    echo "the run ${state#active } is active, and $fixed would be recreated; $remedy"
  elif scenario_differs "$project"; then
    echo "the run ${state#active } is active, and what its users do was changed since it began" \
      "(LOCUSTFILE, what it imports, SCENARIO_ settings or secrets/scenario); $remedy"
  else
    return 1
  fi
}

# scenario_differs PROJECT: succeeds if new workers would run another scenario; all users of a run do the same.
scenario_differs() {
  local new
  [[ -z $(services_of_scenario) ]] || return 0
  new=$(scenario_label locust-worker "$candidate_labels")
  containers "$1" locust-worker '{{.ID}} {{.Label "fleet.scenario"}}' | grep -v " $new\$" >/dev/null
}

# commit_candidate: from here on, the new settings are in use.
commit_candidate() {
  local -a block
  : >"$root/.deploy/in_progress"
  mv -- "$candidate_labels" "$root/.deploy/mounted.yml"
  (umask 027 && scenario_lines "$candidate_env" >"$root/.deploy/scenario.env")
  mapfile -t block < <(sed "1,/^$block_mark\$/d; s#\.deploy/candidate\.yml#.deploy/mounted.yml#" "$candidate_env")
  write_block "$root/.env" "${block[@]}"
  rm -f -- "$candidate_env"
}

drop_candidate() { rm -f -- "$candidate_env" "$candidate_env.new" "$candidate_labels"; }
