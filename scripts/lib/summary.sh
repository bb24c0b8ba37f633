# Print what an operator needs after a deployment.

summary() {
  local host port
  host=$(setting ALLOWED_HOSTS)
  host=${host%%,*}
  case $host in
    *'*'* | '') host=localhost ;;
    *) ;;
  esac
  if [[ $host == localhost ]]; then host=$(local_name "$(setting BIND_ADDRESS)"); fi
  port=$(setting HTTPS_PORT)
  cat <<END
URL       https://$host$([[ $port == 443 ]] || printf ':%s' "$port")/
User      $(cut -d : -f 1 "$secrets_dir/web_auth") (the first admin)
Password  the part after the colon in secrets/web_auth
Workers   $(setting LOCUST_WORKERS)
Version   $(setting VERSION)
END
}

local_name() {
  case $1 in
    0.0.0.0 | 127.0.0.1) echo localhost ;;
    *) printf '%s\n' "$1" ;;
  esac
}
