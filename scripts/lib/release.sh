# The version to deploy, and its images.

# The names of images that were built here, to remove those that are no longer needed.
readonly built_images=$root/.deploy/built

# Print the version of the checkout as it is.
checkout_version() { repository describe --tags --always --dirty 2>/dev/null || echo unversioned; }

# version_problem VERSION
version_problem() {
  local version=$1 changed
  [[ -n $version ]] || return 0
  if ! has git || ! repository rev-parse --git-dir >/dev/null 2>&1; then
    echo "this is not a Git clone, so version $version cannot be checked out; leave the version out"
  elif ! repository rev-parse --verify --quiet "$version^{commit}" >/dev/null; then
    echo "there is no tag or commit '$version' here; see: git tag, or fetch it first"
  else
    changed=$(repository status --porcelain --untracked-files=no | head -n 3 | cut -c 4- | paste -sd ' ')
    [[ -z $changed || $(commit_of HEAD) == "$(commit_of "$version")" ]] ||
      echo "files of this checkout were changed ($changed); commit or undo the changes before deploying $version"
  fi
}

commit_of() { repository rev-parse "$1^{commit}"; }

# Print what is checked out, a branch or a commit, to go back to it.
checked_out() { repository symbolic-ref --quiet --short HEAD || commit_of HEAD; }

# check_out VERSION: mounted files and built images then belong to this version.
check_out() {
  # Running containers read some of the files.
  (umask 022 && repository -c advice.detachedHead=false checkout --quiet "$1") >&2 ||
    die 1 "Git could not check out $1; the reason is above"
}

# build_release PYTHON_IMAGE VERSION PROJECT: print LOCUST_IMAGE=... and CONSOLE_IMAGE=...
# The names carry a hash of the content, so that another stack's build cannot change what this one runs.
build_release() {
  local python=$1 version=$2 project=$3 locust console
  build_our_images "$version" "$python" \
    "locust-fleet/locust:building-$project" "locust-fleet/console:building-$project" >&2
  locust=$(named_by_content locust "$version" "$project")
  console=$(named_by_content console "$version" "$project")
  printf 'LOCUST_IMAGE=%s\nCONSOLE_IMAGE=%s\n' "$locust" "$console"
}

# named_by_content IMAGE VERSION PROJECT
# An image that differs from the one in use only in its version does not cause a restart.
named_by_content() {
  local building=locust-fleet/$1:building-$3 id name
  name=$(setting "${1^^}_IMAGE")
  if [[ $(content_of "$name") != "$(content_of "$building")" ]]; then
    id=$(docker image inspect --format '{{.Id}}' "$building")
    name=locust-fleet/$1:${2//[^A-Za-z0-9_.-]/-}-${id:7:12}
    docker tag "$building" "$name"
    printf '%s\n' "$name" >>"$built_images"
  fi
  docker image rm "$building" >/dev/null
  printf '%s\n' "$name"
}

content_of() {
  local config='{{.Config.Env}} {{.Config.Entrypoint}} {{.Config.Cmd}} {{.Config.Healthcheck}}'
  { docker image inspect --format "{{.RootFS.Layers}} {{.Config.User}} $config" "$1" || true; } \
    2>/dev/null | sed 's/FLEET_VERSION=[^] ]*//'
}

# forget_old_images: remove images that were built here and that no kept deployment uses.
forget_old_images() {
  local name
  [[ -e $built_images ]] || return 0
  while read -r name; do
    if grep -qsF "$name " "$root"/.deploy/{deployed,previous}/images; then
      echo "$name"
    else
      # Another stack may use it.
      docker image rm "$name" >/dev/null 2>&1 || true
    fi
  done < <(sort -u "$built_images") >"$built_images.new"
  mv -- "$built_images.new" "$built_images"
}
