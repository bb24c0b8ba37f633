# Check whether the stack can be deployed from this folder.

# folder_problems
folder_problems() {
  local path
  [[ $root != *:* ]] ||
    echo "$root has a colon in its path, which Docker takes for the end of the path; rename the folder"
  [[ -w $root ]] || echo "$root cannot be written, but settings and secrets belong there; deploy from a copy"
  [[ -w ${TMPDIR:-/tmp} ]] || echo "${TMPDIR:-/tmp} cannot be written; give it mode 1777, or set TMPDIR"
  for path in .env .deploy secrets secrets/session_key; do
    if [[ -e $root/$path && (! -r $root/$path || (-d $root/$path && ! -w $root/$path)) ]]; then
      owner_problem "$path"
      return
    fi
  done
}

# owner_problem PATH: say why this user cannot use it.
owner_problem() {
  if [[ -O $root/$1 ]]; then
    echo "$1 is yours, but its mode does not let you use it; allow it: chmod u+rwX $1"
  else
    echo "$1 belongs to $(stat --format %U "$root/$1"), who deployed from here; deploy as that user"
  fi
}

# warn_about_clock NOW CHANGED: seconds since 1970. With a clock that was never set, our certificates are
# expired for others, and theirs are not valid yet for us.
warn_about_clock() {
  (($1 > $2 - 86400)) ||
    log "warning: the clock of this machine says $(date -u -d "@$1" +%F), and this version was made on" \
      "$(date -u -d "@$2" +%F); set the clock"
}

# last_change: print when this version was made, in seconds since 1970.
last_change() { repository log -1 --format=%ct 2>/dev/null || stat --format %Y "$root/.env.example"; }
