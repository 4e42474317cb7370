/* SPDX-License-Identifier: MIT */
/* Questions to kallsyms' tables, once kallsyms_shape.c has found them. */
#include <stdlib.h>
#include <string.h>

#include "../../base/bytes.h"
#include "kallsyms_internal.h"

void kallsyms_close(struct kallsyms *k)
{
        if (!k)
                return;
        free(k->bytes);
        free(k->marker);
        free(k->hash);
        free(k);
}

uint32_t kallsyms_count(const struct kallsyms *k) { return k->count; }
uint8_t kallsyms_pointer_size(const struct kallsyms *k) { return k->pointer_size; }
uint64_t kallsyms_token_table_pa(const struct kallsyms *k) { return k->token_pa; }
const char *kallsyms_shape(const struct kallsyms *k) { return k->shape; }

bool kallsyms_placed(const struct kallsyms *k) { return k->placed; }

void kallsyms_place(struct kallsyms *k, uint64_t higher)
{
        k->base += k->placed ? 0 : higher;
        k->placed = true;
}

uint64_t kallsyms_address(const struct kallsyms *k, uint32_t index)
{
        if (index >= k->count)
                return 0;
        if (k->form == KALLSYMS_WHOLE)
                return load_le(k->address + (size_t)index * k->pointer_size, k->pointer_size);
        uint32_t offset = load_le32(k->address + (size_t)index * 4);
        uint64_t mask = k->pointer_size == 8 ? UINT64_MAX : UINT32_MAX, wide = (uint64_t)(int64_t)(int32_t)offset;
        if (k->form == KALLSYMS_RELATIVE)
                return (k->base + (uint64_t)index * 4 + wide) & mask;
        if (k->form == KALLSYMS_OFFSET)
                return (k->base + offset) & mask;
        return (int32_t)offset >= 0 ? offset : (k->base - 1 - wide) & mask;
}

/* One symbol at names + *at: its tokens. Long ones have two bytes of length since 6.1. */
bool kallsyms_next(const struct kallsyms *k, size_t *at, const uint8_t **ret_code, size_t *ret_count)
{
        if (*at >= k->names_len)
                return false;
        size_t count = k->names[(*at)++];
        if (count & 0x80) {
                if (*at >= k->names_len)
                        return false;
                count = (count & 0x7f) | (size_t)k->names[(*at)++] << 7;
        }
        if (count == 0 || count > k->names_len - *at)
                return false;
        *ret_code = k->names + *at;
        *ret_count = count;
        *at += count;
        return true;
}

static const char *token_of(const struct kallsyms *k, uint8_t code) { return k->token + k->token_index[code]; }

/* The type's letter, then the name. */
static char expand(const struct kallsyms *k, const uint8_t *code, size_t count, char *buf, size_t len)
{
        size_t used = 0;
        char type = 0;
        for (size_t i = 0; i < count; i++)
                for (const char *from = token_of(k, code[i]); *from; from++) {
                        if (!type)
                                type = *from;
                        else if (used + 1 < len)
                                buf[used++] = *from;
                }
        buf[used] = '\0';
        return type;
}

char kallsyms_name(const struct kallsyms *k, uint32_t index, char *buf, size_t len)
{
        const uint8_t *code = NULL;
        size_t count = 0;
        if (index >= k->count)
                return 0;
        size_t at = k->marker[index / KALLSYMS_MARKER];
        for (uint32_t i = 0; i <= index % KALLSYMS_MARKER; i++)
                if (!kallsyms_next(k, &at, &code, &count))
                        return 0;
        return expand(k, code, count, buf, len);
}

static uint32_t hash_of(const char *name)
{
        uint32_t hash = 2166136261u;
        for (; *name; name++)
                hash = (hash ^ (uint8_t)*name) * 16777619u;
        return hash;
}

/* Where each name is, so that many can be asked for; made by the first question. */
static bool hash_make(struct kallsyms *k)
{
        char name[KALLSYMS_NAME_MAX];
        const uint8_t *code;
        size_t at = 0, count, slots = 1024;
        while (slots < (size_t)k->count * 2)
                slots *= 2;
        k->hash = calloc(slots, sizeof *k->hash);
        if (!k->hash)
                return false;
        k->hash_mask = slots - 1;
        for (uint32_t i = 0; i < k->count && kallsyms_next(k, &at, &code, &count); i++) {
                expand(k, code, count, name, sizeof name);
                size_t slot = hash_of(name) & k->hash_mask;
                while (k->hash[slot])
                        slot = (slot + 1) & k->hash_mask;
                k->hash[slot] = i + 1;
        }
        return true;
}

bool kallsyms_find(struct kallsyms *k, const char *name, uint64_t *ret_address)
{
        char found[KALLSYMS_NAME_MAX];
        if (!k->hash && !hash_make(k))
                return false;
        for (size_t slot = hash_of(name) & k->hash_mask; k->hash[slot]; slot = (slot + 1) & k->hash_mask)
                if (kallsyms_name(k, k->hash[slot] - 1, found, sizeof found) && strcmp(found, name) == 0) {
                        *ret_address = kallsyms_address(k, k->hash[slot] - 1);
                        return true;
                }
        return false;
}

bool kallsyms_at(const struct kallsyms *k, uint64_t va, uint32_t *ret_index, uint64_t *ret_end)
{
        uint32_t low = 0, high = k->count; /* the first symbol above va is in [low, high] */
        while (low < high) {
                uint32_t middle = low + (high - low) / 2;
                if (kallsyms_address(k, middle) <= va)
                        low = middle + 1;
                else
                        high = middle;
        }
        if (low == 0 || low == k->count)
                return false;
        uint32_t index = low - 1;
        *ret_end = kallsyms_address(k, low);
        while (index && kallsyms_address(k, index - 1) == kallsyms_address(k, index))
                index--;
        *ret_index = index;
        return true;
}
