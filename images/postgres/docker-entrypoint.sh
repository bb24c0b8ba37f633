#!/usr/bin/env bash
# Start Postgres; with an empty PGDATA, first make a cluster with the database and user of the
# POSTGRES_* variables, and run what is in /docker-entrypoint-initdb.d.
# shellcheck disable=SC2154  # variables of the image and of who runs it
set -Eeuo pipefail
shopt -s inherit_errexit nullglob

main() {
  [[ ${1-} != -* ]] || set -- postgres "$@"
  if [[ ${1-} != postgres ]] || asks_for_help "$@"; then
    exec "$@"
  fi

  mkdir -p "$PGDATA"
  if [[ $(id -u) == 0 ]]; then
    find "$PGDATA" /run/postgresql ! -user postgres -exec chown postgres:postgres {} +
    exec setpriv --reuid postgres --regid postgres --init-groups "${BASH_SOURCE[0]}" "$@"
  fi
  chmod 3775 /var/run/postgresql || true
  # Postgres refuses a folder that others can read; a volume of somebody else's we cannot change.
  chmod 700 "$PGDATA" || true

  [[ -s $PGDATA/PG_VERSION ]] || make_cluster "${@:2}"
  unset POSTGRES_PASSWORD
  exec "$@"
}

asks_for_help() {
  local argument
  for argument; do
    case $argument in
      -'?' | --help | --describe-config | -V | --version) return 0 ;;
      *) ;;
    esac
  done
  return 1
}

# make_cluster [SERVER OPTION...]
make_cluster() {
  from_file POSTGRES_PASSWORD ''
  from_file POSTGRES_USER postgres
  from_file POSTGRES_DB "$POSTGRES_USER"
  from_file POSTGRES_INITDB_ARGS ''
  local method=${POSTGRES_HOST_AUTH_METHOD:-} options
  if [[ -z $POSTGRES_PASSWORD && $method != trust ]]; then
    echo "postgres: error: POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are not set" >&2
    exit 1
  fi

  # As in the official image, the options are words in shell syntax.
  eval "options=($POSTGRES_INITDB_ARGS)"
  initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") \
    ${POSTGRES_INITDB_WALDIR:+--waldir="$POSTGRES_INITDB_WALDIR"} "${options[@]}"
  # A start that is cut short must not leave a cluster that looks whole.
  trap 'rm -rf -- "${PGDATA:?}"/*' EXIT
  # As the official image does, which asks the server with all its options: they must be good here too.
  method=${method:-$(postgres -C password_encryption "$@")}
  printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"

  # Nobody else can connect until everything is in place.
  PGUSER=$POSTGRES_USER pg_ctl --wait --options "$(printf '%q ' "$@" -c listen_addresses=)" start
  [[ $POSTGRES_DB == postgres ]] ||
    sql postgres --set=name="$POSTGRES_DB" <<<'CREATE DATABASE :"name"'
  local file
  for file in /docker-entrypoint-initdb.d/*; do
    run_init_file "$file"
  done
  PGUSER=$POSTGRES_USER pg_ctl --wait --mode=fast stop
  trap - EXIT
}

# from_file NAME DEFAULT: take NAME, the content of the file NAME_FILE, or the default; export it.
from_file() {
  local name=$1 file=$1_FILE value=$2
  if [[ -n ${!name-} && -n ${!file-} ]]; then
    echo "postgres: error: $name and $file are both set; keep one of them" >&2
    exit 1
  fi
  if [[ -n ${!file-} ]]; then value=$(<"${!file}"); else value=${!name:-$value}; fi
  export "$name=$value"
  unset "$file"
}

# sql DATABASE [PSQL OPTION...]
sql() {
  local database=$1
  shift
  PGHOST='' psql --no-psqlrc --no-password --set=ON_ERROR_STOP=1 --quiet \
    --username="$POSTGRES_USER" --dbname="$database" "$@"
}

run_init_file() {
  local file=$1
  echo "postgres: running $file"
  # shellcheck source=/dev/null
  case $file in
    *.sql) sql "$POSTGRES_DB" --file="$file" ;;
    *.sql.gz) gunzip --stdout "$file" | sql "$POSTGRES_DB" ;;
    *.sh) if [[ -x $file ]]; then "$file"; else . "$file"; fi ;;
    *) echo "postgres: ignoring $file" ;;
  esac
}

main "$@"
