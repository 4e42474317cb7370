/* SPDX-License-Identifier: MIT */
/* A hash set of digests, which are evenly spread by themselves. */
#include <stdlib.h>
#include <string.h>

#include "batch.h"

static size_t place_of(const struct digest_set *set, const uint8_t digest[static DIGEST_LEN])
{
        size_t at;

        memcpy(&at, digest, sizeof(at));
        for (at &= set->capacity - 1; set->used[at]; at = (at + 1) & (set->capacity - 1))
                if (memcmp(set->at[at], digest, DIGEST_LEN) == 0)
                        break;
        return at;
}

/* Half of it stays empty, so that every search ends. */
static void grow(struct digest_set *set)
{
        struct digest_set larger = { .capacity = set->capacity ? 2 * set->capacity : 1024 };

        larger.at = calloc(larger.capacity, sizeof(*larger.at));
        larger.used = calloc(larger.capacity, 1);
        if (!larger.at || !larger.used) {
                fputs("stasis: out of memory\n", stderr);
                exit(CLI_UNREADABLE);
        }
        for (size_t i = 0; i < set->capacity; i++)
                if (set->used[i])
                        digest_set_add(&larger, set->at[i]);
        digest_set_free(set);
        *set = larger;
}

void digest_set_add(struct digest_set *set, const uint8_t digest[static DIGEST_LEN])
{
        if (2 * (set->count + 1) > set->capacity)
                grow(set);
        size_t at = place_of(set, digest);
        set->count += !set->used[at];
        set->used[at] = 1;
        memcpy(set->at[at], digest, DIGEST_LEN);
}

bool digest_set_has(const struct digest_set *set, const uint8_t digest[static DIGEST_LEN])
{
        return set->capacity && set->used[place_of(set, digest)];
}

void digest_set_free(struct digest_set *set)
{
        free(set->at);
        free(set->used);
        *set = (struct digest_set){ 0 };
}
