# Where the images come from: the registry, or Debian's packages when the registry lacks some.
# Sourced after common.sh and engine.sh. Every function prints its result on stdout, and logs on stderr.
#
# shellcheck shell=bash
# shellcheck disable=SC2154  # root is set by common.sh
source "$root/scripts/lib/registry.sh"

readonly debian_release=trixie
# The label that says which files an image was built from.
readonly inputs_label=fleet.inputs
# Debian has no package of it: without a registry the stack leaves it out, unless the image is here already.
readonly official_only=GRAFANA_IMAGE
readonly monitoring_images='PROMETHEUS_IMAGE ALERTMANAGER_IMAGE NODE_EXPORTER_IMAGE REDIS_EXPORTER_IMAGE
POSTGRES_EXPORTER_IMAGE NGINX_EXPORTER_IMAGE GRAFANA_IMAGE'

# ensure_third_party_images auto|registry|packages [install|no-install]
# Get all third-party images, and print their source: registry or packages. `auto` builds all from Debian's
# packages if the registry lacks one; a deployed stack keeps its source. `install` allows to install
# debootstrap, which building needs.
ensure_third_party_images() {
  local wanted=$1 install=${2:-install} in_use=''
  local remedy="repeat later, load what is missing with 'docker load', or set IMAGE_SOURCE=packages in .env"
  case $wanted in
    registry) pull_missing_images || die 1 "not all images could be pulled; $remedy" ;;
    packages) build_packages_images "$install" >&2 ;;
    auto)
      in_use=$(image_source_in_use)
      if [[ $in_use == packages ]]; then
        wanted=packages
      elif pull_missing_images; then
        wanted=registry
      elif [[ $in_use == registry ]]; then
        die 1 "this stack runs on images of the registry, and not all could be pulled; $remedy"
      else
        log "building all third-party images from Debian's packages"
        wanted=packages
      fi
      [[ $wanted == registry ]] || build_packages_images "$install" >&2
      ;;
    *) die 2 "IMAGE_SOURCE is '$wanted'; use auto, registry or packages" ;;
  esac
  printf '%s\n' "$wanted"
}

# third_party_images registry|packages
# Print NGINX_IMAGE=..., one line for each third-party image. The list is that of .env.example.
third_party_images() {
  local source=$1 variable image
  while IFS='=' read -r variable image; do
    if [[ $source == packages && $variable != "$official_only" ]]; then
      image=locust-fleet/$(image_folder "$variable"):packages
    fi
    printf '%s=%s\n' "$variable" "$image"
  done < <(sed -n '/^[A-Z_]*_IMAGE=/{/=locust-fleet\//!p;}' "$root/.env.example")
}

