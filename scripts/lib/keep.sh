# Keep what a deployment consists of, except its data, to go back to it when the next one fails.

readonly deploy_dir=$root/.deploy
readonly -a kept_folders=(alertmanager conf grafana locustfiles nginx postgres postgres-exporter
  prometheus redis redis-exporter)
readonly -a kept_files=('docker-compose.*.yml' .env .deploy/mounted.yml .deploy/scenario.env)
readonly -a runtime_images=(NGINX_IMAGE REDIS_IMAGE POSTGRES_IMAGE LOCUST_IMAGE CONSOLE_IMAGE DEMO_IMAGE
  PROMETHEUS_IMAGE ALERTMANAGER_IMAGE NODE_EXPORTER_IMAGE REDIS_EXPORTER_IMAGE
  POSTGRES_EXPORTER_IMAGE NGINX_EXPORTER_IMAGE GRAFANA_IMAGE)

# keep_deployed: remember what runs now as .deploy/deployed, and the one before as .deploy/previous.
keep_deployed() {
  copy_deployment "$deploy_dir/deployed.new"
  if diff -rq "$deploy_dir/deployed.new" "$deploy_dir/deployed" >/dev/null 2>&1; then
    rm -rf -- "$deploy_dir/deployed.new"
    return
  fi
  rm -rf -- "$deploy_dir/previous"
  [[ ! -d $deploy_dir/deployed ]] || mv -- "$deploy_dir/deployed" "$deploy_dir/previous"
  mv -- "$deploy_dir/deployed.new" "$deploy_dir/deployed"
}

# keep_scenario LOCUSTFILE: a failed deployment goes back to what run_test.sh has switched to.
keep_scenario() (
  [[ -d $deploy_dir/deployed ]] || return 0
  cd -- "$root" || exit
  cp -a --parents -- locustfiles .deploy/mounted.yml "$deploy_dir/deployed"
  env_set "$deploy_dir/deployed/.env" LOCUSTFILE "$1"
)

# copy_deployment FOLDER
copy_deployment() (
  local folder=$1 image key
  rm -rf -- "$folder"
  # .env may hold passwords.
  umask 077
  mkdir -p -- "$folder"
  cd -- "$root" || exit
  # Without Python's cache, and without files of other users that we cannot read.
  # shellcheck disable=SC2068  # a pattern of names
  find "${kept_folders[@]}" ${kept_files[@]} \( -name __pycache__ -o ! -readable \) -prune -o ! -type d -print0 |
    xargs -0 cp -a --parents --target-directory="$folder" --
  mkdir -p -- "$folder/secrets"
  for key in "${notification_secrets[@]}"; do
    [[ ! -e secrets/${key,,} ]] || cp -a -- "secrets/${key,,}" "$folder/secrets"
  done
  for image in "${runtime_images[@]}"; do
    image=$(env_get .env "$image")
    docker image inspect --format "$image {{.Id}}" "$image" 2>/dev/null || true # not there yet
  done >"$folder/images"
)

# restore_deployed: make the checkout what it was at the last good deployment, and keep the present state in
# .deploy/failed. Folders and files keep their inodes, because containers have them mounted.
restore_deployed() {
  local from=$deploy_dir/deployed folder
  copy_deployment "$deploy_dir/failed"
  for folder in "${kept_folders[@]}"; do
    # New scenarios do no harm.
    [[ $folder == locustfiles ]] || remove_added "$from/$folder" "$root/$folder"
  done
  # Names without ./, which would give the checkout itself the owner and mode of the copy.
  (cd -- "$from" && find . -type f ! -path ./images ! -path './secrets/*' -printf '%P\0' |
    xargs -0 cp -a --force --parents --target-directory="$root" --)
  restore_addresses
  restore_image_names
}

# deploy.sh writes new addresses of channels before anybody has tried them.
restore_addresses() {
  local from=$deploy_dir/deployed/secrets key
  for key in "${notification_secrets[@]}"; do
    [[ ! -e $from/${key,,} ]] || put_secret "${key,,}" <"$from/${key,,}"
  done
}

# remove_added FORMER PRESENT: remove the files of PRESENT that FORMER lacks.
remove_added() {
  local file
  while IFS= read -r -d '' file; do
    [[ -e $1/$file ]] || rm -f -- "$2/$file"
  done < <(find "$2" -type f -printf '%P\0')
}

# Give the images of the last good deployment their names back.
restore_image_names() {
  local name id
  [[ -e $deploy_dir/deployed/images ]] || return 0
  while read -r name id; do
    [[ $(docker image inspect --format '{{.Id}}' "$name" 2>/dev/null) == "$id" ]] ||
      docker tag "$id" "$name" || log "warning: the former image of $name is gone"
  done <"$deploy_dir/deployed/images"
}
