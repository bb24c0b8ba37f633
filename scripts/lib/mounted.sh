# Processes read what is mounted into their containers when they start, and Compose does not look
# into it. So each service has a label with a hash of what it reads: then Compose recreates just
# what changed, and `up --scale` by hand recreates nothing.

# A service, and the paths that its processes read at start. Not here: the certificate, which nginx
# reads again, and the password of Postgres, which is in its database.
readonly mounted='
nginx nginx secrets/front_secret
console conf/gunicorn.py secrets/alert_token secrets/front_secret secrets/redis_password secrets/session_key
notifier secrets/alert_webhook_url secrets/slack_webhook_url secrets/dingtalk_webhook_url secrets/dingtalk_secret secrets/feishu_webhook_url secrets/feishu_secret secrets/webhook_url secrets/webhook_secret secrets/smtp_password
migrate postgres/migrations secrets/reader_password
locust-master conf/production.conf locustfiles secrets/target_ca.pem secrets/scenario secrets/front_secret secrets/redis_password
locust-worker conf/production.conf locustfiles secrets/target_ca.pem secrets/scenario secrets/redis_password
demo-target conf/gunicorn_demo.py
redis redis secrets/redis_password
postgres postgres/postgresql.conf
'
readonly mounted_by_monitoring='
prometheus prometheus
alertmanager alertmanager secrets/alert_token
redis-exporter redis-exporter secrets/redis_password
postgres-exporter postgres-exporter secrets/reader_password
grafana grafana/grafana.ini grafana/provisioning grafana/dashboards secrets/reader_password
'

# Print a Compose file with the labels of all services.
mounted_labels() {
  local service paths
  echo '# Written by deploy.sh: what each service read when it started.'
  echo 'services:'
  while read -r service paths; do
    # shellcheck disable=SC2086  # several paths
    [[ -z $service ]] || mounted_label "$service" $paths
  done < <(
    printf '%s\n' "$mounted"
    [[ $(setting MONITORING_ENABLED) == false ]] || printf '%s\n' "$mounted_by_monitoring"
  )
}

# refreshed_labels FILE SERVICE...: print FILE with new labels of these services alone.
refreshed_labels() {
  local file=$1 line service
  shift
  while IFS= read -r line; do
    for service; do
      [[ $line != "  $service: "* ]] || line=$(mounted_labels | grep "^  $service: ")
    done
    printf '%s\n' "$line"
  done <"$file"
}

# mounted_label SERVICE PATH...
mounted_label() {
  printf '  %s: {labels: {fleet.mounted: "%s"}}\n' "$1" "$(mounted_hash "${@:2}")"
}

# The session key makes the hash say nothing about a password.
mounted_hash() (
  cd -- "$root" || exit
  {
    cat secrets/session_key
    find "$@" -name __pycache__ -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
  } | sha256sum | cut -c 1-16
)
