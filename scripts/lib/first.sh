# The first deployment of a project on this engine. When it fails it removes what it made, so that no
# database stays whose password is in another folder.

# is_first PROJECT: succeeds if the engine has no containers or volumes of that name, whoever made them.
is_first() {
  local names
  names=$(docker ps --all --format '{{.ID}}' --filter "label=com.docker.compose.project=$1") || return 1
  [[ -z $names ]] || return 1
  names=$(docker volume ls --format '{{.Name}}') || return 1
  [[ $'\n'$names != *$'\n'"$1_"* ]]
}

# take_away PROJECT: remove what a first deployment made; nothing if another checkout has deployed the project
# meanwhile. Asks the engine, because the settings may be the reason of the failure.
take_away() {
  local folders volumes networks
  local -a of_project=(--filter "label=com.docker.compose.project=$1")
  folders=$(docker ps --all "${of_project[@]}" --format '{{.Label "com.docker.compose.project.working_dir"}}')
  volumes=$(docker volume ls "${of_project[@]}" --format '{{.Name}}')
  networks=$(docker network ls "${of_project[@]}" --format '{{.Name}}')
  [[ -n $folders$volumes$networks ]] || return 0
  if grep -qvxF "$root" <<<"${folders:-$root}"; then
    log "$1 was deployed from another folder meanwhile, so nothing is removed"
    return
  fi
  docker ps --all "${of_project[@]}" --format '{{.ID}}' | xargs -r docker rm --force --volumes >/dev/null
  xargs -r docker volume rm <<<"$volumes" >/dev/null
  xargs -r docker network rm <<<"$networks" >/dev/null
  volumes=$(docker volume ls "${of_project[@]}" --format '{{.Name}}')
  if [[ -z $volumes ]]; then
    log "removed its containers, networks and volumes; .env and secrets/ stay for the next try"
  else
    log "error: some volumes are left; remove them with: docker volume rm ${volumes//$'\n'/ }"
  fi
}
