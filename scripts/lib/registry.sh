# What a container registry gives: pull it within bounds, and say what is missing and why.
# Sourced by images.sh.
#
# shellcheck shell=bash
# shellcheck disable=SC2154  # official_only is set by images.sh

# A registry that fetches an image itself may need a while before its first word. Between two words
# of the engine lies a layer: 120 MB at most, so slower than 200 kB/s is given up.
readonly pull_answer_s=60 pull_layer_s=600
readonly pull_attempts=3 pull_pause_s=2

# pull_missing_images: 1 when something needed cannot be had; the reasons are said.
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
    # Where nobody answers, nobody has the others either.
    [[ $reason == "$image is not in the registry"* ]] || break
  done < <(needed_images registry)
  return "$status"
}

# pull_image IMAGE NEEDED: print why, if it cannot be had. NEEDED is yes, or no where it may be left out.
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

# attempts_for VERDICT ANSWERS NEEDED: print how many there are. The engine itself repeats what breaks
# off in a layer; what is left is a registry that is away for a moment.
attempts_for() {
  case $1:$2:$3 in
    # Each of them waits for docker.io, at every deployment.
    hidden:*:no) echo 1 ;;
    away:unknown:*) echo 2 ;;
    away:* | hidden:*) echo "$pull_attempts" ;;
    *) echo 1 ;;
  esac
}

# pull_verdict WORDS ANSWERS MIRRORS: print what an engine's words mean. ANSWERS is what registry_answers
# printed, MIRRORS what registry_mirrors did.
pull_verdict() {
  case $1 in
    *'no space left'*) echo full ;;
    *toomanyrequests* | *'429 Too Many Requests'*) echo counted ;;
    'no word'* | *'Pulling from'*) echo broken ;;
    *'manifest unknown'* | *'name unknown'* | *'manifest for '*' not found'* | *': not found') echo missing ;;
    *'pull access denied'* | *': denied'* | *unauthorized* | *'no basic auth credentials'*) echo denied ;;
    *'dial tcp'* | *'no such host'* | *[Tt]imeout* | *'deadline exceeded'* | *'connection refused'*)
      # A mirror's word is lost when docker.io, which is asked next, cannot be reached.
      if [[ $2 == yes && -n $3 ]]; then echo hidden; else echo away; fi
      ;;
    *) echo away ;;
  esac
}

# pull_once IMAGE: print the engine's words; 1 when it failed or was silent for too long.
pull_once() {
  local line='' silence_s=$pull_answer_s pulling words status
  exec {words}< <(exec docker pull "$1" 2>&1)
  pulling=$!
  while IFS= read -r -t "$silence_s" -u "$words" line || { status=$? && false; }; do
    printf '%s\n' "$line"
    silence_s=$pull_layer_s
  done
  exec {words}<&-
  # Above 128 the time was over, else the words were.
  if ((status > 128)); then
    # It may have ended just now.
    kill "$pulling" 2>/dev/null || true
    echo "no word for $silence_s s"
  fi
  wait "$pulling"
}

# Print yes or no: does the registry give an image that it gave before? unknown, if it never gave any.
registry_answers() {
  local image digest
  while IFS='=' read -r _ image; do
    digest=$(docker image inspect --format '{{range .RepoDigests}}{{println .}}{{end}}' "$image" \
      2>/dev/null | head -n 1)
    [[ -n $digest ]] || continue
    # By its digest: the same image, whatever its tag means today.
    if timeout "$pull_answer_s" docker pull --quiet "$digest" >/dev/null 2>&1; then echo yes; else echo no; fi
    return
  done < <(needed_images registry)
  echo unknown
}

# Print the mirrors that the engine asks in the place of docker.io, on one line; none where it does not say.
registry_mirrors() {
  docker info --format '{{if .RegistryConfig}}{{join .RegistryConfig.Mirrors " "}}{{end}}' 2>/dev/null || true
}

# pull_failure IMAGE VERDICT WORDS MIRRORS: say why it cannot be had.
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
