#!/usr/bin/env bash
# Tune the kernel of this machine for load tests, or check whether it would throttle one.
#
# Usage: scripts/system_tuning.sh [--check | --apply | --undo] [--users N] [--root DIR]
#
#   --check     check, and change nothing: the default. If a worker runs, its values are read in its
#               container, which has its own network and limits
#   --apply     set the values of conf/sysctl.conf, now and at each start of the machine
#   --undo      remove them, and set the former values
#   --users N   the number of users of the test; default: users in conf/production.conf
#   --root DIR  use DIR/etc and DIR/proc instead of those of this machine
#
# Writes sysctl.d/90-locust-fleet.conf, limits.d/90-locust-fleet.conf and, for connection tracking,
# modules-load.d/locust-fleet.conf, and no other file. Needs root, except for --check.
# Exit codes: 0 done, 1 a step failed or a test of this size would be throttled, 2 bad arguments.
set -Eeuo pipefail
shopt -s inherit_errexit

# shellcheck source-path=SCRIPTDIR source=lib/common.sh
source "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/lib/common.sh"
source "$root/scripts/lib/env.sh"
source "$root/scripts/lib/engine.sh"
source "$root/scripts/lib/images.sh"
source "$root/scripts/lib/stack.sh"
source "$root/scripts/lib/tuning.sh"

readonly written_by=$'# Written by scripts/system_tuning.sh; --undo removes it.\n'

main() {
  local action=check users prefix=''
  users=$(sed -n "s/^users *= *//p" "$root/conf/production.conf")
  users=${users:-1000}
  while (($#)); do
    case $1 in
      --check | --apply | --undo) action=${1#--} ;;
      --users)
        [[ ${2:-} =~ ^[1-9][0-9]{0,6}$ ]] || die 2 "--users needs a number from 1 to 9999999"
        users=$2
        shift
        ;;
      --root)
        [[ -d ${2:-}/etc && -d ${2:-}/proc ]] || die 2 "--root needs a folder with etc and proc"
        prefix=$2
        shift
        ;;
      -h | --help) usage && exit ;;
      *) die 2 "unknown argument '$1' (try --help)" ;;
    esac
    shift
  done

  sys=$prefix/proc/sys
  sysctl_file=$prefix/etc/sysctl.d/90-locust-fleet.conf
  limits_file=$prefix/etc/security/limits.d/90-locust-fleet.conf
  modules_file=$prefix/etc/modules-load.d/locust-fleet.conf
  [[ $action == check || -w $prefix/etc ]] || die 1 "--$action changes $prefix/etc; run this as root"
  "$action" "$users"
}

# --- looking ---

check() {
  local users=$1 table low
  table=$(
    check_host "$users"
    check_workers "$users"
  )
  printf '%-14s %-34s %20s %10s\n' where what has needs
  printf '%s\n' "$table"
  low=$(grep -c ' LOW: ' <<<"$table" || true)
  ((low == 0)) || die 1 "$low of these would throttle a test of $users users"
  log "nothing here would throttle a test of $users users"
}

# What all containers share.
check_host() {
  local users=$1 opened used
  if [[ -e $sys/net/netfilter/nf_conntrack_max ]]; then
    row host net.netfilter.nf_conntrack_max "$(now net.netfilter.nf_conntrack_max)" \
      "$(tracked_needed "$users")" --apply
  fi
  opened=$(now fs.file-nr)
  used=${opened%% *}
  row host "fs.file-max, free" $(($(now fs.file-max) - used)) "$(files_needed "$users")" \
    "a larger fs.file-max"
  row host "net.ipv4.tcp_mem, MB" \
    "$(free_socket_mb "$(now net.ipv4.tcp_mem)" "$(getconf PAGESIZE)")" \
    "$(socket_mb "$users" "$(now net.ipv4.tcp_rmem)" "$(now net.ipv4.tcp_wmem)")" "more memory"
}

