# Check whether this machine can run the stack. The files of /proc are arguments, so that tests can pass their own.

readonly wanted_cores=2 wanted_memory_mb=4000 wanted_disk_mb=50000
# The images and the data of a first run need at least this.
readonly needed_disk_mb=5000
# Measured when idle: everything but the workers, and one worker.
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

# memory_problem MEMINFO WORKERS: refuse too little memory, warn about less than advised.
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

# free_mb FOLDER: print the free disk of the nearest folder that exists.
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

# address_problem FILE FIB_TRIE: check that this host has BIND_ADDRESS. FIB_TRIE is the kernel's table.
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

# warn_about_way_out ROUTE IPV6_ROUTE: containers and the front have IPv4 only. A kernel without IPv6 has no
# table for it.
warn_about_way_out() {
  [[ -r $2 ]] || return 0
  ! awk 'NR > 1 && $2 == "00000000" { found = 1 } END { exit !found }' "$1" &&
    awk '$1 ~ /^0+$/ && $2 == "00" && $NF != "lo" { found = 1 } END { exit !found }' "$2" || return 0
  log "warning: this machine has a route to the outside by IPv6 only, and containers have IPv4 only:" \
    "they reach no target outside, and nobody outside reaches the front"
}

# engine_machine_problem NAME SYSTEM DATA_FOLDER HOST: refuse an engine whose socket leads to another machine,
# as in a container of a CI. Docker Desktop shares the files of this machine with its own.
engine_machine_problem() {
  [[ $1 == "$4" || $2 == 'Docker Desktop' || -e $3 ]] ||
    echo "the Docker engine runs on $1, and this is $4; containers would not see $root: deploy there"
}

# engine_folder_problem DATA_FOLDER CHECKOUT: an engine from a snap sees other folders as empty.
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
    echo "the Docker engine cannot limit CPU; let systemd delegate cpu to a rootless engine, or use" \
      "the engine that root runs"
}

# engine_port_problem FILE SECURITY FIRST KEY: a rootless engine publishes only ports from FIRST on.
engine_port_problem() {
  local port
  port=$(setting "$4")
  [[ $2 != *name=rootless* ]] || ((port >= $3)) ||
    echo "$4 is $port, which an engine without root cannot publish; use $3 to 65535 ($(where "$1" "$4"))"
}

# port_problem FILE KEY ADDRESS TCP_TABLE...: check that no other program has the port of KEY.
port_problem() {
  local file=$1 key=$2 address=$3 port
  shift 3
  port=$(setting "$key")
  if is_listening "$address" "$port" "$@"; then
    echo "port $port is taken by another program; stop that, or use another port:" \
      "$key ($(where "$file" "$key"))"
  fi
}

# is_listening ADDRESS PORT TCP_TABLE...: the tables are /proc/net/tcp and /proc/net/tcp6.
is_listening() {
  local port taken wanted any='^0*$' table
  wanted=$(hex_address "$1")
  printf -v port '%04X' "$2"
  shift 2
  for table; do
    [[ -r $table ]] || continue
    while read -r taken; do
      # The program listens on all addresses, or we want all, or the addresses are the same.
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
