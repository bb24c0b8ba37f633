#!/bin/sh
# Install packages with what the host knows about the way to them.
[ ! -s /run/secrets/ca ] || export PIP_CERT=/run/secrets/ca
[ ! -s /run/secrets/pip_index ] || {
  PIP_INDEX_URL=$(cat /run/secrets/pip_index)
  export PIP_INDEX_URL
}
exec pip --disable-pip-version-check "$@"
