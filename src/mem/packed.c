/* SPDX-License-Identifier: MIT */
/* The pages of a packed image: those that were given out, and those that were read last. */
#include "packed.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "image.h"

enum { PAGE_SIZE = 4096, SLOTS = 2 * STASIS_PACKED_KEPT };

/* Keys are pa + 1, so that zeroed is empty. Tables and pages are made when they are first wanted. */
struct kept {
        uint64_t key;
        uint8_t *page;
};

struct recent {
        uint64_t key;
        uint8_t *page; /* its bytes are changed for another page's */
};

struct stasis_packed {
        pthread_mutex_t lock; /* of all that follows; never held while a page is unpacked */
        size_t kept_count;
        struct kept *kept; /* SLOTS, open addressing, at most half full; NULL: not made yet */
        struct recent recent[STASIS_PACKED_RECENT];
};

struct stasis_packed *stasis_packed_open(void)
{
        struct stasis_packed *packed = calloc(1, sizeof *packed);
        if (packed && pthread_mutex_init(&packed->lock, NULL) == 0)
                return packed;
        free(packed);
        return NULL;
}

void stasis_packed_close(struct stasis_packed *packed)
{
        if (!packed)
                return;
        for (size_t i = 0; packed->kept && i < SLOTS; i++)
                free(packed->kept[i].page);
        for (size_t i = 0; i < STASIS_PACKED_RECENT; i++)
                free(packed->recent[i].page);
        free(packed->kept);
        pthread_mutex_destroy(&packed->lock);
        free(packed);
}

/* Where the page is, or where it would be entered. */
static size_t kept_slot(const struct stasis_packed *packed, uint64_t pa)
{
        uint64_t pfn = pa / PAGE_SIZE;
        size_t slot = (size_t)((pfn ^ pfn >> 14) % SLOTS);
        while (packed->kept[slot].page && packed->kept[slot].key != pa + 1)
                slot = (slot + 1) % SLOTS;
        return slot;
}

static struct recent *recent_slot(struct stasis_packed *packed, uint64_t pa)
{
        uint64_t pfn = pa / PAGE_SIZE;
        return &packed->recent[(pfn ^ pfn >> 10) % STASIS_PACKED_RECENT];
}

static const uint8_t *kept_page(const struct stasis_packed *packed, uint64_t pa)
{
        return packed->kept ? packed->kept[kept_slot(packed, pa)].page : NULL;
}

/* page becomes the memory's; another thread may have been faster, then its page is the one. NULL: there is no room. */
static const uint8_t *keep(struct stasis_packed *packed, uint64_t pa, uint8_t *page)
{
        pthread_mutex_lock(&packed->lock);
        if (!packed->kept)
                packed->kept = calloc(SLOTS, sizeof *packed->kept);
        const uint8_t *kept = kept_page(packed, pa);
        if (packed->kept && !kept && packed->kept_count < STASIS_PACKED_KEPT) {
                packed->kept[kept_slot(packed, pa)] = (struct kept){ pa + 1, page };
                packed->kept_count++;
                kept = page;
                page = NULL;
        }
        pthread_mutex_unlock(&packed->lock);
        free(page);
        return kept;
}

const uint8_t *stasis_packed_page(const struct stasis_image *image, uint64_t pa)
{
        struct stasis_packed *packed = image->packed;
        pthread_mutex_lock(&packed->lock);
        const uint8_t *kept = kept_page(packed, pa);
        bool room = packed->kept_count < STASIS_PACKED_KEPT;
        pthread_mutex_unlock(&packed->lock);
        if (kept || !room)
                return kept;
        uint8_t *page = malloc(PAGE_SIZE);
        if (page && stasis_image_unpack_page(image, pa, page) == STASIS_OK)
                return keep(packed, pa, page);
        free(page);
        return NULL;
}

static bool remembered(struct stasis_packed *packed, uint64_t pa, size_t at, void *buf, size_t len)
{
        pthread_mutex_lock(&packed->lock);
        const struct recent *recent = recent_slot(packed, pa);
        const uint8_t *page = kept_page(packed, pa);
        if (!page && recent->key == pa + 1)
                page = recent->page;
        if (page)
                memcpy(buf, page + at, len);
        pthread_mutex_unlock(&packed->lock);
        return page;
}

static void remember(struct stasis_packed *packed, uint64_t pa, const uint8_t *page)
{
        pthread_mutex_lock(&packed->lock);
        struct recent *recent = recent_slot(packed, pa);
        if (!recent->page)
                recent->page = malloc(PAGE_SIZE);
        if (recent->page) {
                recent->key = pa + 1;
                memcpy(recent->page, page, PAGE_SIZE);
        }
        pthread_mutex_unlock(&packed->lock);
}

enum stasis_status stasis_packed_read(const struct stasis_image *image, uint64_t pa, size_t at, void *buf, size_t len)
{
        struct stasis_packed *packed = image->packed;
        if (remembered(packed, pa, at, buf, len))
                return STASIS_OK;
        if (len == PAGE_SIZE) /* whoever reads whole pages goes through many, once */
                return stasis_image_unpack_page(image, pa, buf);
        uint8_t page[PAGE_SIZE];
        enum stasis_status status = stasis_image_unpack_page(image, pa, page);
        if (status != STASIS_OK)
                return status;
        remember(packed, pa, page);
        memcpy(buf, page + at, len);
        return STASIS_OK;
}
