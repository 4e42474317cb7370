#!/bin/bash
# SPDX-License-Identifier: MIT
# completion_check.sh FILE: what bash offers behind some command lines, by the words as bash cuts them.
set -eu
there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
complete() { :; } # the shell of a script has none to register with
. "$1"
cd "$there"
mkdir symbols
touch pagefile.sys symbols.pdb
bad=0

offers() { # WANTED WORD...: the last word is the one that is completed
        local wanted=$1
        shift
        COMP_WORDS=(stasis "$@") COMP_CWORD=$# COMPREPLY=()
        _stasis || true
        if [[ "${COMPREPLY[*]}" != "$wanted" ]]; then
                echo "stasis $*: offered '${COMPREPLY[*]}', wanted '$wanted'"
                bad=1
        fi
}

offers "threads thread" thr
offers "stacks" stac
offers "pagefile.sys" threads --pagefile page
offers "pagefile.sys" threads --pagefile 1 = page
offers "pagefile.sys symbols symbols.pdb" threads --pagefile 1 =
offers "symbols symbols.pdb" threads --symbols sym
offers "symbols symbols.pdb" threads -S sym
offers "symbols symbols.pdb" threads --symbols = sym
offers "json jsonl" threads --format = js
offers "--trace" info --tr
offers "pagefile.sys" threads --output page
offers "symbols symbols.pdb" batch --output symb
offers "symbols" threads --tmp symb
offers "kdump" threads --reader kd
offers "hanging-drivers hidden-threads" query archive.db h
offers "--retry" batch archive --ret
exit $bad
