# Decide whether a settings file is right. Reads only that file and .env.example.

# settings_problems FILE: print one sentence for each problem.
settings_problems() {
  local file=$1 name=${1##*/} number key value problem known
  local -A seen=()
  line_problems "$file"
  known=$(sed -n 's/^\([A-Z0-9_]*\)=.*/\1/p' "$root/.env.example")
  while IFS=$'\t' read -r number key value; do
    if [[ -n ${seen[$key]:-} ]]; then
      problem="$key is set twice; keep one of the lines ${seen[$key]} and $number"
    else
      problem=$(form_problem "$key" "$value")
      [[ -n $problem ]] || problem=$(setting_problem "$key" "$value" "$known")
    fi
    seen[$key]=$number
    [[ -z $problem ]] || printf '%s (%s line %s)\n' "$problem" "$name" "$number"
  done < <(env_lines "$file")
  relation_problems "$file"
}

# Lines that are neither a setting nor a comment.
line_problems() {
  local line number=0 name=${1##*/}
  while IFS= read -r line || [[ -n $line ]]; do
    number=$((number + 1))
    case $line in
      *$'\r')
        printf '%s\n' "$name has Windows line ends; convert it with: sed -i 's/\r\$//' $name"
        return
        ;;
      '' | '#'*) ;;
      'export '*) echo "'${line%%=*}' begins with export; write KEY=VALUE ($name line $number)" ;;
      *)
        [[ $line =~ ^[A-Za-z_][A-Za-z0-9_]*= || -z $(trimmed "$line") ]] ||
          echo "'${line:0:40}' is not a setting; write KEY=VALUE ($name line $number)"
        ;;
    esac
  done <"$1"
}

# Values that Compose would read differently.
form_problem() {
  local key=$1 value=$2
  case $value in
    [\'\"]*) echo "$key begins with a quote; write the value as it is" ;;
    *' #'*) echo "$key has a comment behind its value; put it on a line of its own" ;;
    *'$'*)
      echo "$key holds a \$, which Compose would expand; put such a value into a file in secrets/"
      ;;
    *) ;;
  esac
}

# setting_problem KEY VALUE KNOWN: print what is wrong with a value by itself; nothing if it is right.
setting_problem() {
  local key=$1 value=$2 remedy=''
  case $key in
    SCENARIO_?*) ;;
    LOCUST_WEB_AUTH | POSTGRES_PASSWORD | REDIS_PASSWORD) secret_problem "$key" "$value" ;;
    DINGTALK_SECRET | FEISHU_SECRET | WEBHOOK_SECRET | SMTP_PASSWORD)
      secret_problem "$key" "$value"
      ;;
    # Everybody who knows such an address may write to the channel, so it is a secret too.
    *WEBHOOK_URL)
      matches "$value" '(https?://[^[:space:]]+)?' ||
        echo "$key is not an address; use a URL such as https://chat.example/hook, or leave it empty"
      ;;
    *)
      if [[ $'\n'$3$'\n' != *$'\n'"$key"$'\n'* ]]; then
        echo "$key is not a setting; .env.example lists them all"
        return
      fi
      remedy=$(value_remedy "$key" "$value")
      ;;
  esac
  [[ -z $remedy ]] || echo "$key is ${value:-empty}; $remedy"
}

