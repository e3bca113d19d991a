#!/usr/bin/env bash
# Every command, option key and rule field is in a man page; the pages are clean.
set -u
cd "$SRC" || exit 1
bad=0
for page in man/*.[0-9]; do
	mandoc -Tlint -W warning "$page" || bad=1
done
for word in $(sed -n 's/^\t{ "\([a-z-]*\)", cmd_.*/\1/p' daemon/nudge.c); do
	grep -q "Ic $word" man/nudge.1 || { echo "nudge.1 lacks $word"; bad=1; }
done
for word in $(grep -oE '^	\{ "[a-z_]+", FIELD' daemon/settings.c | grep -oE '"[a-z_]+"' | tr -d '"' | sort -u); do
	grep -q "$word" man/nudged.yaml.5 || { echo "nudged.yaml.5 lacks $word"; bad=1; }
	grep -q "$word:" config/nudged.yaml || { echo "config/nudged.yaml lacks $word"; bad=1; }
done
for word in $(grep -oE '^	\{ "[a-z_]+", FIELD' daemon/rules/tables.c | grep -oE '"[a-z_]+"' | tr -d '"' | sort -u); do
	grep -qE "\b$word\b" man/nudge-rules.5 || { echo "nudge-rules.5 lacks $word"; bad=1; }
done
exit $bad
