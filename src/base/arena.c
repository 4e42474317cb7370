/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

enum { BLOCK_MIN = 4096, BLOCK_MAX = 256 * 1024, ALIGN = _Alignof(max_align_t) };

struct stasis_arena_block {
        struct stasis_arena_block *next;
        size_t size, used; /* of data */
        _Alignas(max_align_t) unsigned char data[];
};

static struct stasis_arena_block *block_new(struct stasis_arena *arena, size_t size)
{
        /* Blocks double, so that a small arena stays small and a big one needs few of them. */
        size_t want = arena->head ? arena->head->size * 2 : BLOCK_MIN;
        if (want > BLOCK_MAX)
                want = BLOCK_MAX;
        if (want < size)
                want = size;
        if (want > SIZE_MAX - sizeof(struct stasis_arena_block))
                return NULL;
        struct stasis_arena_block *block = malloc(sizeof *block + want);
        if (!block)
                return NULL;
        block->next = arena->head;
        block->size = want;
        block->used = 0;
        return arena->head = block;
}

void *stasis_arena_alloc(struct stasis_arena *arena, size_t size)
{
        if (size > SIZE_MAX - ALIGN)
                return NULL;
        size = size ? (size + ALIGN - 1) / ALIGN * ALIGN : ALIGN;
        if (arena->limit && (size > arena->limit || arena->used > arena->limit - size))
                return NULL;
        struct stasis_arena_block *block = arena->head;
        if (!block || block->size - block->used < size)
                block = block_new(arena, size);
        if (!block)
                return NULL;
        void *at = block->data + block->used;
        block->used += size;
        arena->used += size;
        return memset(at, 0, size);
}

void *stasis_arena_array(struct stasis_arena *arena, size_t size, size_t count)
{
        size_t total;
        if (__builtin_mul_overflow(size, count, &total))
                return NULL;
        return stasis_arena_alloc(arena, total);
}

char *stasis_arena_strndup(struct stasis_arena *arena, const char *text, size_t len)
{
        len = strnlen(text, len);
        char *copy = stasis_arena_alloc(arena, len + 1);
        if (copy)
                memcpy(copy, text, len);
        return copy;
}

char *stasis_arena_printf(struct stasis_arena *arena, const char *fmt, ...)
{
        va_list ap, again;
        va_start(ap, fmt);
        va_copy(again, ap);
        int len = vsnprintf(NULL, 0, fmt, ap);
        va_end(ap);
        char *text = len < 0 ? NULL : stasis_arena_alloc(arena, (size_t)len + 1);
        if (text)
                vsnprintf(text, (size_t)len + 1, fmt, again);
        va_end(again);
        return text;
}

void stasis_arena_reset(struct stasis_arena *arena)
{
        struct stasis_arena_block *keep = arena->head;
        if (!keep)
                return;
        for (struct stasis_arena_block *b = keep->next, *next; b; b = next) {
                next = b->next;
                free(b);
        }
        keep->next = NULL;
        keep->used = 0;
        arena->used = 0;
}

void stasis_arena_free(struct stasis_arena *arena)
{
        stasis_arena_reset(arena);
        free(arena->head);
        arena->head = NULL;
}

bool stasis_grow(void *items, size_t *capacity, size_t want, size_t item_size)
{
        if (want <= *capacity)
                return true;
        size_t count = *capacity ? *capacity : 8, total;
        while (count < want)
                count = count > SIZE_MAX / 2 ? want : count * 2;
        if (__builtin_mul_overflow(count, item_size, &total))
                return false;
        void *old, *grown;
        memcpy(&old, items, sizeof old); /* items is a T ** of any T: no cast can say that */
        grown = realloc(old, total);
        if (!grown)
                return false;
        memcpy(items, &grown, sizeof grown);
        *capacity = count;
        return true;
}
