# The Docker engine and Compose: find, install and start them.

readonly engine_wanted=20.10 compose_wanted=2.20
readonly engine_start_s=60 engine_log=/var/log/dockerd.log engine_socket=unix:///var/run/docker.sock

# Print ok, or what is wrong: missing, no-compose, podman, stopped, forbidden, no-context, silent ADDRESS,
# elsewhere ADDRESS, old-engine VERSION, old-compose VERSION.
engine_state() {
  local address engine compose
  compose=$(docker compose version --short 2>/dev/null) || compose=''
  if ! has docker; then
    echo missing
  elif [[ $(docker --version 2>/dev/null) == podman* ]]; then
    echo podman
  elif address=$(engine_address) && is_elsewhere "$address"; then
    echo "elsewhere $address"
  elif ! engine=$(docker version --format '{{.Server.Version}}{{range .Server.Components}} {{.Name}}{{end}}' 2>&1); then
    silent_state "$engine" "$address" "$compose"
  elif [[ $engine == *Podman* ]]; then
    echo podman
  elif ! version_at_least "$engine" "$engine_wanted"; then
    echo "old-engine ${engine%% *}"
  elif [[ -z $compose ]]; then
    echo no-compose
  elif ! version_at_least "$compose" "$compose_wanted"; then
    echo "old-compose $compose"
  else
    echo ok
  fi
}

# Print where the client looks for the engine, by DOCKER_HOST or its context.
engine_address() {
  local address
  address=$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null) || address=''
  printf '%s\n' "${address:-$engine_socket}"
}

# is_elsewhere ADDRESS: succeeds if the engine is on another machine. A port of this machine may be the end
# of a tunnel; then the engine has another name.
is_elsewhere() {
  local name
  case $1 in
    unix:*) return 1 ;;
    tcp://127.* | tcp://localhost:* | 'tcp://[::1]:'*)
      name=$(docker info --format '{{.Name}}' 2>/dev/null) && [[ $name != "$(</proc/sys/kernel/hostname)" ]]
      ;;
    *) ;;
  esac
}

# silent_state WORDS ADDRESS COMPOSE: print why the engine did not answer.
silent_state() {
  case $1 in
    *'permission denied'*) echo forbidden ;;
    *context*'not found'*) echo no-context ;;
    *)
      if [[ $2 != "$engine_socket" ]]; then
        echo "silent $2"
      elif has dockerd && [[ -n $3 ]]; then
        echo stopped
      else
        echo missing
      fi
      ;;
  esac
}

# engine_problem STATE install|no-install IS_ROOT: print nothing if the engine is ready or we may install or
# start it.
engine_problem() {
  local need="Docker Engine $engine_wanted and Compose $compose_wanted or newer" what
  local remedy="unset DOCKER_HOST and DOCKER_CONTEXT, or: docker context use default"
  case $1 in
    ok) ;;
    missing | no-compose)
      what="no Docker engine with Compose"
      [[ $1 == missing ]] || what="the Docker engine is there without Compose"
      if [[ $2 == no-install ]]; then
        echo "$what; install $need, or leave out --no-install"
      elif [[ $3 != yes ]]; then
        echo "$what; install $need, or run this as root, which installs it"
      elif ! has apt-get && ! has dnf; then
        echo "$what, and neither apt nor dnf to install it; install $need"
      fi
      ;;
    stopped)
      [[ $3 == yes ]] ||
        echo "the Docker engine does not answer; start it, or run this as root, which starts it"
      ;;
    forbidden)
      echo "you may not use the Docker engine; run this as root, or join the group docker"
      ;;
    podman) echo "docker is Podman here, which Locust Fleet does not support; install $need" ;;
    no-context) echo "the Docker client does not know its context; $remedy" ;;
    silent*) echo "the Docker engine at ${1#* } does not answer; start it, or $remedy" ;;
    elsewhere*)
      echo "the Docker engine is at ${1#* }, but containers read files of this folder; deploy on that" \
        "machine, or, for the engine of this machine, $remedy"
      ;;
    old-engine*) echo "the Docker engine is ${1#* }; install $engine_wanted or newer" ;;
    old-compose*) echo "Docker Compose is ${1#* }; install $compose_wanted or newer" ;;
    *) echo "the state of the Docker engine is unknown: $1" ;;
  esac
}

# require_engine CODE: end with this code if the engine is on another machine or does not answer. An old engine,
# or one without Compose, is enough to stop containers.
require_engine() {
  local state problem
  state=$(engine_state)
  [[ $state != ok && $state != old-* && $state != no-compose ]] || return 0
  problem=$(engine_problem "$state" install yes)
  die "$1" "${problem:-the Docker engine does not answer; scripts/deploy.sh production starts it}"
}

# ensure_program NAME install|no-install: install a package that is called like its program.
ensure_program() {
  ! has "$1" || return 0
  [[ $2 == install && $EUID == 0 ]] || die 1 "$1 is missing; install it"
  log "installing $1"
  if has apt-get; then
    apt_quietly update
    apt_quietly install "$1"
  else
    dnf -q -y install "$1" >&2 || die 1 "dnf could not install $1; the reason is above"
  fi
}

