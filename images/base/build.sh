#!/usr/bin/env bash
# Make the base of the packages images: a small Debian as a root file system in a tar on stdout.
#
# Usage: images/base/build.sh RELEASE ARCHITECTURE MIRROR SECURITY_MIRROR CA_BUNDLE
#
# SECURITY_MIRROR and CA_BUNDLE may be empty. The bundle is used for mirrors behind TLS and is not in
# the result. Needs root and debootstrap. The story goes to stderr.
# Exit codes: 0 done, 1 a step failed, 2 bad arguments.
set -Eeuo pipefail
shopt -s inherit_errexit

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

main() {
  if (($# != 5)); then
    echo "usage: images/base/build.sh RELEASE ARCHITECTURE MIRROR SECURITY_MIRROR CA_BUNDLE" >&2
    exit 2
  fi
  local release=$1 architecture=$2 mirror=$3 security=$4 bundle=$5
  # An older debootstrap does not know the release by name; what it does for sid is the same.
  local script=/usr/share/debootstrap/scripts/$release
  [[ -e $script ]] || script=${script%/*}/sid

  # /tmp is often mounted nodev or noexec, where debootstrap cannot work.
  work=$(mktemp -d -p /var/tmp locust-fleet-base.XXXXXX)
  trap 'rm -rf --one-file-system -- "$work"' EXIT
  # Not 0700, as mktemp leaves it: this becomes / of the image.
  chmod 755 "$work"

  # tzdata and certificates are in all official images, so our services may expect them.
  debootstrap --variant=minbase --arch="$architecture" --include=ca-certificates,tzdata \
    "$release" "$work" "$mirror" "$script" >&2
  write_apt_settings "$release" "$mirror" "$security"
  remove_what_no_container_reads
  upgrade "$bundle"
  tar --create --numeric-owner --directory "$work" .
}

write_apt_settings() {
  local release=$1 mirror=$2 security=$3
  {
    printf 'deb %s %s main\n' "$mirror" "$release"
    [[ -z $security ]] || printf 'deb %s %s-security main\n' "$security" "$release"
  } >"$work/etc/apt/sources.list"
  # Syncing every file to disk only helps a machine that may lose power half-way.
  echo force-unsafe-io >"$work/etc/dpkg/dpkg.cfg.d/unsafe-io"
  # localedef needs the one file of /usr/share/locale.
  cat >"$work/etc/dpkg/dpkg.cfg.d/slim" <<-'SETTINGS'
	path-exclude /usr/share/doc/*
	path-exclude /usr/share/info/*
	path-exclude /usr/share/locale/*
	path-exclude /usr/share/man/*
	path-include /usr/share/locale/locale.alias
	SETTINGS
  # Packages must not start their services while an image is built.
  install -m 755 /dev/stdin "$work/usr/sbin/policy-rc.d" <<-'SCRIPT'
	#!/bin/sh
	exit 101
	SCRIPT
  install -m 755 "$here/install-packages" "$here/busybox-root" "$work/usr/local/sbin/"
}

remove_what_no_container_reads() {
  local folder
  for folder in usr/share/{doc,info,man} var/cache/apt var/lib/apt/lists var/log; do
    find "$work/$folder" -mindepth 1 -not -type d -delete
  done
  find "$work/usr/share/locale" -mindepth 1 -not -name locale.alias -not -type d -delete
  # Left by debootstrap: they describe the machine it ran on.
  rm -f "$work/etc/hostname" "$work/var/log/"*.log
}

# The mirror's release is a point release; what came since, security fixes above all, is newer.
upgrade() {
  local bundle=$1
  [[ -z $bundle ]] || install -D -m 444 "$bundle" "$work/run/secrets/ca"
  chroot "$work" install-packages >&2
  rm -rf "$work/run/secrets"
  : >"$work/etc/resolv.conf"
}

main "$@"
