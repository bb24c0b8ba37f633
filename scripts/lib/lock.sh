# Only one process at a time changes the stack. The kernel releases the lock however the process ends.

take_lock() {
  local file=$root/.deploy/lock
  mkdir -p -- "${file%/*}"
  exec 9>"$file"
  flock -n 9 || die 3 "another deployment is under way: it holds $file"
}

release_lock() { exec 9>&-; }