check_workers() {
  local users=$1 project workers demo
  project=$(setting COMPOSE_PROJECT_NAME)
  if has docker && workers=$(running_containers "$project" locust-worker 2>/dev/null) &&
    [[ -n $workers ]]; then
    check_container "$(share "$users" "$(wc -l <<<"$workers")")" "${workers%%$'\n'*}"
    [[ $(setting TARGET_HOST) != *//demo-target:* ]] ||
      demo=$(running_container "$project" demo-target)
    [[ -z ${demo:-} ]] || check_listener "$users" demo-target "$(inside "$demo" | sed -n 3p)" \
      "sysctls in docker-compose.prod.yml"
    return
  fi
  log "no worker runs; checking this host, for workers without a container"
  check_own_network "$users"
  row "this login" "open files, ulimit -Hn" "$(number "$(ulimit -Hn)")" "$(files_needed "$users")" \
    "--apply, then a new login"
  row engine "open files, ulimits of the stack" "$(open_files_limit)" \
    "$(files_needed "$(share "$users" "$(setting LOCUST_WORKERS)")")" "more workers"
}

# check_container USERS ID
check_container() {
  local -a values
  mapfile -t values < <(inside "$2")
  check_ports "$1" locust-worker "${values[0]}" "${values[1]}" "more workers"
  row locust-worker "open files, NOFILE in .env" "$(number "${values[3]}")" "$(files_needed "$1")" \
    "more workers"
}

# inside ID: print port range, tcp_tw_reuse, somaxconn and open files of a container, one per line.
inside() {
  docker exec "$1" sh -c 'cd /proc/sys/net &&
    cat ipv4/ip_local_port_range ipv4/tcp_tw_reuse core/somaxconn && ulimit -n'
}

check_own_network() {
  local users=$1
  check_ports "$users" host "$(now net.ipv4.ip_local_port_range)" "$(now net.ipv4.tcp_tw_reuse)" \
    --apply
  check_listener "$users" host "$(now net.core.somaxconn)" --apply
  # With SYN cookies the kernel also accepts connections beyond the queue.
  [[ $(now net.ipv4.tcp_syncookies) != 0 ]] ||
    row host net.ipv4.tcp_max_syn_backlog "$(now net.ipv4.tcp_max_syn_backlog)" "$users" --apply
}

# check_ports USERS PLACE RANGE TW_REUSE REMEDY
check_ports() {
  row "$2" "net.ipv4.ip_local_port_range" "$(ports_in "$3")" "$(ports_needed "$1" "$4")" "$5"
}

# check_listener USERS PLACE SOMAXCONN REMEDY
check_listener() { row "$2" net.core.somaxconn "$3" "$1" "$4"; }

# now KEY: print its value, words separated by one space.
now() { tr -s '\t' ' ' <"$sys/${1//.//}"; }

# number LIMIT
number() { if [[ $1 == unlimited ]]; then echo 1048576; else echo "$1"; fi; }

# --- changing ---

apply() {
  local key wanted before set value status=0 kept
  kept=$(remembered "$sysctl_file")
  restore_dropped "$kept"
  local text=$written_by
  while IFS=$'\t' read -r key wanted; do
    if [[ ! -e $sys/${key//.//} ]]; then
      log "skipped: $key, which this kernel does not know"
      continue
    fi
    # A larger value that somebody else has set since stays.
    IFS=$'\t' read -r before set <<<"$(awk -F '\t' -v key="$key" '$1 == key { print $2 FS $3 }' <<<"$kept")"
    [[ -n $before && $(now "$key") == "$set" ]] || before=$(now "$key")
    value=$(best "$key" "$before" "$wanted")
    if [[ $value != "$before" ]]; then
      if set_value "$key" "$value"; then
        text+="# before: $before"$'\n'"$key = $value"$'\n'
      else
        status=1
      fi
    else
      printf '%-34s %s, kept\n' "$key" "$before"
    fi
  done < <(sysctl_lines "$root/conf/sysctl.conf")
  write_file "$sysctl_file" "$text"
  [[ ! -e $sys/net/netfilter/nf_conntrack_max ]] || write_file "$modules_file" "$written_by"nf_conntrack
  apply_limits
  ((status == 0)) || die 1 "not everything could be set; see above"
}

# restore_dropped KEPT: restore values that conf/sysctl.conf no longer sets.
restore_dropped() {
  local key before value
  while IFS=$'\t' read -r key before value; do
    [[ -z $key ]] || sysctl_lines "$root/conf/sysctl.conf" | cut -f 1 | grep -Fqx "$key" ||
      restore "$key" "$before" "$value"
  done <<<"$1"
}

# set_value KEY VALUE: set it, and print the value before and after.
set_value() {
  local before
  before=$(now "$1")
  if ! (printf '%s\n' "$2" >"$sys/${1//.//}") 2>/dev/null; then
    log "error: $1 cannot be set to $2 here; a container or virtual machine may not change it"
    return 1
  fi
  printf '%-34s %s -> %s\n' "$1" "$before" "$(now "$1")"
}

# A limit above what the system allows would break logins, so try it first.
apply_limits() {
  local hard
  [[ ! -e $limits_file ]] || return 0
  hard=$(number "$(ulimit -Hn)")
  if ((login_files > $(now fs.nr_open))) || ! may_open "$login_files"; then
    log "skipped: open files of a login stay at $hard; $login_files are not allowed here"
    return
  fi
  write_file "$limits_file" "$written_by$(login_limits "$hard")"
  printf '%-34s %s -> %s, from the next login\n' "open files of a login" "$(ulimit -Sn)" "$login_files"
}

may_open() (ulimit -Sn "$1" || ulimit -n "$1") 2>/dev/null

# write_file FILE TEXT: write it in one step.
write_file() {
  mkdir -p -- "${1%/*}"
  printf '%s\n' "${2%$'\n'}" >"$1.new"
  mv -- "$1.new" "$1"
}

undo() {
  local key before value
  while IFS=$'\t' read -r key before value; do
    restore "$key" "$before" "$value"
  done < <(remembered "$sysctl_file")
  rm -f -- "$sysctl_file" "$limits_file" "$modules_file"
}

# restore KEY BEFORE VALUE: restore it, unless somebody else has changed it since.
restore() {
  if [[ ! -e $sys/${1//.//} ]]; then
    log "skipped: $1, which this kernel does not know"
  elif [[ $(now "$1") == "$3" ]]; then
    set_value "$1" "$2"
  else
    log "left alone: $1 is $(now "$1"), which this script did not set"
  fi
}

main "$@"
