# The programs that tests may see: those of the base system, and those that test.sh installs. A program that
# was installed by hand would be missing on the next machine.

# link_programs FOLDER PACKAGE...: link the programs on PATH that belong to the base system, to these
# packages, or to the engine, which may have been installed by hand.
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

# programs_of_packages PACKAGE...: print the programs of these packages and of the base system.
programs_of_packages() {
  local -a base
  mapfile -t base < <(dpkg-query --show --showformat '${Package}\t${Essential}\t${Priority}\n' |
    awk -F '\t' '$2 == "yes" || $3 == "required" { print $1 }')
  { dpkg-query --listfiles "${base[@]}" "$@" 2>/dev/null || true; } | grep -E '/s?bin/[^/]+$'
}

# All of them, also those that another program of the same name hides, because that one may not be allowed.
programs_on_path() {
  local -a folders
  IFS=: read -ra folders <<<"$PATH"
  local folder
  for folder in "${folders[@]}"; do
    [[ ! -d $folder ]] || find -H "$folder" -maxdepth 1 -xtype f -executable
  done
}

# Print REAL<tab>PATH for each line: awk is really mawk, through /etc/alternatives.
with_real_paths() {
  local paths
  paths=$(cat)
  paste <(xargs --delimiter='\n' realpath --canonicalize-missing -- <<<"$paths") - <<<"$paths"
}
