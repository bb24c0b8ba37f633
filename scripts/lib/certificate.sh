# The certificate of the front: given in .env, or self-signed.

# The longest lifetime that all browsers accept.
readonly certificate_days=825
readonly renew_before_s=$((30 * 86400))

# certificate_problems FILE: print what is wrong with the certificate and key that FILE names.
certificate_problems() {
  local file=$1 cert key
  cert=$(absolute "$(env_get "$file" SSL_CERT_PATH)")
  key=$(absolute "$(env_get "$file" SSL_KEY_PATH)")
  ca_problem "$file"
  [[ -n $cert && -n $key ]] || return 0
  if [[ ! -f $cert || ! -r $cert ]]; then
    echo "SSL_CERT_PATH is $cert, which is not a readable file ($(where "$file" SSL_CERT_PATH))"
  elif [[ ! -f $key || ! -r $key ]]; then
    echo "SSL_KEY_PATH is $key, which is not a readable file ($(where "$file" SSL_KEY_PATH))"
  elif has openssl; then
    pair_problem "$file" "$cert" "$key"
  fi
}

# pair_problem FILE CERT KEY
pair_problem() {
  local file=$1 cert=$2 key=$3 cert_line key_line cert_public key_public
  cert_line=$(where "$file" SSL_CERT_PATH)
  key_line=$(where "$file" SSL_KEY_PATH)
  if ! cert_public=$(openssl x509 -in "$cert" -noout -pubkey 2>/dev/null); then
    echo "SSL_CERT_PATH is $cert, which is not a PEM certificate ($cert_line)"
  elif ! key_public=$(openssl pkey -in "$key" -passin pass: -pubout 2>/dev/null); then
    echo "SSL_KEY_PATH is $key, which is not a PEM key without a password ($key_line)"
  elif [[ $cert_public != "$key_public" ]]; then
    echo "the key in SSL_KEY_PATH does not belong to the certificate in SSL_CERT_PATH ($key_line)"
  elif ! openssl x509 -in "$cert" -noout -checkend 0 >/dev/null; then
    echo "the certificate in SSL_CERT_PATH expired on $(end_date "$cert"); renew it ($cert_line)"
  elif ! openssl x509 -in "$cert" -noout -checkend "$renew_before_s" >/dev/null; then
    log "warning: the certificate in SSL_CERT_PATH expires on $(end_date "$cert")"
  fi
}

ca_problem() {
  local file=$1 ca
  ca=$(absolute "$(env_get "$file" TARGET_CA_PATH)")
  [[ -n $ca ]] || return 0
  [[ -f $ca && -r $ca ]] && grep -q -- '-----BEGIN CERTIFICATE-----' "$ca" ||
    echo "TARGET_CA_PATH is $ca, which is not a readable PEM file ($(where "$file" TARGET_CA_PATH))"
}

end_date() { openssl x509 -in "$1" -noout -enddate | cut -d = -f 2; }

# Print when the certificate of the front expires, in seconds since 1970, as a metric.
certificate_metric() {
  local seconds
  seconds=$(date -d "$(end_date "$secrets_dir/tls_cert.pem")" +%s)
  echo '# HELP fleet_certificate_expires_timestamp_seconds When the certificate of the front expires.'
  echo '# TYPE fleet_certificate_expires_timestamp_seconds gauge'
  echo "fleet_certificate_expires_timestamp_seconds $seconds"
}

# absolute PATH: print a path of .env as absolute; relative paths start at the checkout.
absolute() {
  case $1 in
    '' | /*) printf '%s' "$1" ;;
    *) printf '%s' "$root/$1" ;;
  esac
}

# install_certificate FILE: bring secrets/ up to date; print changed if something changed.
install_certificate() {
  local file=$1 cert key
  cert=$(absolute "$(env_get "$file" SSL_CERT_PATH)")
  key=$(absolute "$(env_get "$file" SSL_KEY_PATH)")
  copy_secret "$(absolute "$(env_get "$file" TARGET_CA_PATH)")" target_ca.pem >/dev/null
  if [[ -n $cert ]]; then
    { copy_secret "$key" tls_key.pem && copy_secret "$cert" tls_cert.pem; } | tail -n 1
  elif self_signed_is_due; then
    make_self_signed "$(env_get "$file" ALLOWED_HOSTS),$(env_get "$file" BIND_ADDRESS)"
    echo changed
  fi
}

# copy_secret PATH NAME: an empty PATH makes an empty file.
copy_secret() {
  local path=${1:-/dev/null} name=$2
  cmp -s -- "$path" "$secrets_dir/$name" && return
  put_secret "$name" <"$path"
  echo changed
}

self_signed_is_due() {
  local cert=$secrets_dir/tls_cert.pem key=$secrets_dir/tls_key.pem of_cert of_key
  [[ -s $cert && -s $key ]] || return 0
  of_cert=$(openssl x509 -in "$cert" -noout -pubkey 2>/dev/null) || return 0
  of_key=$(openssl pkey -in "$key" -pubout 2>/dev/null) || return 0
  # They are no pair if the deployment that made them was interrupted.
  [[ $of_cert == "$of_key" ]] || return 0
  ! openssl x509 -in "$cert" -noout -checkend "$renew_before_s" >/dev/null 2>&1
}

# make_self_signed NAMES
make_self_signed() {
  has openssl || die 1 "openssl is needed for a self-signed certificate; install it"
  local names new
  names=$(subject_names "$1")
  log "making a self-signed certificate for $names"
  new=$(mktemp -d)
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
    -days "$certificate_days" -subj "/CN=Locust Fleet" -addext "subjectAltName=$names" \
    -keyout "$new/key.pem" -out "$new/cert.pem" 2>"$new/words" || {
    cat "$new/words" >&2
    rm -rf -- "$new"
    die 1 "openssl could not make a certificate; its output is above"
  }
  put_secret tls_key.pem <"$new/key.pem"
  put_secret tls_cert.pem <"$new/cert.pem"
  rm -rf -- "$new"
}

# subject_names NAMES: print them in openssl's form, such as DNS:a,DNS:b,IP:127.0.0.1.
subject_names() {
  local host names=DNS:localhost
  while read -r host; do
    case $host in
      '' | '*' | localhost | 0.0.0.0 | *[!A-Za-z0-9.*-]*) ;;
      *[!0-9.]*) names+=,DNS:$host ;;
      *) names+=,IP:$host ;;
    esac
  done < <(
    printf '%s\n' "${1//,/$'\n'}" | tr -d ' '
    cat /proc/sys/kernel/hostname
  )
  printf '%s,IP:127.0.0.1' "$names"
}
