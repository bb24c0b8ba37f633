#!/bin/sh
# Start the exporter, which cannot find out by itself whether the server wants TLS. The bundled server has no
# TLS; this asks another one as any client does: with SSLRequest, which it answers with S or N.
set -eu

host=${POSTGRES_HOST:?} port=${POSTGRES_PORT:?} mode=disable
while [ "$host" != postgres ]; do
  answer=$(printf '\000\000\000\010\004\322\026\057' | nc -w 3 "$host" "$port" | head -c 1) || answer=
  case $answer in
    S) mode=require && break ;;
    N) break ;;
    *) echo "postgres-exporter: $host:$port does not answer; trying again" >&2 ;;
  esac
  sleep 2
done

export DATA_SOURCE_URI="$host:$port/${POSTGRES_DB:?}?sslmode=$mode&connect_timeout=3"
exec /bin/postgres_exporter --no-collector.wal --no-collector.statio_user_tables
