# What a load test of some size needs of the kernel. Decides from its arguments alone.

# A user that closes its connection after each request opens one a second. Besides the open one it needs a port
# for each of the 60 seconds for which the kernel keeps a closed one; with tcp_tw_reuse=1, for one second.
readonly time_wait_s=60
# The host's table keeps closed connections for so long (nf_conntrack_tcp_timeout_time_wait).
readonly conntrack_wait_s=120
# A user has a connection and a file or a second host; a process itself has some more.
readonly files_per_user=2 files_of_process=256

# Open files of a login. Locust asks for 10,000, which 500 users of one process may need.
readonly login_files=65536

# sysctl_lines FILE: print KEY VALUE of each setting, separated by a tab.
sysctl_lines() { sed -nE 's/^([a-z0-9_.]+)[[:space:]]*=[[:space:]]*(.*[^[:space:]])[[:space:]]*$/\1\t\2/p' "$1"; }

# remembered FILE: print KEY BEFORE VALUE of what --apply wrote, separated by tabs.
remembered() {
  [[ ! -e $1 ]] || sed -nE '/^# before: /{N;s/^# before: (.*)\n([a-z0-9_.]+) = (.*)$/\2\t\1\t\3/p}' "$1"
}

# best KEY NOW WANTED: print the value to set, which is never worse than the present one.
best() {
  local -a now wanted
  read -ra now <<<"$2"
  read -ra wanted <<<"$3"
  case $1 in
    net.ipv4.ip_local_port_range)
      echo "$((now[0] < wanted[0] ? now[0] : wanted[0])) $((now[1] > wanted[1] ? now[1] : wanted[1]))"
      ;;
    net.ipv4.tcp_tw_reuse) echo "$3" ;;
    net.ipv4.tcp_keepalive_time) echo $(($2 < $3 ? $2 : $3)) ;;
    *) echo $(($2 > $3 ? $2 : $3)) ;;
  esac
}

# login_limits HARD: print the lines for limits.d; a larger hard limit stays.
login_limits() {
  local who
  for who in '*' root; do
    (($1 >= login_files)) || echo "$who hard nofile $login_files"
    echo "$who soft nofile $login_files"
  done
}

# share USERS WORKERS: print the users of one worker, rounded up.
share() { echo $((($1 + $2 - 1) / $2)); }

# ports_needed USERS TW_REUSE
ports_needed() { echo $(($1 * (1 + ($2 == 1 ? 1 : time_wait_s)))); }

# ports_in "FIRST LAST"
ports_in() {
  local -a range
  read -ra range <<<"$1"
  echo $((range[1] - range[0] + 1))
}

files_needed() { echo $(($1 * files_per_user + files_of_process)); }

tracked_needed() { echo $(($1 * (1 + conntrack_wait_s))); }

# socket_mb USERS TCP_RMEM TCP_WMEM: print the memory of the initial buffers of all connections.
socket_mb() {
  local -a receive send
  read -ra receive <<<"$2"
  read -ra send <<<"$3"
  echo $(($1 * (receive[1] + send[1]) / 1000000))
}

# free_socket_mb TCP_MEM PAGE_BYTES: above the second of the three values the kernel shrinks buffers.
free_socket_mb() {
  local -a pages
  read -ra pages <<<"$1"
  echo $((pages[1] * $2 / 1000000))
}

# row PLACE WHAT HAS NEEDS REMEDY: print a line of the table, with LOW if this would throttle the test.
row() {
  local verdict=ok
  (($3 >= $4)) || verdict="LOW: $5"
  printf '%-14s %-34s %20s %10s   %s\n' "$1" "$2" "$3" "$4" "$verdict"
}
