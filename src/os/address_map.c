/* SPDX-License-Identifier: MIT */
#include "address_map.h"

#include <stdlib.h>

#define FIRST_CAPACITY 256

/*
 * Every bit of the address counts (a hostile image places its objects as it likes), and so does where the table lies:
 * who does not know that cannot make all of them meet in one slot.
 */
static size_t hash(uint64_t address, const void *seed)
{
        uint64_t x = address ^ (uint64_t)(uintptr_t)seed;
        for (int i = 0; i < 2; i++) {
                x ^= x >> 32;
                x *= UINT64_C(0xd6e8feb86659fd93);
        }
        return (size_t)(x ^ x >> 32);
}

/* Linear probing. */
static struct address_slot *slot_of(struct address_slot *slot, size_t capacity, uint64_t address)
{
        size_t i = hash(address, slot) & (capacity - 1);
        while (slot[i].index && slot[i].address != address)
                i = (i + 1) & (capacity - 1);
        return &slot[i];
}

static bool grow(struct address_map *map)
{
        size_t capacity = map->capacity ? 2 * map->capacity : FIRST_CAPACITY;
        struct address_slot *slot = calloc(capacity, sizeof *slot);
        if (!slot)
                return false;
        for (size_t i = 0; i < map->capacity; i++)
                if (map->slot[i].index)
                        *slot_of(slot, capacity, map->slot[i].address) = map->slot[i];
        free(map->slot);
        map->slot = slot;
        map->capacity = capacity;
        return true;
}

bool address_map_put(struct address_map *map, uint64_t address, uint32_t index)
{
        if (2 * (map->count + 1) > map->capacity && !grow(map))
                return false;
        struct address_slot *slot = slot_of(map->slot, map->capacity, address);
        map->count += !slot->index;
        *slot = (struct address_slot){ .address = address, .index = index + 1 };
        return true;
}

uint32_t address_map_get(const struct address_map *map, uint64_t address)
{
        if (!map->capacity)
                return ADDRESS_MAP_NONE;
        const struct address_slot *slot = slot_of(map->slot, map->capacity, address);
        return slot->index ? slot->index - 1 : ADDRESS_MAP_NONE;
}

void address_map_free(struct address_map *map)
{
        free(map->slot);
        *map = (struct address_map){ 0 };
}
