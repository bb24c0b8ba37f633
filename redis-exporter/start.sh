#!/bin/sh
# Start the exporter with the password of Redis for this address only: anybody who reaches /scrape may name
# another address, and the exporter would send a password of the environment there.
set -eu
umask 077
quoted=$(sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' /run/secrets/redis_password)
printf '{"%s": "%s"}' "${REDIS_ADDR:?}" "$quoted" >/tmp/passwords.json
exec /redis_exporter -redis.password-file=/tmp/passwords.json
