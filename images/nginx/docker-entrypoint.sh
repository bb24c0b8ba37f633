#!/bin/sh
# Run what is in /docker-entrypoint.d, in the order of the names, and then nginx.
# *.envsh is sourced, so that it can export variables; *.sh is run; both must be executable.
set -e

if [ "${1-}" = nginx ]; then
  for part in /docker-entrypoint.d/*; do
    [ -x "$part" ] || continue
    # shellcheck source=/dev/null
    case $part in
      *.envsh) . "$part" ;;
      *.sh) "$part" ;;
    esac
  done
fi

exec "$@"
