#!/usr/bin/env bash
# Stand in for `docker` on PATH: note every call, and answer from the files of a folder.
#
# The folder is FAKE_DOCKER. What a test wants to be different it says with a file there: `engine`
# and `compose` (versions), `context` (where the engine is), `name` (of its machine), `down` (the engine does not answer), `recreate` (services that `up`
# would recreate), `run` (the state of the run), `begins` (words; a call that holds them is when
# somebody starts the run of `then_run`), `fails` (words; a call that holds one of them
# fails), `stopped` and `restarting` (containers that do not run), `started` (when containers started), `unfit` (new
# workers are). In `added`,
# `removed`, `images`, `volumes` and `labels` (those of the last `up`) it notes those itself.
#
# A deployment calls this some sixty times, so it starts no program.
set -Eeuo pipefail

readonly folder=${FAKE_DOCKER:?} project=${FAKE_PROJECT:?}
readonly services=(
  nginx console migrate locust-master locust-worker demo-target redis postgres
)

main() {
  local call=$*
  note calls "$call"
  # Also those of a container that then fails.
  [[ $call != 'compose '*' run '* ]] || echo "$project"_postgres-data >"$folder/volumes"
  if [[ -e $folder/begins && $call == *"$(say begins)"* ]]; then
    say then_run >"$folder/run"
  fi
  if [[ $call == 'compose version'* ]]; then
    say compose 2.26.1
  elif [[ -e $folder/down ]]; then
    echo 'Cannot connect to the Docker daemon' >&2
    return 1
  elif is_to_fail "$call"; then
    echo "fake: $call fails" >&2
    return 1
  elif [[ $1 == compose ]]; then
    compose "$call"
  else
    engine "$@"
  fi
}

is_to_fail() {
  local words
  [[ -e $folder/fails ]] || return 1
  while read -r words || [[ -n $words ]]; do
    [[ -z $words || $1 != *"$words"* ]] || return 0
  done <"$folder/fails"
  return 1
}

engine() {
  local call=$*
  case $call in
    version*) say engine 26.1.5+dfsg1 ;;
    'context inspect'*) say context ;;
    'info --format {{.Name}}') say name ;;
    info*) echo "$folder" ;;
    'ps '*) containers "$call" "$(option --format "$@")" ;;
    'exec '*' try-worker '*) [[ ! -e $folder/unfit ]] || return 3 ;;
    'exec '*) say run none ;;
    'inspect '*RestartCount*) echo 'running 0' ;;
    'inspect '*StartedAt*) echo "${*: -1} $(say started)" ;;
    'inspect '*) echo "${*: -1}" ;;
    'rm '*) remove "$2" ;;
    'build '*) note images "$(option --tag "$@") $(say content 1)" ;;
    'pull '*) note images "${*: -1} pulled" ;;
    'tag '*) note images "$3 $(image "$2" || echo "$2")" ;;
    'image inspect '*) inspect_image "$@" ;;
    'volume ls '*) say volumes ;;
    'volume rm '*) : >"$folder/volumes" ;;
    'volume inspect '*) [[ " $(say volumes) " == *" $3 "* ]] ;;
    'port '*) say port ;;
  esac
}

compose() {
  local service
  case $1 in
    *'--dry-run create'*)
      for service in $(say recreate); do
        echo " DRY-RUN MODE -  Container $project-$service-1  Recreate" >&2
      done
      ;;
    *' create '*) scale_up "$1" ;;
    *' up '*) bring_up "$1" ;;
    *psql*) echo 1 ;;
    *pg_dump*) echo 'a dump' ;;
  esac
}

# bring_up CALL: containers of the scenario have the labels that the files say now.
bring_up() {
  : >"$folder/up"
  echo "$project"_postgres-data >"$folder/volumes"
  if [[ -e .deploy/mounted.yml && ($1 == *--remove-orphans* || $1 == *' locust-master '*) ]]; then
    echo "$(<.deploy/mounted.yml)" >"$folder/labels"
  fi
}

