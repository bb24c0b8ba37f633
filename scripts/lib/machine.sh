# Look whether this machine can carry the stack. The files of /proc are arguments for the tests.

readonly wanted_cores=2 wanted_memory_mb=4000 wanted_disk_mb=50000
# Below this it cannot work: the images and a first run's data.
readonly needed_disk_mb=5000
# Measured: everything but the workers when idle, and one worker.
readonly needed_memory_mb=900 needed_worker_mb=120

# platform_problem KERNEL ARCHITECTURE
platform_problem() {
  [[ $1 == Linux ]] || {
    echo "this is $1; Locust Fleet needs Linux"
    return
  }
  case $2 in
    x86_64 | amd64 | aarch64 | arm64) ;;
    *) echo "this is a $2 processor; Locust Fleet needs x86_64 or aarch64" ;;
  esac
}

# memory_problem MEMINFO WORKERS: refuse only what cannot work, warn about what is tight.
memory_problem() {
  local total needed=$((needed_memory_mb + $2 * needed_worker_mb))
  total=$(($(sed -n 's/^MemTotal: *\([0-9]*\) kB/\1/p' "$1") / 1024))
  if ((total < needed)); then
    echo "this machine has $total MB of memory; $2 workers and the rest need $needed MB:" \
      "add memory, or use fewer workers"
  elif ((total < wanted_memory_mb)); then
    log "warning: $total MB of memory; $wanted_memory_mb MB are advised"
  fi
}

# disk_problem FOLDER FREE_MB
disk_problem() {
  if (($2 < needed_disk_mb)); then
    echo "$1 has $2 MB of free disk; at least $needed_disk_mb MB are needed: free some"
  elif (($2 < wanted_disk_mb)); then
    log "warning: $1 has $2 MB of free disk; $wanted_disk_mb MB are advised"
  fi
}

# free_mb FOLDER: of the nearest folder that exists.
free_mb() {
  local folder=$1
  until [[ -d $folder ]]; do folder=$(dirname -- "$folder"); done
  df -Pk -- "$folder" | awk 'NR == 2 { print int($4 / 1024) }'
}

# cpus_problem FILE CORES: Docker refuses a limit above what the machine has.
cpus_problem() {
  local file=$1 cores=$2 key value
  ((cores >= wanted_cores)) || log "warning: $cores core; $wanted_cores are advised"
  for key in MASTER_CPUS WORKER_CPUS; do
    value=$(env_get "$file" "$key")
    awk -v value="${value:-1}" -v cores="$cores" 'BEGIN { exit !(value > cores) }' || continue
    echo "$key is $value; use at most $cores, the cores of this machine ($(where "$file" "$key"))"
  done
}

# address_problem FILE FIB_TRIE: is BIND_ADDRESS one of this host's? The table is the kernel's.
address_problem() {
  local file=$1 address
  address=$(env_get "$file" BIND_ADDRESS)
  case $address in
    '' | 0.0.0.0 | 127.*) return ;;
    *) ;;
  esac
  awk -v address="$address" '
    /\|--/ { last = $2 }
    /host LOCAL/ && last == address { found = 1 }
    END { exit !found }' "$2" ||
    echo "BIND_ADDRESS is $address, which this host does not have; use one of its own," \
      "or 0.0.0.0 for all ($(where "$file" BIND_ADDRESS))"
}

# warn_about_way_out ROUTE IPV6_ROUTE: containers have IPv4 alone, and so has the front. A kernel without
# IPv6 has no table of it.
warn_about_way_out() {
  [[ -r $2 ]] || return 0
  ! awk 'NR > 1 && $2 == "00000000" { found = 1 } END { exit !found }' "$1" &&
    awk '$1 ~ /^0+$/ && $2 == "00" && $NF != "lo" { found = 1 } END { exit !found }' "$2" || return 0
  log "warning: this machine has a way out by IPv6 alone, and containers have IPv4 alone: they reach no" \
    "target outside, and nobody outside reaches the front"
}

# engine_machine_problem NAME SYSTEM DATA_FOLDER HOST: an engine whose socket leads to another machine, as
# in a container of a CI. Docker Desktop shows its own machine the files of this one.
engine_machine_problem() {
  [[ $1 == "$4" || $2 == 'Docker Desktop' || -e $3 ]] ||
    echo "the Docker engine runs on $1, and this is $4; containers would not see $root: deploy there"
}

# engine_folder_problem DATA_FOLDER CHECKOUT: a snap mounts other folders as empty ones.
engine_folder_problem() {
  [[ $1 != /var/snap/* ]] || case $2 in
    /home/* | /media/* | /mnt/*) ;;
    *)
      echo "the Docker engine is a snap, which does not see $2; deploy from a folder in /home, or install" \
        "the engine from the distribution's packages"
      ;;
  esac
}

# engine_limits_problem HAS_CPU_LIMITS
engine_limits_problem() {
  [[ $1 != false ]] ||
    echo "the Docker engine cannot limit processors; let systemd delegate cpu to a rootless engine, or use" \
      "the one that root runs"
}

# engine_port_problem FILE SECURITY FIRST KEY: of an engine without root, where everybody may publish.
engine_port_problem() {
  local port
  port=$(setting "$4")
  [[ $2 != *name=rootless* ]] || ((port >= $3)) ||
    echo "$4 is $port, which an engine without root cannot publish; use $3 to 65535 ($(where "$1" "$4"))"
}

# port_problem FILE KEY ADDRESS TCP_TABLE...: is the port of KEY taken by somebody else?
port_problem() {
  local file=$1 key=$2 address=$3 port
  shift 3
  port=$(setting "$key")
  if is_listening "$address" "$port" "$@"; then
    echo "port $port is taken by another program; stop that, or use another port:" \
      "$key ($(where "$file" "$key"))"
  fi
}

# is_listening ADDRESS PORT TCP_TABLE...: the tables are /proc/net/tcp and tcp6.
is_listening() {
  local port taken wanted any='^0*$' table
  wanted=$(hex_address "$1")
  printf -v port '%04X' "$2"
  shift 2
  for table; do
    [[ -r $table ]] || continue
    while read -r taken; do
      # Everything listens here, or we want to listen everywhere, or it is the same address.
      [[ $taken =~ $any || $wanted =~ $any || $taken == *"$wanted" ]] && return 0
    done < <(awk -v port=":$port" '$4 == "0A" && substr($2, length($2) - 4) == port {
      print substr($2, 1, length($2) - 5) }' "$table")
  done
  return 1
}

# hex_address 127.0.0.1: as the kernel prints it on a little-endian machine, 0100007F.
hex_address() {
  local -a parts
  IFS=. read -ra parts <<<"$1"
  printf '%02X%02X%02X%02X' "${parts[3]}" "${parts[2]}" "${parts[1]}" "${parts[0]}"
}