# needed_images registry|packages: print the same list, without images that this deployment leaves out.
needed_images() {
  local line enabled
  enabled=$(image_setting MONITORING_ENABLED)
  while IFS= read -r line; do
    [[ $enabled != false || $'\n'${monitoring_images// /$'\n'}$'\n' != *$'\n'"${line%%=*}"$'\n'* ]] || continue
    printf '%s\n' "$line"
  done < <(third_party_images "$1")
}

# build_our_images VERSION [PYTHON_IMAGE [LOCUST_IMAGE [CONSOLE_IMAGE]]]
# Build both images of Dockerfile.production. The names default to those in .env.
build_our_images() {
  local version=$1 python locust console
  python=${2:-$(image_setting PYTHON_IMAGE)}
  locust=${3:-$(image_setting LOCUST_IMAGE)}
  console=${4:-$(image_setting CONSOLE_IMAGE)}

  local -a common=(--file "$root/Dockerfile.production"
    --build-arg "PYTHON_IMAGE=$python"
    --build-arg "VERSION=$version"
    --build-arg "REVISION=$(repository rev-parse HEAD 2>/dev/null || echo unknown)")
  local index
  index=$(pip_index_url)
  [[ -z $index ]] || common+=(--secret "id=pip_index,env=FLEET_PIP_INDEX")
  FLEET_PIP_INDEX=$index run_build "$locust" "${common[@]}" --target locust "$root"
  FLEET_PIP_INDEX=$index run_build "$console" "${common[@]}" --target console "$root"
}

# --- choosing ---

# Print the source of the images of the last good deployment, or nothing.
image_source_in_use() {
  [[ -e $root/.deploy/deployed/.env ]] || return 0
  case $(image_setting NGINX_IMAGE .deploy/deployed/.env) in
    locust-fleet/*:packages) echo packages ;;
    *) echo registry ;;
  esac
}

image_is_there() { docker image inspect "$1" >/dev/null 2>&1; }

# image_setting NAME [FILE]: print a value of .env, or of .env.example where .env has none.
image_setting() {
  local name=$1 file value=''
  for file in "${2:-.env}" .env.example; do
    [[ -f $root/$file ]] || continue
    value=$(sed -n "s/^$name=//p" "$root/$file" | tail -n 1)
    [[ -z $value ]] || break
  done
  printf '%s\n' "$value"
}

# NODE_EXPORTER_IMAGE is built in images/node-exporter.
image_folder() {
  local name=${1%_IMAGE}
  name=${name,,}
  printf '%s\n' "${name//_/-}"
}

# --- from packages ---

build_packages_images() {
  local install=$1 variable folder
  local -a outdated=()
  while IFS='=' read -r variable _; do
    [[ $variable != "$official_only" ]] || continue
    folder=$(image_folder "$variable")
    image_is_current "$folder" || outdated+=("$folder")
  done < <(needed_images packages)
  ((${#outdated[@]})) || return 0

  image_is_current base || build_base "$install"
  build_in_parallel "${outdated[@]}"
}

# Some unpack packages while others download, so building all at once is faster than one by one.
build_in_parallel() {
  local folder job failed=0
  local -a jobs=()
  for folder; do
    build_packages_image "$folder" &
    jobs+=("$!")
  done
  for job in "${jobs[@]}"; do
    wait "$job" || failed=1
  done
  ((failed == 0)) || die 1 "not all images could be built from packages; the reason is above"
}

build_packages_image() {
  local folder=$1
  run_build "locust-fleet/$folder:packages" --label "$inputs_label=$(inputs_hash "$folder")" \
    "$root/images/$folder"
}

# image_is_current FOLDER: succeeds if the image is here and was built from the present files in images/.
image_is_current() {
  local built
  built=$(docker image inspect --format "{{index .Config.Labels \"$inputs_label\"}}" \
    "locust-fleet/$1:packages" 2>/dev/null) || return 1
  [[ $built == "$(inputs_hash "$1")" ]]
}

# inputs_hash FOLDER: print a hash of all files an image is built from, including those of base.
inputs_hash() (
  cd -- "$root/images" || return
  [[ -d $1 ]] || die 1 "images/$1 does not exist, so $1 cannot be built from packages"
  {
    echo "$debian_release"
    find base "$1" -type f -print0 | LC_ALL=C sort -zu | xargs -0 sha256sum
  } | sha256sum | cut -d ' ' -f 1
)

# A subshell, so that its temporary files are removed however it ends.
build_base() (
  local install=$1 mirror security architecture work started=$SECONDS
  ensure_debootstrap "$install"
  mirror=$(debian_mirror)
  security=$(debian_security_mirror "$mirror")
  architecture=$(docker version --format '{{.Server.Arch}}')

  log "building locust-fleet/base:packages: Debian $debian_release from $mirror"
  work=$(mktemp -d -p /var/tmp locust-fleet-base.XXXXXX)
  trap 'rm -rf -- "$work"' EXIT
  if ! "$root/images/base/build.sh" "$debian_release" "$architecture" "$mirror" "$security" \
    "$(ca_bundle)" >"$work/root.tar" 2>"$work/words"; then
    tail -n 20 "$work/words" >&2
    die 1 "the base image could not be built from $mirror; the reason is above"
  fi
  docker import --change "LABEL $inputs_label=$(inputs_hash base)" "$work/root.tar" \
    locust-fleet/base:packages >/dev/null
  log "built locust-fleet/base:packages in $((SECONDS - started)) s"
)

ensure_debootstrap() {
  local install=$1
  ((EUID == 0)) || die 1 "building images from packages needs root; run this with sudo"
  ! command -v debootstrap >/dev/null || return 0
  if [[ $install != install ]] || ! command -v apt-get >/dev/null; then
    die 1 "building images from packages needs debootstrap; install it"
  fi
  log "installing debootstrap"
  apt_quietly update
  # debootstrap checks packages against this keyring, which Ubuntu does not install by itself.
  apt_quietly install debootstrap debian-archive-keyring
}

# Print the mirror: DEBIAN_MIRROR of .env, or the first of apt's mirrors that has the release.
debian_mirror() {
  local uri
  uri=$(image_setting DEBIAN_MIRROR)
  if [[ -n $uri ]]; then
    printf '%s\n' "$uri"
    return
  fi
  while read -r uri; do
    if has_release "$uri" "$debian_release" Debian; then
      printf '%s\n' "$uri"
      return
    fi
  done < <(apt_repositories)
  die 1 "apt on this machine knows no mirror of Debian $debian_release; set DEBIAN_MIRROR in .env"
}

# debian_security_mirror MIRROR: print the mirror of security fixes, or nothing.
debian_security_mirror() {
  local uri
  while read -r uri; do
    if has_release "$uri" "$debian_release-security" Debian-Security; then
      printf '%s\n' "$uri"
      return
    fi
  done < <(
    apt_repositories
    # Mirrors keep both side by side; apt of an Ubuntu host knows neither.
    printf '%s-security/\n' "${1%/}"
  )
  log "no mirror of Debian's security fixes found; the images get them with the next point release"
}

apt_repositories() {
  # shellcheck disable=SC2016  # apt fills it in
  ! command -v apt-get >/dev/null || apt-get indextargets --format '$(REPO_URI)' | sort -u
}

# has_release URI SUITE LABEL: asks through apt where it is installed, because of its proxy settings.
has_release() {
  local helper=/usr/lib/apt/apt-helper file
  if [[ ! -x $helper ]]; then
    # debootstrap needs wget anyway.
    wget --quiet --timeout=10 --tries=1 --output-document=- "${1%/}/dists/$2/Release" 2>/dev/null |
      grep -qx "Label: $3"
    return
  fi
  file=$(mktemp)
  if "$helper" download-file "${1%/}/dists/$2/Release" "$file" >/dev/null 2>&1 &&
    grep -qx "Label: $3" "$file"; then
    rm -f "$file"
    return 0
  fi
  rm -f "$file"
  return 1
}

# --- building ---

# run_build IMAGE [OPTION...] CONTEXT
# Build quietly; show the end of the output when it fails.
run_build() {
  local image=$1 started=$SECONDS words bundle variable
  shift
  bundle=$(ca_bundle)
  # The host trusts a proxy that inspects TLS; passed as a secret, its certificate is in no layer.
  [[ -z $bundle ]] || set -- --secret "id=ca,src=$bundle" "$@"

  log "building $image"
  words=$(mktemp)
  # The build cache ignores proxy variables. A named variable without a value would hide the one of the
  # client's configuration.
  for variable in http_proxy https_proxy no_proxy; do
    [[ -z ${!variable:-} ]] || set -- --build-arg "$variable" "$@"
  done
  if ! DOCKER_BUILDKIT=1 docker build --progress plain --tag "$image" "$@" >"$words" 2>&1; then
    tail -n 30 "$words" >&2
    rm -f "$words"
    die 1 "$image could not be built; the reason is above"
  fi
  rm -f "$words"
  log "built $image in $((SECONDS - started)) s"
}

# Print the certificates that the host trusts.
ca_bundle() {
  local bundle
  for bundle in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt \
    /etc/pki/tls/certs/ca-bundle.crt; do
    if [[ -s $bundle ]]; then
      printf '%s\n' "$bundle"
      return
    fi
  done
}

# Print the package index that the host's pip uses, if it is not the public one and containers can reach it.
pip_index_url() {
  local url=${PIP_INDEX_URL:-}
  if [[ -z $url ]] && command -v pip >/dev/null; then
    url=$(pip config get global.index-url 2>/dev/null) || url=''
  fi
  [[ $url != http* ]] || printf '%s\n' "$url"
}
