/* SPDX-License-Identifier: MIT */
/* From the address of an object to its index in a table that somebody else keeps. */
#ifndef STASIS_OS_ADDRESS_MAP_H
#define STASIS_OS_ADDRESS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDRESS_MAP_NONE UINT32_MAX

/* Zeroed is empty. */
struct address_map {
        struct address_slot {
                uint64_t address;
                uint32_t index; /* plus one, so that zeroed is empty */
        } * slot;
        size_t count, capacity; /* a power of two, or 0 */
};

/* Puts in place of what was there. False where memory is exhausted; the map is then as before. */
bool address_map_put(struct address_map *map, uint64_t address, uint32_t index);
uint32_t address_map_get(const struct address_map *map, uint64_t address); /* ADDRESS_MAP_NONE: not there */
void address_map_free(struct address_map *map);                            /* and empties it */

#endif
