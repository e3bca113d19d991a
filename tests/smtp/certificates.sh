#!/bin/sh
# certificates.sh FOLDER: a CA of our own, and leaves that are good, for another name, expired, and
# of a stranger.
set -e
mkdir -p "$1"
cd "$1"
key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
ca() {
	# shellcheck disable=SC2086
	openssl req -x509 $key -days 30 -subj "/CN=$1" -keyout "$1.key" -out "$1.pem" \
		-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
}
leaf() { # NAME CA SUBJECT-ALT-NAMES DAYS
	# shellcheck disable=SC2086
	openssl req $key -subj "/CN=$1" -keyout "$1.key" -out "$1.csr"
	printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n' "$3" >"$1.ext"
	openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -CAcreateserial -extfile "$1.ext" \
		-days "$4" -out "$1.pem"
}
exec 2>openssl.log
ca ca
ca stranger
leaf good ca DNS:localhost,IP:127.0.0.1 10
leaf wrongname ca DNS:other.example 10
leaf expired ca DNS:localhost,IP:127.0.0.1 0
leaf unknown stranger DNS:localhost,IP:127.0.0.1 10
