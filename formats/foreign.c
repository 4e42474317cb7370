/* SPDX-License-Identifier: MIT */
/*
 * Files that are plainly something other than physical memory. Read as raw memory they would give an empty answer or a
 * wrong one; so they are refused with a line that says what to do. Magics: the formats' own specifications (RFC 1952,
 * RFC 8878, .ZIP appnote 4.3.7, xz-file-format 2.1.1.1, 7zFormat.txt, the lz4 frame document, PE/COFF); of memory
 * formats as Volatility 3, makedumpfile, QEMU (migration stream, qcow2) and AVML know them.
 */
#include <string.h>

#include "../src/base/bytes.h"
#include "format.h"

#define UNPACK ": unpack it first"

static const struct magic {
        uint8_t len;
        const char *at, *what;
} magics[] = {
        { 3, "\x1f\x8b\x08", "gzip-compressed" UNPACK },
        { 6,
          "\xfd"
          "7zXZ\0",
          "xz-compressed" UNPACK },
        { 4, "\x28\xb5\x2f\xfd", "zstd-compressed" UNPACK },
        { 4, "\x04\x22\x4d\x18", "lz4-compressed" UNPACK },
        { 4, "PK\3\4", "a zip archive" UNPACK },
        { 6, "7z\xbc\xaf\x27\x1c", "a 7z archive" UNPACK },
        { 7, "Rar!\x1a\x07\x01", "a rar archive" UNPACK },
        { 7, "Rar!\x1a\x07\0", "a rar archive" UNPACK },
        { 4, "MDMP", "a minidump of one user process (MDMP), not the memory of a machine" },
        { 4, "HIBR", "a Windows hibernation file: not read by this version" },
        { 4, "hibr", "a Windows hibernation file: not read by this version" },
        { 4, "WAKE", "a Windows hibernation file that was resumed from: its memory is gone or stale" },
        { 4, "wake", "a Windows hibernation file that was resumed from: its memory is gone or stale" },
        { 4, "RSTR", "a Windows hibernation file (being restored): not read by this version" },
        { 8, "DISKDUMP", "a diskdump: not read by this version" },
        { 4, "QEVM", "a QEMU migration stream (savevm): not read by this version; use dump-guest-memory" },
        { 4, "QFI\xfb", "a QEMU disk image (qcow2): its snapshots' memory is not read by this version" },
        { 4, "\xd0\xbe\xd2\xbe", "a VMware snapshot state (vmss/vmsn): not read by this version; give the .vmem file" },
        { 4, "\xd1\xba\xd1\xba", "a VMware snapshot state (vmss/vmsn): not read by this version; give the .vmem file" },
        { 4, "\xd2\xbe\xd2\xbe", "a VMware snapshot state (vmss/vmsn): not read by this version; give the .vmem file" },
        { 4, "\xd3\xbe\xd3\xbe", "a VMware snapshot state (vmss/vmsn): not read by this version; give the .vmem file" },
        { 4, "AVML", "an AVML image (compressed LiME, version 2): convert it first (avml-convert)" },
        { 4, "LiME", "a LiME image of a big-endian machine: not read by this version" },
};

/* "MZ" alone is two letters; with the PE signature where it points to, it is a program. */
static bool is_pe(struct stasis_bytes head)
{
        if (head.len < 0x40 || memcmp(head.at, "MZ", 2) != 0)
                return false;
        struct stasis_bytes signature = bytes_slice(head, load_le32(head.at + 0x3c), 4);
        return signature.at && memcmp(signature.at, "PE\0\0", 4) == 0;
}

const char *stasis_foreign(struct stasis_bytes head)
{
        for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
                if (head.len >= magics[i].len && memcmp(head.at, magics[i].at, magics[i].len) == 0)
                        return magics[i].what;
        return is_pe(head) ? "a Windows program (PE), not a memory image" : NULL;
}
