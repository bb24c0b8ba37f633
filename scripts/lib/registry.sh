# Pull images from a container registry within time limits, and say what is missing and why.
# Sourced by images.sh.
#
# shellcheck shell=bash
# shellcheck disable=SC2154  # official_only is set by images.sh

# A registry that fetches an image from another one may be silent for a while at first. Between two lines of
# the engine's output lies a layer of 120 MB at most, so a pull slower than 200 kB/s is given up.
readonly pull_answer_s=60 pull_layer_s=600
readonly pull_attempts=3 pull_pause_s=2

# pull_missing_images: return 1 if a needed image cannot be pulled; log the reasons.
pull_missing_images() {
  local variable image needed reason status=0
  while IFS='=' read -r variable image; do
    ! image_is_there "$image" || continue
    needed=yes
    [[ $variable != "$official_only" ]] || needed=no
    reason=$(pull_image "$image" "$needed") && continue
    log "$reason"
    [[ $needed == yes ]] || continue
    status=1
    # A registry that does not answer gives no other image either.
    [[ $reason == "$image is not in the registry"* ]] || break
  done < <(needed_images registry)
  return "$status"
}

# pull_image IMAGE NEEDED: print why if it cannot be pulled. NEEDED is no if the stack can do without it.
pull_image() {
  local image=$1 needed=$2 attempt words verdict answers mirrors pause_s
  log "pulling $image"
  mirrors=$(registry_mirrors)
  for ((attempt = 1; ; attempt++)); do
    ! words=$(pull_once "$image") || return 0
    answers=$(registry_answers)
    verdict=$(pull_verdict "$words" "$answers" "$mirrors")
    ((attempt < $(attempts_for "$verdict" "$answers" "$needed"))) || break
    pause_s=$((attempt * pull_pause_s))
    log "not yet: $(last_line "$words"); asking again in $pause_s s"
    sleep "$pause_s"
  done
  pull_failure "$image" "$verdict" "$words" "$mirrors"
  return 1
}

# attempts_for VERDICT ANSWERS NEEDED: print how many attempts to make. The engine itself repeats a layer that
# breaks off; ours are for a registry that is away for a moment.
attempts_for() {
  case $1:$2:$3 in
    # Each attempt waits for docker.io, at every deployment.
    hidden:*:no) echo 1 ;;
    away:unknown:*) echo 2 ;;
    away:* | hidden:*) echo "$pull_attempts" ;;
    *) echo 1 ;;
  esac
}

# pull_verdict WORDS ANSWERS MIRRORS: print what the engine's output means. ANSWERS is the output of
# registry_answers, MIRRORS that of registry_mirrors.
pull_verdict() {
  case $1 in
    *'no space left'*) echo full ;;
    *toomanyrequests* | *'429 Too Many Requests'*) echo counted ;;
    'no word'* | *'Pulling from'*) echo broken ;;
    *'manifest unknown'* | *'name unknown'* | *'manifest for '*' not found'* | *': not found') echo missing ;;
    *'pull access denied'* | *': denied'* | *unauthorized* | *'no basic auth credentials'*) echo denied ;;
    *'dial tcp'* | *'no such host'* | *[Tt]imeout* | *'deadline exceeded'* | *'connection refused'*)
      # After a mirror the engine asks docker.io; if that cannot be reached, the mirror's answer is lost.
      if [[ $2 == yes && -n $3 ]]; then echo hidden; else echo away; fi
      ;;
    *) echo away ;;
  esac
}

# pull_once IMAGE: print the engine's output; return 1 if it failed or was silent for too long.
pull_once() {
  local line='' silence_s=$pull_answer_s pulling words status
  exec {words}< <(exec docker pull "$1" 2>&1)
  pulling=$!
  while IFS= read -r -t "$silence_s" -u "$words" line || { status=$? && false; }; do
    printf '%s\n' "$line"
    silence_s=$pull_layer_s
  done
  exec {words}<&-
  # Above 128 the time was over, otherwise the output ended.
  if ((status > 128)); then
    # It may have ended just now.
    kill "$pulling" 2>/dev/null || true
    echo "no word for $silence_s s"
  fi
  wait "$pulling"
}

# Print yes or no: does the registry still give an image that it gave before? Or unknown, if it never gave any.
registry_answers() {
  local image digest
  while IFS='=' read -r _ image; do
    digest=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$image" \
      2>/dev/null | head -n 1)
    [[ -n $digest ]] || continue
    # By its digest: the same image, whatever its tag names today.
    if timeout "$pull_answer_s" docker pull --quiet "$digest" >/dev/null 2>&1; then echo yes; else echo no; fi
    return
  done < <(needed_images registry)
  echo unknown
}

# Print the mirrors that the engine asks before docker.io, on one line; nothing if it does not say.
registry_mirrors() {
  docker info --format '{{if .RegistryConfig}}{{join .RegistryConfig.Mirrors " "}}{{end}}' 2>/dev/null || true
}

# pull_failure IMAGE VERDICT WORDS MIRRORS: say why the image cannot be pulled.
pull_failure() {
  local image=$1 words=$3 mirrors=${4:+, asked by way of $4}
  case $2 in
    missing | hidden) echo "$image is not in the registry$mirrors" ;;
    denied) echo "$image is not in the registry$mirrors, or is given only after 'docker login'" ;;
    counted)
      echo "$image is not given now: the registry counts too many pulls from here; repeat later, or after 'docker login'"
      ;;
    full) echo "$image does not fit on the engine's disk: $(last_line "$words")" ;;
    *) echo "no registry gives $image$mirrors: $(last_line "$words")" ;;
  esac
}

last_line() { tail -n 1 <<<"${1#'Error response from daemon: '}"; }
