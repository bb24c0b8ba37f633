#!/bin/sh
# Run what is in /docker-entrypoint.d, in the order of the names, and then nginx.
# *.envsh is sourced and *.sh is run; both must be executable. As in the official image, this is a
# process of its own: what one exports reaches those after it, and not nginx.
set -e

say() {
  [ -n "${NGINX_ENTRYPOINT_QUIET_LOGS:-}" ] || echo "$0: $*"
}

if [ "${1-}" = nginx ]; then
  find /docker-entrypoint.d/ -follow -type f | sort -V | while read -r part; do
    case $part in
      *.envsh | *.sh) [ -x "$part" ] || { say "ignoring $part, not executable" && continue; } ;;
      *) say "ignoring $part" && continue ;;
    esac
    say "running $part"
    # shellcheck source=/dev/null
    case $part in
      *.envsh) . "$part" ;;
      *) "$part" ;;
    esac
  done
  say "configuration complete; ready for start up"
fi

exec "$@"
