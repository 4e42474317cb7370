/* SPDX-License-Identifier: MIT */
/* Blocks by their place, and the few that were unpacked last. The indexes are in blocks_xz.c and blocks_zstd.c. */
#include "blocks.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arena.h"
#include "blocks_index.h"
#include "bytes.h"
#include "error.h"
#include "guard.h"

#define REMEMBERED (16u << 20) /* bytes of unpacked blocks */
enum { SLOTS_MIN = 4, SLOTS_MAX = 256 };

/* A block has one slot that it may be in, so that who wants another block waits for nobody. */
struct slot {
        pthread_mutex_t lock;
        size_t block; /* its number; SIZE_MAX: none */
        uint8_t *bytes;
};

struct blocks {
        int fd;
        uint64_t base;
        const struct blocks_method *method;
        struct blocks_index index;
        size_t largest;
        struct slot slot[SLOTS_MAX];
        size_t slots;
};

static const struct blocks_method *const methods[] = { &blocks_xz, &blocks_zstd };

bool blocks_index_add(struct blocks_index *index, const struct block *block)
{
        if (!stasis_grow(&index->block, &index->capacity, index->count + 1, sizeof *index->block))
                return false;
        index->block[index->count] = *block;
        index->block[index->count++].off = index->len;
        index->len += block->len;
        return true;
}

static enum stasis_status check(struct blocks *b, uint64_t file_len, uint64_t limit, struct stasis_error *err)
{
        for (size_t i = 0; i < b->index.count; i++) {
                const struct block *block = &b->index.block[i];
                if (block->at > file_len || block->packed > file_len - block->at || block->len == 0)
                        return stasis_fail(err, STASIS_CORRUPT, "its index names bytes that it does not have");
                if (block->len > BLOCKS_LEN_MAX || block->packed > 2 * BLOCKS_LEN_MAX)
                        return stasis_fail(err, STASIS_ABSENT, "its blocks are larger than %u MiB",
                                           BLOCKS_LEN_MAX >> 20);
                b->largest = block->len > b->largest ? (size_t)block->len : b->largest;
        }
        if (b->index.count < 2)
                return stasis_fail(err, STASIS_ABSENT, "it is one block");
        if (b->index.len > limit)
                return stasis_fail(err, STASIS_LIMIT, "unpacks to more than the limit of %llu bytes",
                                   (unsigned long long)limit);
        return STASIS_OK;
}

static void make_slots(struct blocks *b)
{
        size_t slots = REMEMBERED / b->largest;
        slots = slots < SLOTS_MIN ? SLOTS_MIN : slots > SLOTS_MAX ? SLOTS_MAX : slots;
        for (; b->slots < slots; b->slots++) {
                b->slot[b->slots].block = SIZE_MAX;
                if (pthread_mutex_init(&b->slot[b->slots].lock, NULL) != 0)
                        break;
        }
}

DEFINE_CLEANUP(struct blocks *, blocks_close)

enum stasis_status blocks_open(int fd, uint64_t base, struct stasis_bytes file, uint64_t limit,
                               struct blocks **ret_blocks, struct stasis_error *err)
{
        _cleanup_(blocks_closep) struct blocks *b = calloc(1, sizeof *b);
        if (!b)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        b->fd = fd;
        b->base = base;
        b->largest = 1;
        enum stasis_status status = stasis_fail(err, STASIS_ABSENT, "it has no index");
        for (size_t i = 0; i < sizeof methods / sizeof *methods && status == STASIS_ABSENT; i++) {
                b->method = methods[i];
                status = b->method->index(file, &b->index, err);
        }
        if (status == STASIS_OK)
                status = check(b, file.len, limit, err);
        if (status != STASIS_OK)
                return status;
        make_slots(b);
        if (b->slots == 0)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        *ret_blocks = b;
        b = NULL;
        return STASIS_OK;
}

void blocks_close(struct blocks *b)
{
        if (!b)
                return;
        for (size_t i = 0; i < b->slots; i++) {
                pthread_mutex_destroy(&b->slot[i].lock);
                free(b->slot[i].bytes);
        }
        free(b->index.block);
        free(b);
}

uint64_t blocks_len(const struct blocks *b) { return b->index.len; }
size_t blocks_count(const struct blocks *b) { return b->index.count; }

/* ---------------------------------------------------------------- reading */

static size_t number_at(const struct blocks *b, uint64_t off)
{
        size_t low = 0, high = b->index.count; /* the first that begins above off is in [low, high] */
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (b->index.block[middle].off <= off)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low - 1;
}

static enum stasis_status read_file(int fd, uint64_t at, uint8_t *to, size_t len)
{
        while (len) {
                ssize_t n = pread(fd, to, len, (off_t)at);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return STASIS_IO;
                to += n;
                at += (uint64_t)n;
                len -= (size_t)n;
        }
        return STASIS_OK;
}

static enum stasis_status unpack(const struct blocks *b, const struct block *block, uint8_t *to)
{
        _cleanup_free_ uint8_t *packed = malloc((size_t)block->packed);
        if (!packed)
                return STASIS_NOMEM;
        enum stasis_status status = read_file(b->fd, b->base + block->at, packed, (size_t)block->packed);
        return status == STASIS_OK ? b->method->unpack(block, packed, to) : status;
}

/* With the slot's lock held: the block's bytes are in it. */
static enum stasis_status load(struct blocks *b, struct slot *slot, size_t number)
{
        struct block *block = &b->index.block[number];
        if (slot->block == number)
                return STASIS_OK;
        if (block->bad)
                return STASIS_CORRUPT;
        if (!slot->bytes)
                slot->bytes = malloc(b->largest);
        if (!slot->bytes)
                return STASIS_NOMEM;
        slot->block = SIZE_MAX;
        enum stasis_status status = unpack(b, block, slot->bytes);
        block->bad = status == STASIS_CORRUPT; /* its slot's lock is this one: nobody else looks */
        if (status == STASIS_OK)
                slot->block = number;
        return status;
}

enum stasis_status blocks_read(struct blocks *b, uint64_t off, void *buf, size_t len)
{
        uint8_t *to = buf;
        enum stasis_status status = STASIS_OK;
        for (size_t number = number_at(b, off); len && status == STASIS_OK; number++) {
                const struct block *block = &b->index.block[number];
                struct slot *slot = &b->slot[number % b->slots];
                size_t from = (size_t)(off - block->off), piece = (size_t)block->len - from;
                piece = piece < len ? piece : len;
                pthread_mutex_lock(&slot->lock);
                status = load(b, slot, number);
                if (status == STASIS_OK)
                        memcpy(to, slot->bytes + from, piece);
                pthread_mutex_unlock(&slot->lock);
                to += piece;
                off += piece;
                len -= piece;
        }
        return status;
}
