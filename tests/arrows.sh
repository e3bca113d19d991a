#!/usr/bin/env bash
# Includes run one way, third-party headers have one room each, SQL stands in *_db.c only.
set -u
cd "$SRC/daemon" || exit 1
bad=0
complain() { [ -n "$2" ] && { echo "$1"; echo "$2"; bad=1; }; }
# allowed FOLDER "what it may include besides itself and the files right in the folder above it"
allowed() {
	local found own
	own=$1/; [ "$1" = "${1%/*}" ] || own="$1/|${1%/*}/[a-z_]+\\.h"
	found=$(grep -nE '^#include "' "$1"/*.[ch] | grep -vE "\"($own|($2)/)" | grep -vE '"(engine|settings|runs|command|ruleload)\.h"' || true)
	complain "arrow against the stream in $1:" "$found"
}
allowed base 'base'
allowed store 'base'
allowed rules 'base'
allowed people 'base|store|rules'
allowed plan 'base|rules|people'
allowed compose 'base|rules|people|plan'
allowed deliver 'base|compose'
allowed deliver/outbox 'base|store|rules|people|plan|compose'
allowed deliver/spool 'base|store|rules|deliver/outbox'
allowed deliver/courier 'base|store|deliver/outbox'
allowed deliver/net 'base'
allowed deliver/mail 'base|deliver/net'
allowed deliver/web 'base|compose|deliver/net'
allowed engine 'base|store|rules|people|plan|compose|deliver(/outbox|/spool|/courier)?'
allowed loop 'base'
room() {
	local found
	found=$(grep -rnE "#include <$1" . | grep -vE "^\./($2)/" || true)
	complain "<$1> outside $2:" "$found"
}
room sqlite3 store
room libical plan
room yaml.h rules
room cmark compose
room qrencode compose
room 'systemd/sd-' loop
room sodium 'rules|compose|people|commands'
room curl deliver
# the words of SQL that cannot be words of prose
found=$(grep -rnE '"[[:space:]]*(SELECT|INSERT INTO|UPDATE [a-z]+ SET|DELETE FROM) ' . | grep -vE '_db\.c:|^\./store/' || true)
complain "SQL outside *_db.c:" "$found"
found=$(grep -rnE '\b(strcpy|strcat|sprintf|strtok|atoi|strtol|gets|localtime|gmtime|rand|random|time|system)\(' . --include='*.c' | grep -vE 'snprintf|vsnprintf|^\./base/clock' || true)
complain "banned functions:" "$found"
exit $bad
