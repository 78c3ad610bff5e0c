#!/usr/bin/env bash
# Makes the certificates of the tests anew, with OpenSSL 3: an authority that the tests trust, one that they do not,
# hosts that these have signed, and hosts that have signed for themselves. All that is to be valid is so until the year
# 2125; the keys protect nothing.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

key() { openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1"; }

authority() { # NAME
  key "$work/$1.key"
  openssl req -x509 -new -key "$work/$1.key" -subj "/CN=$1 of the tests" -out "$1.pem" -days 36500 \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
}

host() { # FILE AUTHORITY NAMES FROM UNTIL
  key "$1.key"
  openssl req -new -key "$1.key" -subj "/CN=$1" -out "$work/$1.csr"
  mkdir "$work/$1"; : >"$work/$1/index"; echo 01 >"$work/$1/serial"
  cat >"$work/$1/ca.conf" <<CONF
[ca]
default_ca = all
[all]
database = $work/$1/index
serial = $work/$1/serial
new_certs_dir = $work/$1
default_md = sha256
policy = any
x509_extensions = host
[any]
commonName = supplied
[host]
subjectAltName = $3
basicConstraints = CA:FALSE
CONF
  openssl ca -batch -notext -config "$work/$1/ca.conf" -cert "$2.pem" -keyfile "$work/$2.key" \
    -startdate "$4" -enddate "$5" -in "$work/$1.csr" -out "$1.pem" 2>/dev/null
}

alone() { # FILE CA
  key "$1.key"
  openssl req -x509 -new -key "$1.key" -subj "/CN=localhost" -out "$1.pem" -days 36500 \
    -addext "basicConstraints=critical,CA:$2" -addext subjectAltName=DNS:localhost,IP:127.0.0.1
}

authority trusted
authority stranger
host good trusted DNS:localhost,IP:127.0.0.1 20250101000000Z 21250101000000Z
host unknown stranger DNS:localhost,IP:127.0.0.1 20250101000000Z 21250101000000Z
host expired trusted DNS:localhost,IP:127.0.0.1 20190101000000Z 20200101000000Z
host early trusted DNS:localhost,IP:127.0.0.1 30000101000000Z 31000101000000Z
host other trusted DNS:hooks.example.org 20250101000000Z 21250101000000Z
alone alone FALSE
alone authority TRUE
