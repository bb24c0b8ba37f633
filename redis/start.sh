#!/bin/sh
# Start Redis with the passwords of its secret files. The settings go in through the standard input,
# so no password is in a process list or a file; their hashes are all that Redis needs.
set -eu

hash_of() { tr -d '\r\n' <"/run/secrets/$1" | sha256sum | cut -d ' ' -f 1; }

default=$(hash_of redis_password)
worker=$(hash_of redis_worker_password)

# worker.acl: shared data, reading the lease, and lists outside fleet:*, a pattern for each letter in
# which a name may differ.
exec redis-server - <<SETTINGS
$(cat /etc/redis/redis.conf)
port ${REDIS_PORT:?}
user default on #$default ~* &* +@all
user ${REDIS_WORKER_USER:-worker} on #$worker $(tr '\n' ' ' </etc/redis/worker.acl)
SETTINGS
