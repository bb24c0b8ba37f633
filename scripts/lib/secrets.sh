# The files in secrets/. Existing files are never replaced, except copies of files that .env names.

readonly secrets_dir=$root/secrets
# Each becomes a file, named in small letters; without a value the file is empty.
readonly notification_secrets=(
  ALERT_WEBHOOK_URL SLACK_WEBHOOK_URL DINGTALK_WEBHOOK_URL DINGTALK_SECRET FEISHU_WEBHOOK_URL
  FEISHU_SECRET WEBHOOK_URL WEBHOOK_SECRET SMTP_PASSWORD
)

# secrets_problems: print what is wrong with the existing files.
secrets_problems() {
  local name file
  for name in web_auth postgres_password reader_password redis_password redis_worker_password \
    front_secret session_key alert_token; do
    file=$secrets_dir/$name
    [[ -e $file ]] || continue
    if [[ ! -f $file ]]; then
      echo "secrets/$name is not a file; remove it"
    elif [[ -r $file && ! -s $file ]]; then
      echo "secrets/$name is empty; write the secret into it, or remove it to have one made"
    elif [[ -r $file ]] && is_placeholder "$(<"$file")"; then
      echo "secrets/$name holds a placeholder; write your own secret into it"
    fi
  done
}

# ensure_secrets FILE: make missing files, with the value in FILE or a random one.
ensure_secrets() {
  local file=$1 web_auth
  (
    umask 077
    mkdir -p "$secrets_dir" "$secrets_dir/scenario"
  )
  chmod 0700 "$secrets_dir"
  # Mounted as a folder, read by the user of our images.
  chmod 0755 "$secrets_dir/scenario"
  ensure_secret front_secret "" 64
  ensure_secret session_key "" 64
  ensure_secret alert_token "" 64
  ensure_secret reader_password "" 32
  ensure_secret postgres_password "$(env_get "$file" POSTGRES_PASSWORD)" 32
  ensure_secret redis_password "$(env_get "$file" REDIS_PASSWORD)" 32
  ensure_secret redis_worker_password "" 32
  ensure_addresses "$file"
  web_auth=$(env_get "$file" LOCUST_WEB_AUTH)
  ensure_secret web_auth "${web_auth:-$(generated_web_auth)}" 0 "$web_auth"
}

# The addresses of channels may change at any time: values in FILE replace the files.
ensure_addresses() {
  local file=$1 key name value
  for key in "${notification_secrets[@]}"; do
    name=${key,,}
    value=$(env_get "$file" "$key")
    if [[ ! -e $secrets_dir/$name || (-n $value && $value != "$(<"$secrets_dir/$name")") ]]; then
      printf '%s' "$value" | put_secret "$name"
    fi
  done
}

# ensure_secret NAME VALUE DIGITS [GIVEN]: an empty VALUE stands for DIGITS random hexadecimal digits.
ensure_secret() {
  local name=$1 value=$2 file=$secrets_dir/$1 given=${4-$2}
  if [[ -e $file ]]; then
    [[ -z $given || $given == "$(<"$file")" ]] ||
      log "warning: secrets/$name differs from .env and is not changed; see docs/operations.md"
    return
  fi
  printf '%s' "${value:-$(random_hex "$3")}" | put_secret "$name"
}

# put_secret NAME: write the standard input to the file.
# An existing file keeps its inode, because containers have it mounted.
put_secret() {
  local file=$secrets_dir/$1
  if [[ -e $file ]]; then
    chmod 0644 "$file"
    cat >"$file"
    chmod 0444 "$file"
  else
    # The mode of secrets/ protects it; containers read it under their own user ids.
    (umask 077 && cat >"$file.new")
    chmod 0444 "$file.new"
    mv -- "$file.new" "$file"
  fi
}

random_hex() { head -c "$(($1 / 2))" /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

# A password that can be read out and typed: 4 groups of 6 letters and digits, 117 bits.
generated_web_auth() {
  local letters
  letters=$(head -c 4096 /dev/urandom | LC_ALL=C tr -dc 'a-hjkmnp-z2-9')
  printf 'admin:%s-%s-%s-%s' "${letters:0:6}" "${letters:6:6}" "${letters:12:6}" "${letters:18:6}"
}

# lost_password_problem PROJECT: refuse if the password of an existing database is missing.
lost_password_problem() {
  local there remedy="or delete the database: scripts/stop.sh --delete-data --yes"
  [[ ! -e $secrets_dir/postgres_password ]] || return 0
  docker volume inspect "$1_postgres-data" >/dev/null 2>&1 || return 0
  [[ -z $(setting POSTGRES_PASSWORD) ]] || return 0
  there=$(containers "$1" '' '{{.Label "com.docker.compose.project.working_dir"}}' | sort -u | paste -sd ' ')
  case $there in
    "$root") ;;
    '') remedy="or delete the database: docker volume rm $1_postgres-data" ;;
    *) remedy="or deploy from $there: its containers use the database, and its stop.sh can delete it" ;;
  esac
  echo "secrets/postgres_password is missing, but the volume $1_postgres-data holds a database with that" \
    "password, with all runs and accounts; put the file back, set POSTGRES_PASSWORD in .env, $remedy"
}

# SELinux lets containers read only files that are labelled for them; Compose labels the other mounts.
label_secrets() {
  if has getenforce && [[ $(getenforce) == Enforcing ]]; then
    chcon -Rt container_file_t "$secrets_dir"
    log "labelled secrets/ as container_file_t for SELinux"
  fi
}
