#!/bin/sh
# Fill environment variables into /etc/nginx/templates/**/*.template; the result goes to conf.d.
set -eu

from=${NGINX_ENVSUBST_TEMPLATE_DIR:-/etc/nginx/templates}
to=${NGINX_ENVSUBST_OUTPUT_DIR:-/etc/nginx/conf.d}
suffix=${NGINX_ENVSUBST_TEMPLATE_SUFFIX:-.template}

[ -d "$from" ] || exit 0

# Only variables that exist, so that nginx's own ($host) stay as they are.
# shellcheck disable=SC2016  # awk's
known=$(awk -v filter="${NGINX_ENVSUBST_FILTER-}" \
  'BEGIN { for (name in ENVIRON) if (name ~ filter) printf "${%s} ", name }')

find "$from" -follow -type f -name "*$suffix" | while read -r template; do
  filled=$to/${template#"$from"/}
  filled=${filled%"$suffix"}
  mkdir -p "$(dirname "$filled")"
  envsubst "$known" <"$template" >"$filled"
done
