# Print which step is under way; on a terminal, count its seconds.

steps=0 step_number=0 ticker=''

# begin_steps COUNT
begin_steps() { steps=$1; }

# step WHAT
step() {
  stop_ticking
  step_number=$((step_number + 1))
  log "step $step_number of $steps: $1 ($SECONDS s so far)"
  [[ ! -t 2 ]] || start_ticking
}

start_ticking() {
  {
    exec 9>&-
    # Ends with the script, however that ends.
    while sleep 1 && kill -0 "$$" 2>/dev/null; do printf '\r  %d s' "$SECONDS"; done
  } >&2 &
  ticker=$!
}

stop_ticking() {
  [[ -n $ticker ]] || return 0
  kill "$ticker" 2>/dev/null || true # ended by itself
  ticker=''
  printf '\r\033[K' >&2
}
