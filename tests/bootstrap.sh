#!/usr/bin/env bash
# ./bootstrap never removes what somebody uses: where its packages would, it says so and installs nothing.
set -u
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/bin" "$scratch/tree"
cp "$SRC/bootstrap" "$scratch/tree/"
bad=0
is() { [ "$1" = "$2" ] || { echo "not true: $3: '$1', not '$2'"; bad=1; }; }

# a machine on which nothing is installed and every command is written down
printf '#!/bin/sh\nexit 1\n' >"$scratch/bin/dpkg-query"
printf '#!/bin/sh\n[ "$1" = -v ] || exec "$@"\n' >"$scratch/bin/sudo"
cat >"$scratch/bin/apt-get" <<-END
	#!/bin/sh
	echo "\$*" >>"$scratch/asked"
	case "\$*" in
	*-s*postfix*) [ ! -f "$scratch/exim" ] || echo "Remv exim4-daemon-light [4.96]"; echo "Inst postfix (3.7)" ;;
	*-s*) echo "Inst gcc (12)" ;;
	*install*) exit 7 ;;
	esac
END
printf '#!/bin/sh\ncat >>"%s/answers"\n' "$scratch" >"$scratch/bin/debconf-set-selections"
chmod +x "$scratch"/bin/*
run() { : >"$scratch/asked"; (cd "$scratch/tree" && PATH="$scratch/bin:$PATH" ./bootstrap "$1") >"$scratch/out" 2>&1; }
installs() { grep -c '^install -y' "$scratch/asked"; }

touch "$scratch/exim"
run check
is $? 1 "check ends with 1 where another mail server is"
is "$(installs)" 0 "nothing is installed"
is "$(cat "$scratch/answers" 2>/dev/null)" "" "and nothing is answered for it"
grep -q "would remove exim4-daemon-light from this machine, so nothing was installed" "$scratch/out" || { cat "$scratch/out"; bad=1; }
run build
is "$(installs)" 1 "what the build needs removes nothing"
rm "$scratch/exim"
run check
is "$(installs)" 1 "and without one postfix is installed"
is "$(cat "$scratch/answers")" "postfix postfix/main_mailer_type select No configuration" "but this machine does not become a mail server"
grep -q "apt-get install failed" "$scratch/out" || { cat "$scratch/out"; bad=1; }
exit $bad
