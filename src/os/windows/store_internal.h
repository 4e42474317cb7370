/* SPDX-License-Identifier: MIT */
/*
 * The structures of the store manager, x64. None of them is in a public PDB; their names are those of the symbols that
 * work on them (?StDmSinglePageCopy@?$ST_STORE@USM_TRAITS@@@@...). Two works tell their places:
 *
 *   F  FireEye's plugins for Volatility 2 and Rekall (2019, "Finding Evil in Windows 10 Compressed Memory"), 1607 -
 * 1903: github.com/mandiant/win10_volatility, overlays/windows/win10_memcompression.py; how the places were got out of
 *      the kernels' code: github.com/mandiant/win10_auto
 *   M  MemProcFS 5.17, vmm/mm/mm_win.c, 1607 - 24H2
 */
#ifndef STASIS_OS_WINDOWS_STORE_INTERNAL_H
#define STASIS_OS_WINDOWS_STORE_INTERNAL_H

#include "../../mem/space.h"
#include "store.h"
#include "windows.h"

/* F and M agree on these, from 1607 on. */
enum {
        /* SMKM_STORE_MGR, which SmGlobals begins with (until 22000) */
        MGR_METADATA = 0x0, /* 32 pointers, each to 32 SMKM_STORE_METADATA */
        MGR_GLOBAL_TREE = 0x1c0,
        METADATA_LEN = 0x28,
        METADATA_STORE = 0x0, /* SMKM_STORE; NULL: none of this index */
        STORES_MAX = 1024,
        STORE_INDEX_MASK = 0x3ff,   /* of a value of the global tree */
        STORE_INDEX_NONE = 1 << 24, /* and its bit that says: not valid */

        /* SMKM_STORE: ST_STORE is its first member, ST_DATA_MGR lies in that */
        STORE_PAGES_TREE = 0x50 + 0x0,
        STORE_CHUNK_ARRAYS = 0x50 + 0xc0, /* SMHP_CHUNK_METADATA: 32 pointers, then four numbers */
        STORE_CHUNK_SHIFT = 0x50 + 0xc0 + 0x108,
        STORE_CHUNK_MASK = 0x50 + 0xc0 + 0x10c,
        STORE_RECORD_LEN = 0x50 + 0xc0 + 0x110,
        STORE_CHUNK_HEADER_LEN = 0x50 + 0xc0 + 0x118,
        STORE_SELF = 0x50 + 0x320, /* the SMKM_STORE that this lies in */
        STORE_REGION_MASK = 0x50 + 0x328,
        STORE_REGION_SHIFT = 0x50 + 0x32c,

        CHUNK_LEN = 0x10, /* of an element of a chunk array; its first member points to the page with the records */
        RECORD_KEY = 0x0, /* ST_PAGE_RECORD; where it is in the regions, in units of 16 bytes */
        RECORD_LEN = 0x4,
        RECORD_NEXT = 0x4, /* where Key is RECORD_MOVED */

        /* _MMPAGING_FILE; public PDBs of 14393 - 22000 have it, M says the same of later ones */
        PAGING_FILE_NUMBER = 0xcc, /* bits 0 - 3; bit 6: VirtualStorePagefile */
        PAGING_FILE_VIRTUAL = 0x40,
        PAGING_FILES_MAX = 16,
};
#define RECORD_MOVED UINT32_MAX

/* What differs by build. */
struct store_places {
        uint32_t first, last; /* builds */
        uint16_t regions;     /* SMKM_STORE: pointer to the array of the regions' addresses in the owner's space */
        uint16_t owner;       /* SMKM_STORE: EPROCESS of MemCompression */
        uint16_t format;      /* SMKM_STORE: u16, COMPRESSION_FORMAT_XPRESS; 0: not known, and the pages are LZ4 */
        uint16_t link, back;  /* the manager is what SmGlobals + link points to, less back; 0, 0: SmGlobals itself */
        bool number_in_key;   /* page keys: the page file's number is bits 28 - 31 */
        const char *source;
};
/* NULL: not known. */
const struct store_places *store_places_of(uint32_t build);

/* The B+trees: u32 keys, u32 values. STASIS_ABSENT: it is not in the tree; STASIS_IO: a node is not readable;
 * STASIS_CORRUPT: a node cannot be one. */
enum stasis_status store_tree_find(struct stasis_space *space, uint64_t root, uint32_t key,
                                   uint32_t *ret_value) STASIS_MUST_CHECK;
enum stasis_status store_tree_first(struct stasis_space *space, uint64_t root, uint32_t *ret_key) STASIS_MUST_CHECK;

#define STORE_CACHE_SIZE 32
#define STORE_NOTED_MAX 64

/* A page that was asked for, or why there is none. */
struct store_cached {
        bool used;
        uint32_t key;
        enum stasis_status status;
        const char *why;
        uint8_t page[STORE_PAGE_SIZE];
};

struct store {
        struct windows *w;
        const struct store_places *at;
        /* Its own: a caller's space may be in the middle of a fault. Pages of these that are not there may be in
         * transition or in a page file, but never in the store. */
        struct stasis_space kernel, owner;
        struct pager_view kernel_view, owner_view;
        uint64_t manager, global_tree;
        uint64_t owner_object; /* whose space owner is; 0: nobody's yet */
        uint32_t pagefile;
        bool busy; /* the store's own pages are not in the store */
        const char *why;
        bool paged_out; /* the last page's compressed bytes: in a page file that was not given */
        uint32_t noted[STORE_NOTED_MAX];
        size_t noted_count;
        struct store_cached cache[STORE_CACHE_SIZE];
};

static inline enum stasis_status store_refuse(struct store *store, enum stasis_status status, const char *why)
{
        store->why = why;
        return status;
}

/* ---- store_find.c */
/* The SMKM_STORE of this index, by its pointer to itself. */
enum stasis_status store_of_index(struct store *store, uint32_t index, uint64_t *ret_smkm) STASIS_MUST_CHECK;
/* Fills manager, global_tree, owner_object and pagefile; leaves its trace. */
enum stasis_status store_find(struct store *store) STASIS_MUST_CHECK;
/* Makes owner the space of the process that this SMKM_STORE names. */
enum stasis_status store_enter_owner(struct store *store, uint64_t smkm) STASIS_MUST_CHECK;

#endif
