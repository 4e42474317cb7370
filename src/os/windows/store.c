/* SPDX-License-Identifier: MIT */
/*
 * From a page file's number and a page in it to the page: global tree -> store -> tree of its pages -> record -> region
 * -> compressed bytes. Each step believes nothing of the one before.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "../../base/bytes.h"
#include "../../base/lz4.h"
#include "../../base/xpress.h"
#include "store_internal.h"

#define MOVES_MAX 16 /* records that say where the record went */
#define CHUNK_LEN_MAX (1u << 20)

/* ---------------------------------------------------------------- the record */

struct record {
        uint32_t key;
        uint16_t len;
};

/* u32 members of the SMKM_STORE. */
static bool numbers(struct store *store, uint64_t smkm, size_t count, const uint16_t *place, uint32_t *ret_number)
{
        for (size_t i = 0; i < count; i++) {
                uint64_t value;
                if (stasis_space_u(&store->kernel, smkm + place[i], 4, &value) != STASIS_OK)
                        return false;
                ret_number[i] = (uint32_t)value;
        }
        return true;
}

/*
 * A chunk key: its upper part, by the place of its highest bit, names one of 32 arrays of chunks, and by the rest an
 * element there; its lower part a record in that chunk.
 */
static enum stasis_status record_place(struct store *store, uint64_t smkm, uint32_t chunk_key, uint64_t *ret_va)
{
        static const uint16_t place[] = { STORE_CHUNK_SHIFT, STORE_CHUNK_MASK, STORE_RECORD_LEN,
                                          STORE_CHUNK_HEADER_LEN };
        uint32_t number[4];
        uint64_t array, page;
        if (!numbers(store, smkm, 4, place, number))
                return store_refuse(store, STASIS_IO, "the store's chunk metadata is not readable");
        unsigned shift = number[0] & 0xff;
        uint32_t upper = shift < 32 ? chunk_key >> shift : 0;
        if (!upper)
                return store_refuse(store, STASIS_CORRUPT, "its chunk key names no chunk");
        unsigned high = 31 - (unsigned)__builtin_clz(upper);
        uint64_t in_page = number[3] + (uint64_t)number[2] * (chunk_key & number[1]);
        if (in_page >= CHUNK_LEN_MAX)
                return store_refuse(store, STASIS_CORRUPT, "its record lies outside its chunk");
        if (stasis_space_u(&store->kernel, smkm + STORE_CHUNK_ARRAYS + high * 8, 8, &array) != STASIS_OK)
                return store_refuse(store, STASIS_IO, "the store's chunk metadata is not readable");
        if (!is_kernel_address(store->w, array) || array % 8)
                return store_refuse(store, STASIS_CORRUPT, "its chunk key names no chunk");
        if (stasis_space_u(&store->kernel, array + (uint64_t)(upper ^ 1u << high) * CHUNK_LEN, 8, &page) != STASIS_OK)
                return store_refuse(store, STASIS_IO, "its chunk is not readable");
        if (!is_kernel_address(store->w, page) || page % STORE_PAGE_SIZE)
                return store_refuse(store, STASIS_CORRUPT, "its chunk has no records");
        *ret_va = page + in_page;
        return STASIS_OK;
}

static enum stasis_status find_record(struct store *store, uint64_t smkm, uint32_t chunk_key, struct record *ret_record)
{
        for (unsigned moves = 0; moves < MOVES_MAX; moves++) {
                uint8_t raw[8];
                uint64_t va;
                enum stasis_status status = record_place(store, smkm, chunk_key, &va);
                if (status != STASIS_OK)
                        return status;
                if (stasis_space_read(&store->kernel, va, raw, sizeof raw) != STASIS_OK)
                        return store_refuse(store, STASIS_IO, "its record is not readable");
                if (load_le32(raw + RECORD_KEY) != RECORD_MOVED) {
                        *ret_record = (struct record){ .key = load_le32(raw + RECORD_KEY),
                                                       .len = load_le16(raw + RECORD_LEN) };
                        return STASIS_OK;
                }
                chunk_key = load_le32(raw + RECORD_NEXT);
        }
        return store_refuse(store, STASIS_CORRUPT, "its record was moved without end");
}

/* ---------------------------------------------------------------- the bytes */

