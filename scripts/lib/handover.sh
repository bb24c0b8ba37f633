# Replace the containers of a service one by one, during a run: each new one has its part of the work before an
# old one leaves. Before and after, the stack is what Compose would make of the settings.

# hand_over PROJECT [back]: replace workers first, then masters. Returns 1 if a new container is unfit; that one
# is removed. With `back`, containers of the former version are not tried again.
# Also called from a trap, where a bare `return` returns the status from before the trap: hence the numbers.
hand_over() {
  local first=locust-worker then=locust-master
  # Compose recreates all that depends on what it recreates: so all but these two services must be up to date.
  compose --progress quiet up --detach migrate >&2 || return 1
  # The leader says whether a new worker is fit.
  if ! wait_for_leader "$1" 10; then
    first=locust-master then=locust-worker
  fi
  replace_one_by_one "$1" "$first" "$(wanted_of "$first")" "${2:-}" &&
    replace_one_by_one "$1" "$then" "$(wanted_of "$then")" "${2:-}" &&
    no_leader_is_an_error "$1"
}

# wanted_of SERVICE: print the wanted number of containers.
wanted_of() { if [[ $1 == locust-master ]]; then setting LOCUST_MASTERS; else setting LOCUST_WORKERS; fi; }

# replace_one_by_one PROJECT SERVICE COUNT [back]: starts from the containers that exist, so that the next update
# finishes one that was interrupted.
replace_one_by_one() {
  local project=$1 service=$2 count=$3 back=${4:-} there old spare new tried=' '
  # Errexit is off here, and an engine that does not answer does not mean that there is nothing to replace.
  there=$(containers "$project" "$service") || return 1
  [[ -n $there ]] || return 0
  while :; do
    drop_stopped "$project" "$service" || return 1
    there=$(containers "$project" "$service" '{{.Names}}') || return 1
    spare=$(create_spare "$project" "$service" "$there") || return 1
    old=$(unlike "$project" "$service" "$spare") || return 1
    if [[ $back == back ]]; then
      tried+="$(without "$there" "$old" | paste -sd ' ') " back=done
    fi
    if [[ -z $old ]] || (($(wc -l <<<"$there") > count)); then
      docker rm "$spare" >/dev/null || return 1
      [[ -n $old ]] || return 0
    else
      log "$spare starts"
      docker start "$spare" >/dev/null || return 1
      there+=$'\n'$spare
    fi
    for new in $(without "$there" "$old"); do
      [[ $tried == *" $new "* ]] || try_container "$project" "$service" "$new" || return 1
      tried+="$new "
    done
    let_leave "$project" "$service" "$(leaves_first "$service" "$old")" || return 1
  done
}

# without NAMES OTHERS: print the names that are not among the others.
without() { comm -23 <(sort <<<"$1") <(sort <<<"$2"); }

# drop_stopped PROJECT SERVICE: remove stopped containers, which Compose would start again.
drop_stopped() {
  local name
  while read -r name; do
    docker rm "$name" >/dev/null || return 1
  done < <(containers "$1" "$2" '{{.State}} {{.Names}}' | sed -n 's/^\(exited\|dead\|created\) //p')
}

# create_spare PROJECT SERVICE NAMES: create one more than these, with the present settings; print its name.
create_spare() {
  local words names
  # With its dependencies: Compose would forget them, and recreate everything at the next `up`.
  words=$(compose create --no-recreate --scale "$2=$(($(wc -l <<<"$3") + 1))" "$2" 2>&1) || {
    printf '%s\n' "$words" >&2
    log "error: Compose cannot create one more $2; its output is above"
    return 1
  }
  names=$(containers "$1" "$2" '{{.Names}}') || return 1
  without "$names" "$3"
}

# unlike PROJECT SERVICE NAME: print the names of containers with another configuration than this one. Asking
# Compose what it would recreate does not help: it counts what depends on a change as changed.
unlike() {
  local all hash
  all=$(containers "$1" "$2" '{{.Label "com.docker.compose.config-hash"}} {{.Names}}') || return 1
  hash=$(sed -n "s/ $3\$//p" <<<"$all")
  sed -n "/^$hash /!s/^[^ ]* //p" <<<"$all"
}

# try_container PROJECT SERVICE NAME: remove an unfit one, because it may have users by now.
try_container() {
  if [[ $2 == locust-master ]]; then
    try_master "$3" && return 0
  else
    try_worker "$1" "$3" && return 0
  fi
  log "error: $3 is unfit and is removed"
  docker stop "$3" >/dev/null && docker rm "$3" >/dev/null
  return 1
}

