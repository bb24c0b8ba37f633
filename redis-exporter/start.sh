#!/bin/sh
# Start the exporter with the password of Redis, which is then in no file that the engine shows.
set -eu
REDIS_PASSWORD=$(cat /run/secrets/redis_password)
export REDIS_PASSWORD
exec /redis_exporter
