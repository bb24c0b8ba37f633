# Processes read mounted files when they start, and Compose does not look into these files. So each service has
# a label with a hash of them: then Compose recreates only the services whose files changed, and `up --scale`
# by hand recreates nothing.

# A service, and the paths that its processes read at start. Two paths are missing on purpose: nginx reads the
# certificate again without a restart, and the password of Postgres is in its database.
readonly mounted='
nginx nginx secrets/front_secret
console conf/gunicorn.py secrets/alert_token secrets/front_secret secrets/redis_password secrets/session_key
notifier secrets/alert_webhook_url secrets/slack_webhook_url secrets/dingtalk_webhook_url secrets/dingtalk_secret secrets/feishu_webhook_url secrets/feishu_secret secrets/webhook_url secrets/webhook_secret secrets/smtp_password
migrate postgres/migrations secrets/reader_password
locust-master conf/production.conf locustfiles secrets/target_ca.pem secrets/scenario secrets/front_secret secrets/redis_password
locust-worker conf/production.conf locustfiles secrets/target_ca.pem secrets/scenario secrets/redis_worker_password
demo-target conf/gunicorn_demo.py
redis redis secrets/redis_password secrets/redis_worker_password
postgres postgres/postgresql.conf
'
readonly mounted_by_monitoring='
prometheus prometheus
alertmanager alertmanager secrets/alert_token
redis-exporter redis-exporter secrets/redis_password
postgres-exporter postgres-exporter secrets/reader_password
grafana grafana/grafana.ini grafana/provisioning grafana/dashboards secrets/reader_password
'

# mounted_labels ENV_FILE: print a Compose file with the labels of all services.
mounted_labels() {
  local file=$1 service paths look
  look=$(first_look)
  echo '# Written by deploy.sh: what each service read when it started.'
  echo 'services:'
  while read -r service paths; do
    # shellcheck disable=SC2086  # several paths
    [[ -z $service ]] || mounted_label "$file" "$look" "$service" $paths
  done < <(
    printf '%s\n' "$mounted"
    [[ $(setting MONITORING_ENABLED) == false ]] || printf '%s\n' "$mounted_by_monitoring"
  )
}

# refreshed_labels FILE ENV_FILE SERVICE...: print FILE with new labels for these services only.
refreshed_labels() {
  local file=$1 env_file=$2 line service
  shift 2
  while IFS= read -r line; do
    for service; do
      [[ $line != "  $service: "* ]] || line=$(mounted_labels "$env_file" | grep "^  $service: ")
    done
    printf '%s\n' "$line"
  done <"$file"
}

# mounted_label ENV_FILE FIRST_LOOK SERVICE PATH...: services that run the scenario also have a hash of it, so
# that an update can tell whether it has changed.
mounted_label() {
  local look=$2 scenario=''
  [[ $3 != locust-* ]] || scenario=", fleet.scenario: \"$(scenario_hash "$1")\""
  # It ends when it has done its work, so nothing waits for its health.
  [[ $3 != migrate ]] || look=''
  printf '  %s: {labels: {fleet.mounted: "%s"%s}%s}\n' "$3" "$(mounted_hash "${@:4}")" "$scenario" "$look"
}

# first_look: print the setting with which the engine sees within one second, instead of five, that a container
# is healthy; deployments and updates wait for one service after the other. Older engines refuse the setting.
first_look() {
  ! version_at_least "$(docker version --format '{{.Server.Version}}')" 25.0 ||
    ! version_at_least "$(docker compose version --short)" 2.21 ||
    echo ', healthcheck: {start_interval: 1s}'
}

# scenario_label SERVICE FILE: print the label in a file of mounted_labels.
scenario_label() { label_in "$2" "$1" scenario; }

# label_in FILE SERVICE NAME
label_in() { sed -n "s/^  $2: .*fleet\\.$3: \"\\([^\"]*\\)\".*/\\1/p" "$1"; }

# run_with FILE PROJECT SERVICE: succeeds if all containers of the service run, with the labels in a file of
# mounted_labels. Another LOCUSTFILE changes only the label of the scenario.
run_with() {
  local labels
  labels="$(label_in "$1" "$3" mounted) $(label_in "$1" "$3" scenario)"
  ! containers "$2" "$3" '{{.State}} {{.Label "fleet.mounted"}} {{.Label "fleet.scenario"}}' |
    grep -vx "running $labels" >/dev/null
}

# scenario_hash ENV_FILE
scenario_hash() {
  local name
  local -a files
  name=$(env_get "$1" LOCUSTFILE)
  mapfile -t files < <(scenario_files "${name:-$(env_get "$root/.env.example" LOCUSTFILE)}")
  mounted_hash secrets/scenario "${files[@]}"
}

