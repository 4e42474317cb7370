#!/bin/sh
# SPDX-License-Identifier: MIT
# exports.sh LIBRARY HEADER: the shared library shows every function of the public header, and nothing else.
set -eu
shown=$(nm -D --defined-only "$1" | awk '$2 ~ /[A-Z]/ { print $3 }' | sort)
told=$(tr '\n' ' ' <"$2" | grep -o 'STASIS_API [^;(]*(' | sed -n 's/.*[ *]\(stasis_[a-z0-9_]*\)(/\1/p' | sort)
[ -n "$told" ] || { echo "no STASIS_API in $2"; exit 1; }
if [ "$shown" != "$told" ]; then
        echo "shown by the library (left) and told by the header (right):"
        echo "$shown" >"${TMPDIR:-/tmp}/stasis-shown.$$"
        echo "$told" | diff "${TMPDIR:-/tmp}/stasis-shown.$$" - || :
        rm -f "${TMPDIR:-/tmp}/stasis-shown.$$"
        exit 1
fi
echo "$told" | wc -l | sed 's/$/ symbols, all of the public header/'
