#!/bin/sh
# Start Redis with the password of its secret file. The settings go in through the standard input,
# so the password is in no process list and in no file; its hash is all that Redis needs.
set -eu

hash=$(tr -d '\r\n' </run/secrets/redis_password | sha256sum | cut -d ' ' -f 1)

exec redis-server - <<SETTINGS
$(cat /etc/redis/redis.conf)
port ${REDIS_PORT:?}
user default on #$hash ~* &* +@all
SETTINGS