# scenario_files LOCUSTFILE: print the files that it may read: everything in locustfiles/ except other
# scenarios, which are Python files that none of these files names.
scenario_files() (
  local file grown=yes
  local -A counts=()
  cd -- "$root" || exit
  while IFS= read -r file; do
    [[ $file == *.py && $file != "locustfiles/$1" ]] || counts[$file]=yes
  done < <(files_in locustfiles)
  while [[ $grown == yes ]]; do
    grown=no
    while IFS= read -r file; do
      [[ -z ${counts[$file]:-} ]] || continue
      grep -qsw -- "$(module_of "$file")" "${!counts[@]}" || continue
      counts[$file]=yes grown=yes
    done < <(files_in locustfiles)
  done
  printf '%s\n' "${!counts[@]}" | LC_ALL=C sort
)

files_in() { find "$1" \( -name __pycache__ -o ! -readable \) -prune -o -type f -print; }

# module_of PATH: print the name by which it is imported; a package has the name of its folder.
module_of() {
  local path=${1%/__init__.py}
  basename -- "${path%.py}"
}

# With the session key in it, the hash reveals nothing about a password.
mounted_hash() (
  cd -- "$root" || exit
  {
    cat secrets/session_key
    find "$@" \( -name __pycache__ -o ! -readable \) -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
  } | sha256sum | cut -c 1-16
)

# --- who may read it ---

# hidden_paths own|foreign USER_ID [PATH...]: print the files of these paths, or of all mounted ones, that
# containers cannot read under their own user ids, as in a clone made under umask 077; each is followed by a
# zero byte. For root all files are own. secrets/ stays closed; its files are mounted one by one.
hidden_paths() (
  local -a of=(-user "$2") paths=("${@:3}")
  [[ $1 == own || $2 != 0 ]] || return 0
  [[ $1 == own ]] || of=(! "${of[@]}")
  (($2 != 0)) || of=()
  cd -- "$root" || exit
  if ((${#paths[@]} == 0)); then
    paths=("${kept_folders[@]}")
    [[ ! -d secrets ]] || paths+=(secrets)
    [[ ! -d .deploy/metrics ]] || paths+=(.deploy/metrics)
  fi
  # For a folder that we cannot look into, this prints the folder itself.
  find "${paths[@]}" -name __pycache__ -prune -o ! -path secrets "${of[@]}" \
    \( -type d ! -perm -005 -o -type f ! -perm -004 \) -print0 2>/dev/null || true
)

# hidden_problem USER_ID LOCUSTFILE [PATH...]: print nothing if we may change the modes. For files in
# locustfiles/ that this scenario does not use, such as somebody's draft, only warn.
hidden_problem() {
  local path
  local -a drafts=() scenario
  mapfile -t scenario < <(scenario_files "$2")
  while IFS= read -r -d '' path; do
    if is_named "$path" "$2" "${scenario[@]}"; then
      echo "containers cannot read $path, and it is not yours; let its owner run: chmod -R a+rX" \
        "${kept_folders[*]}"
      return
    fi
    drafts+=("$path")
  done < <(hidden_paths foreign "$1" "${@:3}")
  ((${#drafts[@]} == 0)) ||
    log "warning: containers cannot read ${drafts[*]}; if a scenario needs them, let the owner run:" \
      "chmod -R a+rX"
}

# is_named PATH LOCUSTFILE SCENARIO_FILE...: succeeds for paths outside of locustfiles/, and for those within
# that the scenario uses.
is_named() (
  [[ $1 == locustfiles/* && locustfiles/$2/ != "$1"/* ]] || return 0
  cd -- "$root" && grep -qswF -- "$(module_of "$1")" "${@:3}"
)

# show_mounted CODE LOCUSTFILE [PATH...]: let containers read these paths, or all mounted ones.
show_mounted() {
  local problem
  local -a hidden
  problem=$(hidden_problem "$EUID" "${@:2}")
  [[ -z $problem ]] || die "$1" "$problem"
  mapfile -d '' hidden < <(hidden_paths own "$EUID" "${@:3}")
  ((${#hidden[@]})) || return 0
  log "letting containers read ${#hidden[@]} files and folders, such as ${hidden[0]}"
  (cd -- "$root" && chmod a+rX -- "${hidden[@]}") ||
    die "$1" "containers cannot read the files that chmod names above; deploy from a disk that keeps modes," \
      "as the owner of the files"
}
