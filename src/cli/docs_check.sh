#!/bin/sh
# SPDX-License-Identifier: MIT
# docs_check.sh GEN_FIELDS GEN_DOCS GEN_SQL ROOT [update]: are the generated documents those of the tables?
# With "update" they are made so.
set -eu
fields=$1 docs=$2 sql=$3 root=$4 update=${5:-}
new=$(mktemp)
trap 'rm -f "$new"' EXIT
bad=0

check() { # FILE COMMAND...
        file=$1
        shift
        "$@" >"$new"
        if [ "$update" = update ]; then
                cp "$new" "$root/$file"
        elif ! diff -u "$root/$file" "$new"; then
                echo "$file is not what the tables say: src/cli/docs_check.sh ... update makes it anew"
                bad=1
        fi
}

check docs/FIELDS.md "$fields"
check docs/SQL.md "$sql"
check docs/stasis.1 "$docs" man
check src/cli/stasis.bash-completion "$docs" completion
exit $bad
