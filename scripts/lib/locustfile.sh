# The locustfile that master and workers run. It is checked first; then both are recreated together.

# locustfile_name PATH: print the name within locustfiles/ of a path or name; end the script if there is none.
locustfile_name() {
  local folder path
  folder=$(realpath -- "$root/locustfiles")
  if [[ -f $folder/$1 ]]; then
    path=$(realpath -- "$folder/$1")
  else
    path=$(realpath -- "$1")
  fi
  [[ -f $path ]] || die 2 "there is no locustfile $1; put it into $folder"
  [[ $path == "$folder"/* ]] ||
    die 2 "$1 is outside of $folder, and containers see only that folder; put the file there"
  printf '%s\n' "${path#"$folder"/}"
}

# check_locustfile ENV_FILE: import the LOCUSTFILE of these settings in a separate container.
# Prints its output on stderr; returns 1 if the file cannot be used.
check_locustfile() (
  local file=$1 key value
  local -a variables=()
  while IFS=$'\t' read -r _ key value; do
    [[ $key == SCENARIO_* ]] || continue
    # Passed by name: a value may be a secret, and every process can read arguments.
    export "$key=$value"
    variables+=(--env "$key")
  done < <(env_lines "$file")
  compose --env-file "$file" --progress quiet run --rm --no-deps -T "${variables[@]}" \
    locust-master locust-fleet check-locustfile >&2 </dev/null
)

# scenario_lines FILE: print the SCENARIO_ settings for env_file, so that Compose expands nothing.
scenario_lines() {
  local key value quote="'"
  while IFS=$'\t' read -r _ key value; do
    [[ $key == SCENARIO_* ]] || continue
    if [[ $value == *"$quote"* ]]; then
      value=${value//\\/\\\\}
      printf '%s="%s"\n' "$key" "${value//\"/\\\"}"
    else
      printf "%s='%s'\n" "$key" "$value"
    fi
  done < <(env_lines "$1")
}
