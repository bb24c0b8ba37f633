#!/bin/sh
# Start Redis as the user redis. Arguments may be options or a configuration file alone.
set -eu

case ${1-} in
  -* | *.conf) set -- redis-server "$@" ;;
esac

if [ "${1-}" = redis-server ] && [ "$(id -u)" = 0 ]; then
  find . ! -user redis -exec chown redis:redis {} +
  exec setpriv --reuid redis --regid redis --init-groups "$0" "$@"
fi

# The official image is compiled without protected mode, which refuses other containers as long as
# there is no password. Who brings a configuration decides it there.
if [ "${1-}" = redis-server ]; then
  case " $* " in
    *" --protected-mode "* | *" - "* | *.conf*) ;;
    *) set -- "$@" --protected-mode no ;;
  esac
fi

umask 0077
exec "$@"
