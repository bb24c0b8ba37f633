# Find the containers of this stack. Asks the engine, so that a bad .env does not matter.

# containers PROJECT SERVICE [FORMAT]: one line for each container, whatever its state.
containers() {
  docker ps --all --no-trunc --format "${3:-{{.ID\}\}}" \
    --filter "label=com.docker.compose.project=$1" \
    --filter "label=com.docker.compose.oneoff=False" \
    ${2:+--filter "label=com.docker.compose.service=$2"}
}

# running_containers PROJECT SERVICE: print the ids of the running ones.
running_containers() {
  containers "$1" "$2" '{{.State}} {{.ID}}' | sed -n 's/^running //p'
}

# running_container PROJECT SERVICE: print the id of a running one; nothing if there is none.
running_container() { running_containers "$1" "$2" | head -n 1; }

# Names in it are free text, so Python reads the JSON.
readonly ask_run='locust-fleet run-state | python -c "
import json, sys
state = json.load(sys.stdin)
active = state[\"state\"] in (\"spawning\", \"running\", \"stopping\")
print(\"active \" + (state[\"run\"] or {}).get(\"id\", \"\") if active else \"none\")"'

# run_state PROJECT: print none, active ID, or unknown.
run_state() {
  local masters master workers
  # Errexit may be off here, and an engine that does not answer does not mean that no master runs.
  if ! masters=$(running_containers "$1" locust-master); then
    echo unknown
    return
  fi
  # Each master asks the leader, unless it hangs.
  for master in $masters; do
    ! timeout 30 docker exec "$master" sh -c "$ask_run" 2>/dev/null || return 0
  done
  # There is no master, or none answers yet; workers may still carry a run.
  if ! workers=$(running_containers "$1" locust-worker) || [[ -n $workers ]]; then
    echo unknown
  elif [[ -z $masters ||
    $(docker inspect --format '{{.State.Health.Status}}' "$master") == starting ]]; then
    echo none
  else
    echo unknown
  fi
}

# stop_run PROJECT: let a master stop the load and print what it stopped; returns 1 if none can.
stop_run() {
  local masters master
  masters=$(running_containers "$1" locust-master)
  for master in $masters; do
    ! docker exec "$master" locust-fleet stop-run || return 0
  done
  return 1
}

# recreated_services PROJECT ENV_FILE: print what `up` with these settings would recreate.
# A dry run of `up` would wait for containers that it did not start; `create` does the same part.
recreated_services() {
  local project=$1 words
  words=$(compose --env-file "$2" --dry-run create 2>&1 </dev/null) || {
    printf '%s\n' "$words" >&2
    die 1 "Compose does not accept the settings; its output is above"
  }
  # A container's name is PROJECT-SERVICE-NUMBER.
  sed -n "s/.*Container  *$project-\\([a-z-]*\\)-[0-9][0-9]*  *Recreate\$/\\1/p" <<<"$words" | sort -u
}

# Compose would recreate the master first, and workers that lose it would restart just to be stopped.
stop_workers() { compose --progress quiet stop locust-worker >&2; }

# failing_services PROJECT: print the services that failed; if none did, those that are not ready.
failing_services() {
  local states
  states=$(containers "$1" '' '{{.Label "com.docker.compose.service"}} {{.State}} {{.Status}}')
  grep -E ' (restarting|dead) | exited Exited \([^0]| running .*\(unhealthy\)' <<<"$states" ||
    grep -vE '^$|^migrate | running .*\(healthy\)| running Up [^(]*$' <<<"$states" ||
    : "none fails"
}

# show_failing PROJECT: name the services that fail, each with the last lines of one container.
show_failing() {
  local service
  while read -r service; do
    log "$service fails; its last log lines:"
    docker logs --tail 20 "$(containers "$1" "$service" | head -n 1)" >&2 ||
      log "$service has no container left"
  done < <(failing_services "$1" | cut -d ' ' -f 1 | sort -u)
}
