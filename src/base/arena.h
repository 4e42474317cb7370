/* SPDX-License-Identifier: MIT */
/* Memory that dies together. Nothing in an arena is freed alone. */
#ifndef STASIS_BASE_ARENA_H
#define STASIS_BASE_ARENA_H

#include <stddef.h>

#include <stasis/stasis.h>

struct stasis_arena_block;
struct stasis_arena { /* zeroed is empty and ready */
        struct stasis_arena_block *head;
        size_t used, limit; /* limit 0: none */
};

/* Zeroed, aligned for anything; NULL where memory (or the limit) is exhausted. */
void *stasis_arena_alloc(struct stasis_arena *arena, size_t size) STASIS_MUST_CHECK;
char *stasis_arena_strndup(struct stasis_arena *arena, const char *text, size_t len) STASIS_MUST_CHECK;
char *stasis_arena_printf(struct stasis_arena *arena, const char *fmt, ...) STASIS_PRINTF(2, 3) STASIS_MUST_CHECK;
/* Forgets the content, keeps one block for reuse. */
void stasis_arena_reset(struct stasis_arena *arena);
void stasis_arena_free(struct stasis_arena *arena);

#define arena_new(arena, type) ((type *)stasis_arena_alloc((arena), sizeof(type)))
#define arena_array(arena, type, count) ((type *)stasis_arena_array((arena), sizeof(type), (count)))
void *stasis_arena_array(struct stasis_arena *arena, size_t size, size_t count) STASIS_MUST_CHECK;

/* A growing array outside any arena: returns false where memory is exhausted. items is a T **. */
bool stasis_grow(void *items, size_t *capacity, size_t want, size_t item_size) STASIS_MUST_CHECK;

#endif