# value_remedy KEY VALUE: print what would be right; nothing if VALUE is right.
value_remedy() {
  local key=$1 value=$2
  case $key in
    HTTP_PORT | HTTPS_PORT | POSTGRES_PORT | REDIS_PORT | SMTP_PORT) whole_remedy "$value" 1 65535 ;;
    SESSION_HOURS) whole_remedy "$value" 1 720 ;;
    HEARTBEAT_INTERVAL) whole_remedy "$value" 1 60 ;;
    HEARTBEAT_LIVENESS) whole_remedy "$value" 2 1000 ;;
    CONNECTION_TIMEOUT) whole_remedy "$value" 1 3600 ;;
    NETWORK_TIMEOUT) whole_remedy "$value" 1 86400 ;;
    DNS_TTL) whole_remedy "$value" 0 86400 ;;
    REBALANCE_INTERVAL) whole_remedy "$value" 10 3600 ;;
    MAX_USERS_PER_WORKER) whole_remedy "$value" 0 1000000 ;;
    WORKER_WEIGHT) [[ -z $value ]] || number_remedy "$value" 10000 ;;
    GHOST_LIMIT) whole_remedy "$value" 5 3600 ;;
    LOCUST_MASTERS) whole_remedy "$value" 1 9 ;;
    MASTER_PRIORITY) whole_remedy "$value" 0 100 ;;
    MAX_WORKERS) whole_remedy "$value" 1 1000 ;;
    MAX_NAMES) whole_remedy "$value" 1 10000 ;;
    LOCUST_WORKERS) whole_remedy "$value" 0 1000 ;;
    METRICS_RETENTION_DAYS) whole_remedy "$value" 1 3650 ;;
    RESULTS_RETENTION_DAYS) whole_remedy "$value" 0 36500 ;;
    ALERT_ERROR_RATE_PERCENT | ALERT_DROPPED_PERCENT | ALERT_CPU_PERCENT)
      number_remedy "$value" 100
      ;;
    ALERT_P95_MS) number_remedy "$value" 3600000 ;;
    ALERT_MIN_RPS) number_remedy "$value" 10000000 ;;
    ALERT_MEMORY_MB) number_remedy "$value" 1000000 ;;
    NOFILE) whole_remedy "$value" 1024 1048576 ;;
    *_MEMORY_LIMIT) memory_remedy "$value" ;;
    *_CPUS) cpus_remedy "$value" ;;
    *) text_remedy "$key" "$value" ;;
  esac
}

text_remedy() {
  local value=$2 form='.*' remedy='' host='[A-Za-z0-9._-]+' url='https?://[^[:space:]]+'
  local file='[A-Za-z0-9_-][A-Za-z0-9._-]*' channel='(slack|dingtalk|feishu|email|webhook)'
  local mail='[^@[:space:],<>]+@[^@[:space:],<>]+'
  case $1 in
    LOCUST_ENV) form=production remedy="use production" ;;
    LOCUST_LOG_LEVEL)
      form='DEBUG|INFO|WARNING|ERROR|CRITICAL'
      remedy="use one of ${form//|/, }"
      ;;
    DISPATCH)
      form='weighted|round_robin|least_loaded' remedy="use weighted, round_robin or least_loaded"
      ;;
    LOG_FORMAT) form='json|text' remedy="use json or text" ;;
    LOG_FILE | MONITORING_ENABLED) form='true|false' remedy="use true or false" ;;
    IMAGE_SOURCE) form='auto|registry|packages' remedy="use auto, registry or packages" ;;
    COMPOSE_PROJECT_NAME)
      form='[a-z0-9][a-z0-9_-]*' remedy="use small letters, digits, - and _"
      ;;
    BIND_ADDRESS)
      form='([0-9]{1,3}\.){3}[0-9]{1,3}'
      remedy="use an IPv4 address of this host, or 0.0.0.0 for all"
      ;;
    ALLOWED_HOSTS)
      form="\\*|(\\*\\.)?$host( *, *(\\*\\.)?$host)*"
      remedy="use host names without port, separated by commas, or *"
      ;;
    LOCUSTFILE)
      form="($file/)*$file\\.py"
      remedy="use the name of a file in locustfiles/, such as demo_shop.py"
      ;;
    TARGET_HOST) form=$url remedy="use a URL such as https://shop.test.example" ;;
    DEBIAN_MIRROR) form="($url)?" remedy="use the URL of a mirror, or leave it empty" ;;
    NOTIFY_CHANNELS)
      form="($channel( *, *$channel)*)?"
      remedy="use some of slack, dingtalk, feishu, email, webhook, separated by commas"
      ;;
    SMTP_HOST) form="($host)?" remedy="use a host name or address, or leave it empty" ;;
    SMTP_SECURITY) form='starttls|tls|none' remedy="use starttls, tls or none" ;;
    SMTP_FROM) form="($mail)?" remedy="use an address such as fleet@example.org" ;;
    SMTP_TO)
      form="($mail( *, *$mail)*)?"
      remedy="use addresses such as jo@example.org, separated by commas"
      ;;
    PUBLIC_URL) form="($url)?" remedy="use a URL such as https://load.example.org" ;;
    POSTGRES_HOST | REDIS_HOST) form=$host remedy="use a host name or address" ;;
    REDIS_WORKER_USER)
      form='([a-z_][a-z0-9_]*)?'
      # The masters use this one, and it may do everything.
      [[ $value != default ]] || form=''
      remedy="use small letters, digits and _, not default, or leave it empty"
      ;;
    POSTGRES_DB | POSTGRES_USER) form='[a-z_][a-z0-9_]*' remedy="use small letters, digits and _" ;;
  esac
  matches "$value" "$form" || echo "$remedy"
}

