#!/usr/bin/env bash
# year.sh PEOPLE CAMPAIGNS FROM TO: an organisation with copies of the shipped campaigns, and its simulated time.
set -euo pipefail
people=$1 campaigns=$2 from=$3 to=$4
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
/usr/bin/python3 "$SRC/bench/organisation.py" "$people" "$campaigns" "$from" "$dir"
echo "$people people, $campaigns campaigns, $from to $to:"
"$BUILD/bench_year" "$dir/state" "$dir/rules" "${from}T00:00:00Z" "${to}T00:00:00Z"
