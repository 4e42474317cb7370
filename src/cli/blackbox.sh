#!/bin/sh
# SPDX-License-Identifier: MIT
# blackbox.sh STASIS: the real program on files that hold no system, and on outputs that cannot be written.
set -u
stasis=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
bad=0

fail() {
        echo "FAILED: $*"
        echo "  stdout: $(head -c 300 out)"
        echo "  stderr: $(head -c 300 err)"
        bad=$((bad + 1))
}

says() { # FILE PATTERN
        if [ -z "$2" ]; then [ ! -s "$1" ]; else grep -q -- "$2" "$1"; fi
}

# want STATUS OUT ERR ARGUMENT...: OUT and ERR are patterns of grep; "" must be empty, "." anything.
want() {
        status=$1 out=$2 err=$3
        shift 3
        "$stasis" "$@" >out 2>err </dev/null
        got=$?
        [ $got -eq "$status" ] || fail "$*: exit status $got, not $status"
        says out "$out" || fail "$*: stdout is not '$out'"
        says err "$err" || fail "$*: stderr is not '$err'"
        [ "$status" -eq 0 ] || [ "$status" -eq 3 ] || [ "$(wc -l <err)" -eq 1 ] || fail "$*: not one line on stderr"
}

head -c 1048576 /dev/zero >zeros.raw
head -c 5000 /dev/zero >odd.raw
: >empty.raw
mkdir folder
printf '\177ELF\002\001\001' >cut.elf
printf '\375' | dd of=zeros.raw bs=1 seek=4096 conv=notrunc 2>/dev/null
cp zeros.raw before

# What is no image, and what holds no system: one line, its own status, and what to do next.
want 2 '' 'stasis: .*nothere.raw.*No such file' threads nothere.raw
want 2 '' 'stasis: .*folder' threads folder
want 2 '' 'stasis: empty.raw: [a-z ]*$' threads empty.raw
want 2 '' "stasis: .*cut.elf" info cut.elf
want 2 '' "stasis info --trace zeros.raw" threads zeros.raw
want 2 '' "stasis info --trace zeros.raw" modules zeros.raw --format json
want 2 'Memory in it *1 MiB' "'--trace' tells" info zeros.raw
want 2 'What was tried' '.' info --trace zeros.raw
want 2 '"schema": "stasis/info/1"' '.' info --format json zeros.raw
want 2 'Memory in it' '.' info odd.raw
want 1 '' 'reader' threads zeros.raw --reader zip
want 2 '' '.' threads zeros.raw --layout nothere.json

# Usage.
want 1 '' "no verb is given; see 'stasis --help'"
want 1 '' "no verb 'list'" list zeros.raw
want 1 '' "see 'stasis help threads'" threads
want 1 '' 'no option --frob' threads --frob zeros.raw
want 0 'Usage: stasis VERB' '' --help
want 0 '^stasis [0-9]' '' --version
want 0 'Exit status' '' read --help

# No system is needed for these.
want 0 'not present' '' translate zeros.raw 0x80000000 --root 0 --mode x64
want 0 'not canonical' '' translate zeros.raw 0x800000000000 --root 0 --mode x64
want 3 'table not in image' '' translate zeros.raw 0 --root 0x100000 --mode x86
want 1 '' 'not an address' translate zeros.raw 0x --root 0 --mode x64
want 0 '^0000000000001000  fd 00' '' read --physical zeros.raw 1000 16
want 3 'not in the image' '' read --physical zeros.raw ffff0 32
want 3 '"bytes": "00??"' '' read --physical zeros.raw fffff 2 --format json
"$stasis" read --physical zeros.raw 0xff0 0x20 --format raw >out 2>err
dd if=zeros.raw bs=16 skip=255 count=2 2>/dev/null | cmp -s - out || fail 'raw bytes differ'
printf '0 1000\n2000\n' | "$stasis" translate zeros.raw - --root 0 --mode pae >out 2>err
[ "$(grep -c 'not present' out)" -eq 3 ] || fail 'addresses of standard input'

# Outputs that fail are said, and never take the evidence with them.
"$stasis" --help >/dev/full 2>err && fail '/dev/full: success'
grep -q 'No space left' err || fail '/dev/full: silent'
"$stasis" read --physical zeros.raw 0 1048576 2>err | true
want 2 '' 'No space left' read --physical zeros.raw 0 0x10000 --output /dev/full
want 1 '' 'is an input' read --physical zeros.raw 0 16 --output zeros.raw
want 1 '' 'is an input' read --physical zeros.raw 0 16 --output ./folder/../zeros.raw
cmp -s zeros.raw before || fail 'the image was changed'
want 0 '' '' read --physical zeros.raw 0 16 --output answer
grep -q '^0000000000000000  00' answer || fail '--output'
{ (trap '' PIPE; "$stasis" read --physical zeros.raw 0 1048576 2>err; echo $? >status) | true; } >/dev/null
if [ "$(cat status)" -ne 2 ] || ! grep -q 'could not be written' err; then fail "closed pipe: $(cat status)"; fi

# Not a terminal: no escape, no progress.
"$stasis" info zeros.raw >out 2>err
if grep -q "$(printf '\033')" out err; then fail 'an escape sequence in a pipe'; fi

[ $bad -eq 0 ] && echo 'all is well'
exit $((bad != 0))
