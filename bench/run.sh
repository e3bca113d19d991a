#!/usr/bin/env bash
# make bench: what is promised, as figures and ratios on this machine.  Some ten minutes.
# QUICK=1: mails in small, and without the daemon and the 100,000.
set -euo pipefail
export NUDGE NUDGED SRC BUILD
# The peer: nodemailer, fetched into the build folder by its own package manager.
export NODEMAILER=$BUILD/bench/node_modules/nodemailer
[ -d "$NODEMAILER" ] || npm install --silent --no-audit --no-fund --prefix "$BUILD/bench" nodemailer@6 ||
	echo "nodemailer could not be fetched: no comparison with it"
peer=
if [ -d "$NODEMAILER" ]; then
	for kind in text html; do
		"$NUDGE" --rules "$SRC/rules" preview bravo-week/lunch-walk --as $kind >"$BUILD/bench/mail.$kind"
	done
	logo=$(sed -n 's/^logo: *\([^ #]*\).*/\1/p' "$SRC/rules/campaigns/bravo-week/campaign.yaml")
	peer=$(node "$SRC/bench/nodemailer.cjs" "$BUILD/bench/mail.text" "$BUILD/bench/mail.html" \
		"$SRC/rules/campaigns/bravo-week/$logo")
fi
# shellcheck disable=SC2086
"$BUILD/bench_core" $peer
/usr/bin/python3 "$SRC/bench/hooks.py"
/usr/bin/python3 "$SRC/bench/mail.py"
bash "$SRC/bench/year.sh" 1000 10 2026-01-05 2026-12-31
bash "$SRC/bench/year.sh" 8000 10 2026-01-05 2026-12-31
[ -z "${QUICK-}" ] || exit 0
bash "$SRC/bench/year.sh" 10000 10 2026-01-05 2026-03-31
bash "$SRC/bench/year.sh" 100000 10 2026-01-05 2026-01-16
/usr/bin/python3 "$SRC/bench/daemon.py" 100000 20 60