# containers CALL TEMPLATE: list what runs, as `docker ps` does.
containers() {
  [[ -e $folder/up ]] || return 0
  local service name line stopped restarting recreate added labels
  stopped=" $(words stopped) " restarting=" $(words restarting) " recreate=" $(words recreate) " added=" $(words added) "
  labels=$(say labels)
  for service in "${services[@]}"; do
    if [[ $1 == *compose.service=* && "$1 " != *".service=$service "* ]]; then
      continue
    fi
    for name in $(names "$service"); do
      local state=running status='Up 1 second (healthy)' hash=new
      if [[ $service == migrate || $stopped == *" $name "* ]]; then
        state=exited status='Exited (0) 1 second ago'
      elif [[ $restarting == *" $name "* ]]; then
        state=restarting status='Restarting (1) 1 second ago'
      fi
      [[ $recreate != *" $service "* || $added == *" $name "* ]] || hash=old
      line=${2//'{{.ID}}'/"$service-$((${name##*-} - 1))"}
      line=${line//'{{.Names}}'/"$name"}
      line=${line//'{{.State}}'/"$state"}
      line=${line//'{{.Status}}'/"$status"}
      line=${line//'{{.Label "com.docker.compose.service"}}'/"$service"}
      line=${line//'{{.Label "com.docker.compose.project.working_dir"}}'/"$(say working_dir "$PWD")"}
      if [[ $line == *fleet.* ]]; then
        line=${line//'{{.Label "fleet.mounted"}}'/"$(label mounted "$service" "$labels")"}
        line=${line//'{{.Label "fleet.scenario"}}'/"$(label scenario "$service" "$labels")"}
      fi
      line=${line//'{{.Label "com.docker.compose.config-hash"}}'/"$hash"}
      echo "$line"
    done
  done
}

# The containers of a service, as Compose names them.
names() {
  local prefix=$project-$1- count=1 number name removed
  [[ $1 != locust-worker ]] || count=$(say workers 3)
  removed=" $(words removed) "
  for ((number = 1; number <= count; number++)); do
    [[ $removed == *" $prefix$number "* ]] || echo "$prefix$number"
  done
  for name in $(say added); do
    [[ $name != "$prefix"* || $removed == *" $name "* ]] || echo "$name"
  done
}

# Add what is missing, with the numbers after those that there are.
scale_up() {
  local scaled=${1#*--no-recreate --scale } there=0 last=0 name number
  [[ $scaled != "$1" ]] || return 0
  scaled=${scaled%% *}
  for name in $(names "${scaled%=*}"); do
    there=$((there + 1))
    ((${name##*-} <= last)) || last=${name##*-}
  done
  for ((number = last + 1; number <= last + ${scaled#*=} - there; number++)); do
    note added "$project-${scaled%=*}-$number"
  done
}

# label NAME SERVICE LABELS: print what the last `up` gave it.
label() {
  local line pattern="^  $2: .*fleet\\.$1: \"([^\"]*)"
  while IFS= read -r line; do
    [[ ! $line =~ $pattern ]] || echo "${BASH_REMATCH[1]}"
  done <<<"$3"
}

remove() {
  local name kept=()
  if [[ " $(words added) " != *" $1 "* ]]; then
    note removed "$1"
    return
  fi
  for name in $(say added); do
    [[ $name == "$1" ]] || kept+=("$name")
  done
  : >"$folder/added"
  for name in "${kept[@]}"; do
    note added "$name"
  done
}

# image NAME: what it holds; fails where there is none.
image() {
  local name content found=''
  while read -r name content; do
    [[ $name != "$1" ]] || found=$content
  done <<<"$(say images)"
  [[ -n $found ]] && echo "$found"
}

inspect_image() {
  local word content='' form
  for word in "${@:3}"; do
    if [[ $word == *:* && $word != *'{'* ]]; then
      content=$(image "$word") || return 1
      break
    fi
  done
  [[ -n $content ]] || return 1
  local zeros
  printf -v zeros '%064d' 0
  form=$(option --format "$@")
  form=${form//'{{.Id}}'/"sha256:${content}${zeros:${#content}}"}
  echo "${form//'{{.RootFS.Layers}}'/"$content"}"
}

# option NAME ARGUMENT...: what follows it.
option() {
  local name=$1
  while shift && (($# > 1)); do
    if [[ $1 == "$name" ]]; then
      echo "$2"
      return
    fi
  done
}

# say NAME [DEFAULT]: print a file of the folder.
say() {
  if [[ -e $folder/$1 ]]; then
    echo "$(<"$folder/$1")"
  else
    echo "${2-}"
  fi
}

# words NAME: print them in one line.
words() {
  local -a found=()
  [[ ! -e $folder/$1 ]] || read -r -d '' -a found <"$folder/$1" || true
  echo "${found[*]}"
}

note() {
  echo "$2" >>"$folder/$1"
}

main "$@"
