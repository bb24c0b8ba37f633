# Read and write settings files: one KEY=VALUE a line, no quotes, no comment behind a value.
# Nothing here executes a settings file or expands a value.

readonly block_mark='# --- written by deploy.sh, do not edit below ---'

# Print the file that holds the settings: .env, or .env.example before the first deployment.
settings_file() {
  if [[ -e $root/.env ]]; then echo "$root/.env"; else echo "$root/.env.example"; fi
}

# env_lines FILE: print NUMBER KEY VALUE of each setting, separated by tabs.
env_lines() {
  local line number=0 form='^([A-Za-z_][A-Za-z0-9_]*)=[[:space:]]*(.*[^[:space:]])?[[:space:]]*$'
  while IFS= read -r line || [[ -n $line ]]; do
    number=$((number + 1))
    [[ ! $line =~ $form ]] || printf '%s\t%s\t%s\n' "$number" "${BASH_REMATCH[@]:1:2}"
  done <"$1"
}

trimmed() {
  local text=$1
  text=${text#"${text%%[![:space:]]*}"}
  printf '%s' "${text%"${text##*[![:space:]]}"}"
}

# env_get FILE KEY: print the value; nothing if it is empty or not set. The last line wins.
env_get() {
  local line value=''
  while IFS= read -r line || [[ -n $line ]]; do
    [[ $line != "$2="* ]] || value=${line#*=}
  done <"$1"
  trimmed "$value"
}

# setting KEY: print its value in .env, else its default in .env.example.
setting() {
  local file
  file=$(settings_file)
  if grep -q "^$1=" "$file"; then env_get "$file" "$1"; else env_get "$root/.env.example" "$1"; fi
}

# where FILE KEY: print ".env line 14", for messages.
where() {
  local number
  number=$(sed -n "/^$2=/=" "$1" | tail -n 1)
  printf '%s' "${1##*/}${number:+ line $number}"
}

# replace_file FILE: replace FILE by the standard input in one step, keeping its owner and mode, even if the
# mode lets nobody write.
replace_file() {
  local file=$1 new=$1.new
  cp -p -- "$file" "$new"
  # Joined by &&, because errexit may be off: on a full disk the former content stays.
  chmod u+w -- "$new" && cat >"$new" && chmod --reference="$file" -- "$new" && mv -- "$new" "$file"
}

# env_set FILE KEY VALUE: change one line, or add it above the block of deploy.sh.
env_set() {
  local file=$1 key=$2 value=$3 line text='' written=no mark=$block_mark
  ! grep -q "^$key=" "$file" || mark="$key="
  while IFS= read -r line || [[ -n $line ]]; do
    if [[ $line == "$key="* ]] || [[ $line == "$mark" && $written == no ]]; then
      [[ $written == yes ]] || text+="$key=$value"$'\n'
      written=yes
    fi
    [[ $line == "$key="* ]] || text+=$line$'\n'
  done <"$file"
  [[ $written == yes ]] || text+="$key=$value"$'\n'
  printf '%s' "$text" | replace_file "$file"
}

# write_block FILE KEY=VALUE...: replace the block of deploy.sh at the end of FILE.
# Lines that somebody added below the mark are moved above it.
write_block() {
  local file=$1 line text='' keys
  shift
  keys=$'\n'$(block_keys)$'\n'
  while IFS= read -r line || [[ -n $line ]]; do
    [[ $line == "$block_mark" || $keys == *$'\n'"${line%%=*}"$'\n'* ]] || text+=$line$'\n'
  done <"$file"
  while [[ $text == *$'\n\n' ]]; do text=${text%$'\n'}; done
  {
    printf '%s\n%s\n' "$text" "$block_mark"
    printf '%s\n' "$@"
  } | replace_file "$file"
}

# Print the names of the settings that only deploy.sh writes.
block_keys() {
  sed "1,/^$block_mark\$/d" "$root/.env.example" | sed -n 's/^\([A-Z0-9_]*\)=.*/\1/p'
}

# Compose prefers variables of the shell to those of .env. So unset ours, and those that change what Compose
# reads, prints and builds.
use_settings_file_alone() {
  local key
  while IFS=$'\t' read -r _ key _; do
    unset "$key"
  done < <(env_lines "$root/.env.example")
  unset "${!COMPOSE_@}" BUILDX_BUILDER DOCKER_DEFAULT_PLATFORM
}
