#!/bin/sh
# Start the exporter, which cannot find out by itself whether the server wants TLS. The bundled one has
# none; another one is asked as any client of Postgres asks: SSLRequest, and S or N is the answer.
set -eu

mode=disable
while [ "$POSTGRES_HOST" != postgres ]; do
  answer=$(printf '\000\000\000\010\004\322\026\057' | nc -w 3 "$POSTGRES_HOST" "$POSTGRES_PORT" | head -c 1) || answer=
  case $answer in
    S) mode=require && break ;;
    N) break ;;
    *) echo "postgres-exporter: $POSTGRES_HOST:$POSTGRES_PORT does not answer; trying again" >&2 ;;
  esac
  sleep 2
done

export DATA_SOURCE_URI="$POSTGRES_HOST:$POSTGRES_PORT/$POSTGRES_DB?sslmode=$mode&connect_timeout=3"
exec /bin/postgres_exporter --no-collector.wal --no-collector.statio_user_tables
