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
for word in $(sed -n 's/^\t\[CHAT_[A-Z]*\] = "\([a-z]*\)",$/\1/p' daemon/compose/chat_format.c); do
	for page in man/nudged.yaml.5 config/nudged.yaml doc/chat.md man/nudge.1; do
		grep -qE "\b$word\b" $page || { echo "$page lacks the chat format $word"; bad=1; }
	done
done
# every file that the program makes in its state folder
for word in $(grep -rhoE '"%s/(\.\./)?[a-z][a-z.-]*[a-z-]' daemon --include=*.c | sed 's,.*/,,' | sort -u); do
	case $word in
	config | house.yaml | campaigns | messages | nudged | words | people.csv | teams.csv | demo | quarter | quarter.en.mustache) continue ;; # of the rules and the demo
	esac
	grep -qE "STATE/$word" man/nudged.8 || { echo "nudged.8 lacks STATE/$word"; bad=1; }
done
# what the documents name is there
for word in $(grep -ohE '\btests/[a-z_]+/[a-z_]+\.(py|c|sh|txt)|daemon/[a-z_/]+\.[ch]' README.md doc/*.md | sort -u); do
	[ -e "$word" ] || { echo "a document names $word, which is not there"; bad=1; }
done
for word in $(grep -oE '`[a-z_/]+\.[ch]`' daemon/MAP.md | tr -d '\140' | sort -u); do
	[ -n "$(find daemon -path "*/$word")" ] || { echo "daemon/MAP.md names $word, which is not there"; bad=1; }
done
# the units let the service reach its servers, and name its state folder
for unit in systemd/nudged.service systemd/nudged@.service; do
	grep -qE '^(PrivateNetwork=yes|IPAddressDeny=)' $unit && { echo "$unit keeps the network away"; bad=1; }
	grep -q '^RestrictAddressFamilies=.*AF_INET .*AF_INET6' $unit || { echo "$unit allows no network"; bad=1; }
	grep -q '^ExecStart=.*--state /var/lib/nudged' $unit || { echo "$unit leaves the state folder to HOME"; bad=1; }
done
exit $bad