matches() { [[ $1 =~ ^($2)$ ]]; }

# Without leading zeros, with which Bash would read an octal number.
whole_remedy() {
  matches "$1" '0|[1-9][0-9]{0,8}' && (($1 >= $2 && $1 <= $3)) || echo "use $2 to $3"
}

# number_remedy VALUE HIGHEST
number_remedy() {
  # Bash computes with whole numbers only.
  matches "$1" '(0|[1-9][0-9]{0,7})(\.[0-9]+)?' && { ((${1%.*} < $2)) || [[ $1 == "$2" ]]; } ||
    echo "use a number from 0 to $2"
}

memory_remedy() {
  matches "$1" '[1-9][0-9]{0,5}[MG]' || {
    echo "use a whole number and M or G, such as 2G"
    return
  }
  (($(megabytes "$1") >= 256)) || echo "use at least 256M"
}

# megabytes 2G
megabytes() {
  local number=${1%[MG]}
  if [[ $1 == *G ]]; then echo $((number * 1024)); else echo "$number"; fi
}

cpus_remedy() {
  matches "$1" '[0-9]{1,4}(\.[0-9]{1,2})?' && ! matches "$1" '0+(\.0+)?' ||
    echo "use a number of cores above 0, such as 2 or 0.5"
}

# The sentences never contain a password.
secret_problem() {
  local key=$1 value=$2
  [[ -n $value ]] || return 0
  if [[ $key == LOCUST_WEB_AUTH ]]; then
    web_auth_problem "$key" "$value"
  elif is_placeholder "$value"; then
    echo "$key is a placeholder; use your own password, or leave it empty to have one made"
  fi
}

web_auth_problem() {
  local key=$1 user=${2%%:*} password=${2#*:}
  if [[ $2 != *:* ]] || ! matches "$user" '[A-Za-z0-9._@-]{1,64}'; then
    echo "$key is not user:password; the user has 1 to 64 letters, digits or . _ @ -"
  elif is_placeholder "$password"; then
    echo "$key has a placeholder as its password; use your own, or leave it empty"
  elif ((${#password} < 10 || ${#password} > 200)); then
    echo "$key has a password of ${#password} characters; use 10 to 200"
  elif ((${#user} > 3)) && [[ ${password,,} == *"${user,,}"* ]]; then
    echo "$key has a password that contains the user's name; use another one"
  fi
}

# Values of examples and tutorials are no secrets.
is_placeholder() {
  local text=${1,,}
  text=${text//[-_ .]/}
  case $text in
    *changeme* | *changethis* | *replaceme* | *replacethis* | *yourpassword* | *yoursecret*) ;;
    password | password[0-9]* | passwort | secret | secret[0-9]* | admin | admin[0-9]*) ;;
    example | placeholder | todo | xxx* | 1234* | qwerty* | locust | postgres | redis) ;;
    '<'*'>') ;;
    *) return 1 ;;
  esac
}

# Settings that are right by themselves but do not fit together.
relation_problems() {
  local file=$1 http https cert key
  http=$(env_get "$file" HTTP_PORT)
  https=$(env_get "$file" HTTPS_PORT)
  [[ -z $http || $http != "$https" ]] ||
    echo "HTTP_PORT and HTTPS_PORT are both $http; use two ports ($(where "$file" HTTPS_PORT))"
  cert=$(env_get "$file" SSL_CERT_PATH)
  key=$(env_get "$file" SSL_KEY_PATH)
  [[ -z $cert || -n $key ]] ||
    echo "SSL_CERT_PATH is set and SSL_KEY_PATH is not; set both ($(where "$file" SSL_CERT_PATH))"
  [[ -z $key || -n $cert ]] ||
    echo "SSL_KEY_PATH is set and SSL_CERT_PATH is not; set both ($(where "$file" SSL_KEY_PATH))"
  store_problem "$file" POSTGRES postgres
  store_problem "$file" REDIS redis
}

# deploy.sh cannot make up the password of another store.
store_problem() {
  local file=$1 store=$2 bundled=$3 host
  host=$(env_get "$file" "${store}_HOST")
  [[ -n $host && $host != "$bundled" ]] || return 0
  if [[ -z $(env_get "$file" "${store}_PASSWORD") && ! -s $root/secrets/${bundled}_password ]]; then
    echo "${store}_PASSWORD is empty; set the password of $host ($(where "$file" "${store}_HOST"))"
  fi
}
