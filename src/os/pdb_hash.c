/* SPDX-License-Identifier: MIT */
/*
 * How Microsoft's tools hash a name (misc.h, HashPbCb: words of 32 bits, the rest of 16 and 8, added without carry; no
 * difference between upper and lower case): tables that disagree with it are of other records. Letters beyond ASCII are
 * not judged.
 */
#include "pdb_internal.h"

bool pdb_hash_name(const char *name, uint32_t *ret_hash)
{
        const uint8_t *at = (const uint8_t *)name;
        size_t len = strlen(name);
        uint32_t hash = 0;
        for (size_t i = 0; i < len; i++)
                if (at[i] >= 0x80)
                        return false;
        for (; len >= 4; at += 4, len -= 4)
                hash ^= load_le32(at);
        if (len >= 2)
                hash ^= load_le16(at);
        if (len & 1)
                hash ^= at[len & ~(size_t)1];
        hash |= 0x20202020;
        hash ^= hash >> 11;
        *ret_hash = hash ^ hash >> 16;
        return true;
}
