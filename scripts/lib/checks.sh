# All checks before anything is changed.

# check_everything VERSION install|no-install: print all problems and end; code 2 for settings, 1 for others.
check_everything() {
  local version=$1 install=$2 file state wrong unfit line
  file=$(settings_file)
  state=$(engine_state)
  # Later checks need what earlier ones look at.
  wrong='' unfit=$(folder_problems)
  [[ -n $unfit ]] || wrong=$(
    settings_problems "$file"
    certificate_problems "$file"
    secrets_problems
    locustfile_problem "$file"
    version_problem "$version"
  )
  [[ -n $unfit$wrong ]] || unfit=$(machine_problems "$file" "$state" "$install")
  while read -r line; do
    [[ -z $line ]] || log "error: $line"
  done <<<"$wrong"$'\n'"$unfit"
  [[ -n $wrong || -n $unfit ]] || return 0
  log "nothing was changed"
  [[ -z $wrong ]] || exit 2
  exit 1
}

# machine_problems FILE ENGINE_STATE INSTALL
machine_problems() {
  local file=$1 state=$2 install=$3 is_root=no project docker_dir=/var/lib/docker
  warn_about_clock "$(date +%s)" "$(last_change)"
  ((EUID != 0)) || is_root=yes
  project=$(setting COMPOSE_PROJECT_NAME)
  platform_problem "$(uname -s)" "$(uname -m)"
  engine_problem "$state" "$install" "$is_root"
  cpus_problem "$file" "$(nproc)"
  memory_problem /proc/meminfo "$(setting LOCUST_WORKERS)"
  disk_problem "$root" "$(free_mb "$root")"
  if [[ $state == ok ]]; then
    docker_dir=$(docker info --format '{{.DockerRootDir}}')
    running_engine_problems "$file" "$docker_dir"
    lost_password_problem "$project"
  fi
  disk_problem "$docker_dir" "$(free_mb "$docker_dir")"
  hidden_problem "$EUID" "$(setting LOCUSTFILE)"
  warn_about_way_out /proc/net/route /proc/net/ipv6_route
  address_problem "$file" /proc/net/fib_trie
  port_problems "$file" "$state" "$project"
  warn_about_firewall
}

# running_engine_problems FILE DATA_FOLDER
running_engine_problems() {
  local name system limits security key
  IFS='|' read -r name system limits security < <(
    docker info --format '{{.Name}}|{{.OperatingSystem}}|{{.CPUCfsQuota}}|{{.SecurityOptions}}'
  )
  engine_machine_problem "$name" "$system" "$2" "$(</proc/sys/kernel/hostname)"
  engine_folder_problem "$2" "$root"
  engine_limits_problem "$limits"
  for key in HTTP_PORT HTTPS_PORT; do
    engine_port_problem "$1" "$security" "$(</proc/sys/net/ipv4/ip_unprivileged_port_start)" "$key"
  done
}

# port_problems FILE ENGINE_STATE PROJECT: a port that our own nginx publishes is not taken.
port_problems() {
  local file=$1 state=$2 project=$3 key nginx='' ours=''
  [[ $state != ok ]] || nginx=$(running_container "$project" nginx)
  [[ -z $nginx ]] || ours=$(docker port "$nginx" | sed 's/.* -> //')
  for key in HTTP_PORT HTTPS_PORT; do
    grep -qx ".*:$(setting "$key")" <<<"$ours" ||
      port_problem "$file" "$key" "$(setting BIND_ADDRESS)" /proc/net/tcp /proc/net/tcp6
  done
}

locustfile_problem() {
  local file=$1 name
  name=$(env_get "$file" LOCUSTFILE)
  [[ -z $name || -f $root/locustfiles/$name ]] ||
    echo "LOCUSTFILE is $name, which is not in locustfiles/; put it there ($(where "$file" LOCUSTFILE))"
}

# Docker's rules come before those of a firewall on the host.
warn_about_firewall() {
  if has ufw && ufw status 2>/dev/null | grep -q '^Status: active'; then
    log "note: ufw is active, but does not block published ports: see BIND_ADDRESS in .env"
  fi
}
