#!/usr/bin/env bash
# make bench: figures on this machine, with how the simulated year grows with people.
set -euo pipefail
"$BUILD/bench_core"
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for n in 1000 4000 8000; do
	NUDGE=$NUDGE SRC=$SRC /usr/bin/python3 "$SRC/bench/year.py" "$n" "$dir/$n"
done
