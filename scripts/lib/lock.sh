# One at a time changes what runs here. The kernel drops the lock when the process ends, however.

take_lock() {
  local file=$root/.deploy/lock
  mkdir -p -- "${file%/*}"
  exec 9>"$file"
  flock -n 9 || die 3 "another deployment is under way: it holds $file"
}

release_lock() { exec 9>&-; }