# ensure_engine install|no-install: install what is missing, and start the engine.
ensure_engine() {
  local state problem is_root=no
  ((EUID != 0)) || is_root=yes
  state=$(engine_state)
  problem=$(engine_problem "$state" "$1" "$is_root")
  [[ -z $problem ]] || die 1 "$problem"
  if [[ $state == missing || $state == no-compose ]] && [[ $1 == install ]]; then
    install_engine
    state=$(engine_state)
  fi
  if [[ $state == stopped ]]; then
    start_engine
    state=$(engine_state)
  fi
  [[ $state == ok ]] || die 1 "$(engine_problem "$state" no-install yes)"
}

# --- installing ---

install_engine() {
  if ! has apt-get; then
    install_with_dnf
  elif dpkg-query --show docker-ce >/dev/null 2>&1; then
    # Debian's packages would replace Docker's own, which are installed here.
    log "installing Compose"
    apt_quietly update
    apt_quietly install docker-compose-plugin
  else
    install_with_apt
  fi
}

# install_with_apt: Debian 13 and Ubuntu have everything; the Compose of Debian 12 is too old.
install_with_apt() {
  log "installing the Docker engine and Compose"
  apt_quietly update
  if apt_offers docker-compose-v2 "$compose_wanted"; then
    apt_quietly install docker.io docker-compose-v2 docker-buildx
  elif apt_offers docker-compose "$compose_wanted"; then
    apt_quietly install docker.io docker-cli docker-compose docker-buildx
  else
    # containerd and runc of the older release stay: they fit, and that release patches them.
    apt_quietly install docker.io
    add_newer_debian
    # shellcheck disable=SC2154  # from images.sh, which every installing script sources
    apt_quietly install --target-release "$debian_release" \
      docker.io docker-cli docker-compose docker-buildx
  fi
}

# apt_quietly update|install ARGUMENT...: run apt-get, and show its output only when it fails.
apt_quietly() {
  local command=$1 words
  shift
  [[ $command != install ]] || set -- --yes --no-install-recommends "$@"
  words=$(mktemp)
  if ! DEBIAN_FRONTEND=noninteractive apt-get -qq "$command" "$@" >"$words" 2>&1 </dev/null; then
    tail -n 15 "$words" >&2
    rm -f "$words"
    die 1 "apt-get $command $* failed; the reason is above"
  fi
  rm -f "$words"
}

# apt_offers PACKAGE VERSION
apt_offers() {
  local candidate
  candidate=$(apt-cache policy "$1" | sed -n 's/^ *Candidate: //p')
  version_at_least "${candidate#*:}" "$2"
}

# Add a newer release of the same mirror, with a priority so low that no other package comes from it.
add_newer_debian() {
  local mirror key=/usr/share/keyrings/debian-archive-keyring.gpg name=locust-fleet-$debian_release
  local source=/etc/apt/sources.list.d/$name.sources pin=/etc/apt/preferences.d/$name
  mirror=$(debian_mirror)
  log "taking Compose from Debian $debian_release at $mirror"
  {
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$mirror" "$debian_release"
    [[ ! -e $key ]] || printf 'Signed-By: %s\n' "$key"
  } >"$source"
  printf 'Package: *\nPin: release n=%s\nPin-Priority: 100\n' "$debian_release" >"$pin"
  # Every user of apt reads these files.
  chmod 0644 "$source" "$pin"
  apt_quietly update
}

install_with_dnf() {
  dnf -q list --available docker-ce >/dev/null 2>&1 ||
    die 1 "dnf knows no docker-ce; add Docker's repository, or install Docker Engine by hand"
  log "installing the Docker engine and Compose"
  dnf -q -y install docker-ce docker-ce-cli containerd.io docker-buildx-plugin \
    docker-compose-plugin >&2 || die 1 "dnf could not install docker-ce; the reason is above"
}

# --- starting ---

start_engine() {
  log "starting the Docker engine"
  if [[ -d /run/systemd/system ]]; then
    systemctl enable --now docker >&2 ||
      die 1 "systemd could not start docker; see: journalctl --unit docker"
  else
    start_dockerd
  fi
  wait_for_engine
}

# Without an init system: start it outside our session, with as many open files as are allowed.
start_dockerd() (
  exec 9>&-
  local pid_file=/var/run/docker.pid
  # A machine that was switched off leaves this file, and dockerd refuses to start while it is there.
  if [[ -s $pid_file ]] && ! is_process "$(<"$pid_file")" dockerd; then rm -f "$pid_file"; fi
  ulimit -n 1048576 2>/dev/null || ulimit -n "$(ulimit -Hn)"
  setsid --fork dockerd >>"$engine_log" 2>&1 </dev/null
)

is_process() { [[ $(cat "/proc/$1/comm" 2>/dev/null) == "$2" ]]; }

wait_for_engine() {
  local deadline=$((SECONDS + engine_start_s))
  until docker version >/dev/null 2>&1; do
    if ((SECONDS >= deadline)); then
      [[ ! -s $engine_log ]] || tail -n 20 "$engine_log" >&2
      die 1 "the Docker engine did not start within $engine_start_s s; its last log lines are above"
    fi
    sleep 0.5
  done
}

# Print the number of open files a container may have: what the engine allows, at most 65536.
open_files_limit() {
  local limit pid
  pid=$(cat /var/run/docker.pid 2>/dev/null || true)
  limit=$(awk '/^Max open files/ { print $5 }' "/proc/${pid:-self}/limits" 2>/dev/null || ulimit -Hn)
  if [[ $limit == unlimited ]] || ((limit > 65536)); then limit=65536; fi
  printf '%s\n' "$limit"
}