/* Its address in the owner's space. */
static enum stasis_status bytes_place(struct store *store, uint64_t smkm, uint32_t key, size_t len, uint64_t *ret_va)
{
        static const uint16_t place[] = { STORE_REGION_MASK, STORE_REGION_SHIFT };
        uint32_t number[2];
        uint64_t array, region;
        if (!numbers(store, smkm, 2, place, number) ||
            stasis_space_u(&store->kernel, smkm + store->at->regions, 8, &array) != STASIS_OK)
                return store_refuse(store, STASIS_IO, "the store's region numbers are not readable");
        unsigned shift = number[1] & 0xff;
        uint64_t inside = (uint64_t)(key & number[0]) << 4, region_len = ((uint64_t)number[0] + 1) << 4;
        if (shift >= 32 || !is_kernel_address(store->w, array) || array % 8)
                return store_refuse(store, STASIS_CORRUPT, "the store has no regions");
        if (len > region_len - inside)
                return store_refuse(store, STASIS_CORRUPT, "its compressed bytes lie outside their region");
        if (stasis_space_u(&store->kernel, array + (uint64_t)(key >> shift) * 8, 8, &region) != STASIS_OK)
                return store_refuse(store, STASIS_IO, "the address of its region is not readable");
        region &= UINT64_C(0x7fffffffffff0000); /* the rest are marks: F */
        if (!region || region >> 47)
                return store_refuse(store, STASIS_CORRUPT, "its region has no address of a process");
        *ret_va = region + inside;
        return STASIS_OK;
}

static enum stasis_status unpack(struct store *store, struct stasis_bytes packed, uint8_t *page)
{
        size_t len = 0;
        enum stasis_status status = store->at->format ? stasis_xpress_decode(packed, page, STORE_PAGE_SIZE, &len)
                                                      : stasis_lz4_decode(packed, page, STORE_PAGE_SIZE, &len);
        if (status != STASIS_OK || len != STORE_PAGE_SIZE)
                return store_refuse(store, STASIS_CORRUPT, "its compressed bytes do not make a page");
        return STASIS_OK;
}

/*
 * A record of a whole page is not compressed; one without bytes is a page of zeros (M). What else the length's upper
 * four bits mean is not known: they are passed over (F, M), but not where nothing else is left.
 */
static enum stasis_status page_of_record(struct store *store, uint64_t smkm, const struct record *record, uint8_t *page)
{
        uint8_t packed[STORE_PAGE_SIZE];
        uint64_t va;
        size_t len = record->len == STORE_PAGE_SIZE ? STORE_PAGE_SIZE : record->len % STORE_PAGE_SIZE;
        if (!record->len) {
                memset(page, 0, STORE_PAGE_SIZE);
                return STASIS_OK;
        }
        if (!len)
                return store_refuse(store, STASIS_CORRUPT, "the length of its compressed bytes is impossible");
        enum stasis_status status = bytes_place(store, smkm, record->key, len, &va);
        if (status == STASIS_OK)
                status = store_enter_owner(store, smkm);
        if (status != STASIS_OK)
                return status;
        status = stasis_space_read(&store->owner, va, packed, len);
        store->paged_out = status == STASIS_ABSENT;
        if (status != STASIS_OK)
                return store_refuse(store, STASIS_IO,
                                    store->paged_out ? "its compressed bytes are not in memory themselves"
                                                     : "its compressed bytes are not in the image");
        if (len < STORE_PAGE_SIZE)
                return unpack(store, (struct stasis_bytes){ packed, len }, page);
        memcpy(page, packed, STORE_PAGE_SIZE);
        return STASIS_OK;
}

/* ---------------------------------------------------------------- the page */

static enum stasis_status in_tree(struct store *store, uint64_t root, uint32_t key, const char *const why[static 3],
                                  uint32_t *ret_value)
{
        enum stasis_status status = store_tree_find(&store->kernel, root, key, ret_value);
        if (status == STASIS_OK)
                return STASIS_OK;
        return store_refuse(store, status, why[status == STASIS_ABSENT ? 0 : status == STASIS_IO ? 1 : 2]);
}

static enum stasis_status find_store(struct store *store, uint32_t key, uint64_t *ret_smkm)
{
        static const char *const why[] = { "the store manager does not know it",
                                           "a node of the store manager's tree is not readable",
                                           "a node of the store manager's tree is damaged" };
        uint32_t value;
        enum stasis_status status = in_tree(store, store->global_tree, key, why, &value);
        if (status != STASIS_OK)
                return status;
        if (value & STORE_INDEX_NONE)
                return store_refuse(store, STASIS_ABSENT, "the store manager says that it is in no store");
        return store_of_index(store, value & STORE_INDEX_MASK, ret_smkm);
}

static enum stasis_status check_format(struct store *store, uint64_t smkm)
{
        uint64_t format;
        if (!store->at->format)
                return STASIS_OK;
        if (stasis_space_u(&store->kernel, smkm + store->at->format, 2, &format) != STASIS_OK)
                return store_refuse(store, STASIS_IO, "the store's compression format is not readable");
        if (format != COMPRESSION_FORMAT_XPRESS)
                return store_refuse(store, STASIS_UNSUPPORTED, "its store's compression format is not Xpress");
        return STASIS_OK;
}

