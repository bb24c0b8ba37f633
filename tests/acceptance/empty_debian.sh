#!/usr/bin/env bash
# Make the image of a new machine: an empty Debian that gets packages the way this machine does.
#
# Usage: tests/acceptance/empty_debian.sh
#
# Mirrors, proxies, the package index of pip and the certificates that they need are those of this
# machine. An image that is there is kept; remove it to have a newer one. Needs root.
# Exit codes: 0 done, 1 a step failed.
set -Eeuo pipefail
shopt -s inherit_errexit

# shellcheck source-path=SCRIPTDIR source=../../scripts/lib/common.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/../../scripts/lib/common.sh"
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib/engine.sh
source "$root/scripts/lib/engine.sh"
# shellcheck source-path=SCRIPTDIR source=../../scripts/lib/images.sh
source "$root/scripts/lib/images.sh"

readonly image=locust-fleet/empty-debian:bookworm release=bookworm
readonly certificates=/etc/ssl/certs/ca-certificates.crt

main() {
  ! image_is_there "$image" || return 0
  ensure_debootstrap install
  local mirror
  mirror=$(mirror_of_release)
  # /tmp is often mounted nodev or noexec, where debootstrap cannot work.
  work=$(mktemp -d -p /var/tmp locust-fleet-empty.XXXXXX)
  trap 'rm -rf --one-file-system -- "$work" "$work.log"' EXIT
  chmod 755 "$work"

  log "building $image from $mirror"
  if ! debootstrap --variant=minbase "$release" "$work" "$mirror" >"$work.log" 2>&1; then
    tail -n 20 "$work.log" >&2
    die 1 "an empty Debian could not be made from $mirror; the reason is above"
  fi
  write_apt_settings "$mirror"
  copy_certificates
  import_image
}

mirror_of_release() {
  local uri
  for uri in "$(image_setting DEBIAN_MIRROR)" $(apt_repositories); do
    if [[ -n $uri ]] && has_release "$uri" "$release" Debian; then
      printf '%s\n' "${uri%/}"
      return
    fi
  done
  die 1 "apt on this machine knows no mirror of Debian $release; set DEBIAN_MIRROR in .env"
}

# write_apt_settings MIRROR: the usual sources, and what this machine needs to reach them.
write_apt_settings() {
  local mirror=$1 security
  security=$(debian_security_mirror "$mirror")
  {
    printf 'deb %s %s main\n' "$mirror" "$release" "$mirror" "$release-updates"
    [[ -z $security ]] || printf 'deb %s %s-security main\n' "$security" "$release"
  } >"$work/etc/apt/sources.list"
  # Most machines have no such settings.
  apt-config dump | grep -E '^Acquire::(https?::|Retries|Check-)' \
    >"$work/etc/apt/apt.conf.d/90-as-outside" || true
}

# The bundle is made anew, from Debian's and the local ones, when ca-certificates is installed.
copy_certificates() {
  local bundle local_ones=/usr/local/share/ca-certificates
  bundle=$(ca_bundle)
  [[ -z $bundle ]] || install -D -m 644 "$bundle" "$work$certificates"
  [[ ! -d $local_ones ]] || cp -r "$local_ones" "$work${local_ones%/*}"
}

import_image() {
  local name
  local -a changes=(--change "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
  export PIP_INDEX_URL PIP_CERT=$certificates SSL_CERT_FILE=$certificates
  PIP_INDEX_URL=$(pip_index_url)
  for name in {http,https,no}_proxy {HTTP,HTTPS,NO}_PROXY PIP_INDEX_URL PIP_CERT SSL_CERT_FILE; do
    [[ -z ${!name:-} ]] || changes+=(--change "ENV $name=\"${!name}\"")
  done
  tar --create --numeric-owner --directory "$work" . |
    docker import "${changes[@]}" - "$image" >/dev/null
}

main "$@"
