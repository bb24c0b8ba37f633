#!/bin/sh
# Start the exporter with the password of Redis for this address alone: whoever reaches /scrape may name
# another one, and a password in the environment would be sent there.
set -eu
umask 077
quoted=$(sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' /run/secrets/redis_password)
printf '{"%s": "%s"}' "${REDIS_ADDR:?}" "$quoted" >/tmp/passwords.json
exec /redis_exporter -redis.password-file=/tmp/passwords.json