static enum stasis_status load_page(struct store *store, uint32_t key, uint8_t *page)
{
        static const char *const why[] = { "its store does not know it", "a node of its store's tree is not readable",
                                           "a node of its store's tree is damaged" };
        uint64_t smkm, root;
        uint32_t chunk_key;
        struct record record;
        enum stasis_status status = find_store(store, key, &smkm);
        if (status == STASIS_OK)
                status = check_format(store, smkm);
        if (status != STASIS_OK)
                return status;
        if (stasis_space_u(&store->kernel, smkm + STORE_PAGES_TREE, 8, &root) != STASIS_OK)
                return store_refuse(store, STASIS_IO, "its store's tree is not readable");
        status = in_tree(store, root, key, why, &chunk_key);
        if (status == STASIS_OK)
                status = find_record(store, smkm, chunk_key, &record);
        return status == STASIS_OK ? page_of_record(store, smkm, &record, page) : status;
}

/*
 * One note a page, and no more than can be read; what cannot be decoded is missing. A store of which Windows wrote
 * parts to disk is none that misses anything: such pages are paged out like others, and need no note.
 */
static void note_failure(struct store *store, uint32_t key)
{
        for (size_t i = 0; i < store->noted_count; i++)
                if (store->noted[i] == key)
                        return;
        if (store->noted_count == STORE_NOTED_MAX)
                return;
        store->noted[store->noted_count++] = key;
        system_note(store->w->system, STASIS_NOTE_MISSING, "compressed-page-unreadable", store->manager, -1, -1,
                    "page 0x%x of page file %u is in the compressed store, but cannot be read: %s%s",
                    key & UINT32_C(0x0fffffff), store->pagefile, store->why,
                    store->noted_count == STORE_NOTED_MAX ? "; further ones are not noted" : "");
}

static bool page_key(const struct store *store, uint32_t pagefile, uint64_t page_offset, uint32_t *ret_key)
{
        if (page_offset >> 28)
                return false;
        *ret_key = (store->at->number_in_key ? pagefile << 28 : 0) | (uint32_t)page_offset;
        return true;
}

enum stasis_status store_page(struct store *store, uint32_t pagefile, uint64_t page_offset,
                              uint8_t ret_page[static STORE_PAGE_SIZE])
{
        uint32_t key;
        if (store->busy || !store_is_pagefile(store, pagefile))
                return store_refuse(store, STASIS_ABSENT, "it is not a page of the virtual store");
        if (!page_key(store, pagefile, page_offset, &key))
                return store_refuse(store, STASIS_CORRUPT, "no page file has so many pages");
        struct store_cached *cached = &store->cache[(key ^ key >> 8) % STORE_CACHE_SIZE];
        if (!cached->used || cached->key != key) {
                store->busy = true;
                store->paged_out = false;
                cached->status = load_page(store, key, cached->page);
                store->busy = false;
                cached->used = true;
                cached->key = key;
                cached->why = cached->status == STASIS_OK ? "" : store->why;
                if (cached->status != STASIS_OK && !store->paged_out)
                        note_failure(store, key);
        }
        store->why = cached->why;
        if (cached->status == STASIS_OK)
                memcpy(ret_page, cached->page, STORE_PAGE_SIZE);
        return cached->status;
}

/* ---------------------------------------------------------------- the handle */

bool store_is_pagefile(const struct store *store, uint32_t pagefile) { return pagefile == store->pagefile; }

const char *store_why(const struct store *store) { return store->why; }

static enum stasis_status places_for(const struct windows *w, const struct store_places **ret_places)
{
        enum { BUILD_10 = 10240 };
        uint32_t build = w->version.build;
        if (is_virtual(w) || build < BUILD_10)
                return STASIS_ABSENT;
        *ret_places = w->is64 ? store_places_of(build) : NULL;
        if (!*ret_places)
                system_trace(w->system, "store", false, "compressed store: places of this build (%u, %s) not known",
                             build, w->is64 ? "x64" : "x86");
        return *ret_places ? STASIS_OK : STASIS_UNSUPPORTED;
}

enum stasis_status store_open(struct windows *w, struct store **ret_store)
{
        const struct store_places *at;
        enum stasis_status status = places_for(w, &at);
        if (status != STASIS_OK)
                return status;
        struct store *store = calloc(1, sizeof *store);
        if (!store)
                return STASIS_NOMEM;
        store->w = w;
        store->at = at;
        store->why = "";
        stasis_space_init(&store->kernel, w->image, w->kernel->paging, w->kernel->root);
        pager_attach(w->pager, &store->kernel, w->system_object, &store->kernel_view);
        status = store_find(store);
        if (status != STASIS_OK) {
                store_close(store);
                return status;
        }
        *ret_store = store;
        return STASIS_OK;
}

void store_close(struct store *store) { free(store); }