# A master that stands by shows no more than that it is ready to.
try_master() {
  wait_until_up "$1" || return 1
  log "$1 stands by"
}

# try_worker PROJECT NAME: wait until it has its part of the run, and its first requests were made.
try_worker() {
  local project=$1 name=$2 host words code until=$((SECONDS + 120))
  wait_until_up "$name" || return 1
  host=$(docker inspect --format '{{.Config.Hostname}}' "$name")
  while :; do
    code=0
    words=$(ask_about_worker "$project" "$host") || code=$?
    # No verdict: there is no master, or it has ended.
    ((code != 0 && code != 3 && SECONDS < until)) || break
    sleep 1
  done
  log "$name: $words"
  ((code == 0)) && has_not_ended "$name"
}

# ask_about_worker PROJECT HOST: print the reason of the verdict. Returns 0 for fit, 3 for unfit, another code
# without a verdict.
ask_about_worker() {
  local master
  # Each master asks the leader.
  master=$(running_container "$1" locust-master)
  if [[ -z $master ]]; then
    echo 'no master runs'
    return 1
  fi
  docker exec "$master" locust-fleet try-worker "$2" 2>&1
}

# wait_until_up NAME
wait_until_up() {
  local until=$((SECONDS + 120))
  until docker exec "$1" locust-fleet healthcheck >/dev/null 2>&1; do
    has_not_ended "$1" || return 1
    if ((SECONDS > until)); then
      log "error: $1 is not ready after 120 s; its last log lines:"
      docker logs --tail 20 "$1" >&2
      return 1
    fi
    sleep 0.5
  done
}

# has_not_ended NAME: fails also for a container that the engine had to restart.
has_not_ended() {
  [[ $(docker inspect --format '{{.State.Status}} {{.RestartCount}}' "$1") != 'running 0' ]] || return 0
  log "error: $1 ended; its last log lines:"
  docker logs --tail 20 "$1" >&2
  return 1
}

# leaves_first SERVICE NAMES: print the youngest, which may be left of a failed update. The leader is the last of
# the masters, when all standbys are new.
leaves_first() {
  local name first=''
  while read -r name; do
    first=$name
    if [[ $1 != locust-master ]] || ! leads "$name"; then break; fi
  done < <(sort -rV <<<"$2")
  printf '%s\n' "$first"
}

leads() {
  docker exec "$1" python -c 'import json, sys, urllib.request as u
sys.exit(json.load(u.urlopen("http://127.0.0.1:8080/ready"))["role"] != "leader")' >/dev/null 2>&1
}

# let_leave PROJECT SERVICE NAME: stop it; it finishes its requests and hands over its counts within its grace
# period.
let_leave() {
  local project=$1 service=$2 name=$3 began=$SECONDS led=no
  [[ $service != locust-master ]] || ! leads "$name" || led=yes
  log "$name leaves"
  docker stop "$name" >/dev/null || return 1
  [[ $(docker inspect --format '{{.State.ExitCode}}' "$name") != 137 ]] ||
    log "warning: $name did not finish in its grace period; the events of the run say what was lost"
  # Well within GHOST_LIMIT, so that users go on until one leads again.
  if [[ $led == yes ]] && ! wait_for_leader "$project" 20; then
    lead_again "$project" "$name"
    return 1
  fi
  docker rm "$name" >/dev/null || return 1
  log "$name has left after $((SECONDS - began)) s"
}

# lead_again PROJECT NAME: start the former leader again. Whether a master can lead shows only when it does.
lead_again() {
  local new
  log "error: no new master leads after 20 s; their last log lines:"
  for new in $(containers "$1" locust-master '{{.Names}}' | grep -vx "$2"); do
    docker logs --tail 5 "$new" >&2
    docker rm --force "$new" >/dev/null
  done
  docker start "$2" >/dev/null
  no_leader_is_an_error "$1" && log "$2 leads again"
}

# wait_for_leader PROJECT SECONDS: returns 1 if none leads by then.
wait_for_leader() {
  local until=$((SECONDS + $2))
  until leader_answers "$1"; do
    ((SECONDS <= until)) || return 1
    sleep 0.5
  done
}

# leader_answers PROJECT: succeeds if the leader answers; each master asks it.
leader_answers() {
  local master
  for master in $(running_containers "$1" locust-master); do
    ! timeout 10 docker exec "$master" locust-fleet run-state >/dev/null 2>&1 || return 0
  done
  return 1
}

no_leader_is_an_error() {
  wait_for_leader "$1" 60 && return 0
  log "error: no master leads after 60 s"
  return 1
}
