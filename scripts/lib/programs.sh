# The programs that tests may see: what the base system has, and what test.sh brings. Whatever else
# was installed by hand is missing on the next machine.

# link_programs FOLDER PACKAGE...: link what PATH finds of the base system, of these packages and of
# the engine, which may have been installed by hand.
link_programs() {
  local folder=$1 engine='^docker(d|-init|-proxy|-credential-.*)?$'
  shift
  awk -F '\t' -v engine="$engine" '
    NR == FNR { allowed[$1]; next }
    { name = $2; sub(".*/", "", name) }
    ($1 in allowed || name ~ engine) && !linked[name]++ { print $2 }' \
    <(programs_of_packages "$@" | with_real_paths) <(programs_on_path | with_real_paths) |
    xargs --delimiter='\n' ln --symbolic --target-directory="$folder" --
}

# programs_of_packages PACKAGE...: these and the base system; those that are not installed have none.
programs_of_packages() {
  local -a base
  mapfile -t base < <(dpkg-query --show --showformat '${Package}\t${Essential}\t${Priority}\n' |
    awk -F '\t' '$2 == "yes" || $3 == "required" { print $1 }')
  { dpkg-query --listfiles "${base[@]}" "$@" 2>/dev/null || true; } | grep -E '/s?bin/[^/]+$'
}

# All of them, also those that another of the same name hides: that one may not be allowed.
programs_on_path() {
  local -a folders
  IFS=: read -ra folders <<<"$PATH"
  local folder
  for folder in "${folders[@]}"; do
    [[ ! -d $folder ]] || find -H "$folder" -maxdepth 1 -xtype f -executable
  done
}

# Print REAL<tab>PATH for each line: awk is mawk, by way of /etc/alternatives.
with_real_paths() {
  local paths
  paths=$(cat)
  paste <(xargs --delimiter='\n' realpath --canonicalize-missing -- <<<"$paths") - <<<"$paths"
}
