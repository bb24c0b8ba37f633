# The results database around a migration: dump it first; a migration that fails changes nothing.

readonly backups_dir=$root/backups dumps_kept=5

# stores PROFILES: print the bundled stores of a COMPOSE_PROFILES.
stores() { tr ',' '\n' <<<"$1" | grep -x 'postgres\|redis' || true; }

# dump_results NAME: dump the bundled database if it has tables.
# The dump gets its final name only once it is complete and readable.
dump_results() (
  local file=$backups_dir/$1
  has_tables || return 0
  umask 077
  mkdir -p -- "$backups_dir"
  # shellcheck disable=SC2016  # expanded in the container
  compose exec -T postgres sh -c \
    'pg_dump --format=custom --username="$POSTGRES_USER" "$POSTGRES_DB"' >"$file.partial"
  compose exec -T postgres pg_restore --list <"$file.partial" >/dev/null
  mv -- "$file.partial" "$file"
  log "dumped the database to $file"
  find "$backups_dir" -name 'before-*.dump' -printf '%T@ %p\n' | sort -rn |
    tail -n "+$((dumps_kept + 1))" | cut -d ' ' -f 2- | xargs -r -d '\n' rm -f --
)

has_tables() {
  # shellcheck disable=SC2016  # expanded in the container
  [[ -n $(compose exec -T postgres sh -c 'psql --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" \
    --tuples-only --no-align --command="SELECT 1 FROM pg_tables WHERE tablename = '\''runs'\''"') ]]
}

# migrate_results: apply what is new in postgres/migrations, with the new image.
migrate_results() {
  local words
  words=$(compose run --rm --no-deps -T migrate 2>&1 </dev/null) || {
    tail -n 20 <<<"$words" >&2
    die 1 "migrate failed; its last lines are above, and the database is as it was"
  }
}
