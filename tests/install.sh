#!/usr/bin/env bash
# make install into a folder of its own: what the units start is there, and the units are sound.
set -u
bad=0
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
complain() { echo "not true: $1"; bad=1; }
env -u MAKEFLAGS -u MAKELEVEL make -s -C "$BUILD" install DESTDIR="$root" >"$root/log" 2>&1 || { cat "$root/log"; exit 1; }
unit=$(find "$root" -name nudged.service)
program=$(sed -n 's/^ExecStart=\([^ ]*\).*/\1/p' "$unit")
[ -x "$root$program" ] || complain "the unit starts $program, which is not installed"
"$root$program" --help >/dev/null 2>&1 || "$root$program" --help 2>&1 | grep -q usage || complain "the installed daemon runs"
[ -n "$(find "$root" -path '*/sysusers.d/nudged.conf')" ] && [ -n "$(find "$root" -path '*/tmpfiles.d/nudged.conf')" ] ||
	complain "the user and the folders are declared"
for unit in "$SRC/systemd/nudged.service" "$SRC/systemd/nudged@.service"; do
	exposure=$(systemd-analyze security --offline=true "$unit" | sed -n 's/.*Overall exposure level.*: \([0-9.]*\) .*/\1/p')
	awk -v e="${exposure:-9}" 'BEGIN { exit e <= 1.5 ? 0 : 1 }' || complain "$unit: exposed by $exposure, more than 1.5"
done
env -u MAKEFLAGS -u MAKELEVEL make -s -C "$BUILD" uninstall DESTDIR="$root" >"$root/log" 2>&1 || complain "it can be uninstalled"
left=$(find "$root" -type f -not -name log)
[ -z "$left" ] || complain "uninstall leaves $left"
exit $bad
