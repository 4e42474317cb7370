/* SPDX-License-Identifier: MIT */
/*
 * A compressed store in a tiny system (x64): beta becomes MemCompression and holds two regions; the kernel's variables
 * get SmGlobals, the pool the trees, the store and its chunks. Places are spelled out again from what FireEye's plugins
 * and MemProcFS tell (docs/COMPRESSED-STORE.md), not from src/os/windows.
 */
#ifndef STASIS_TEST_TINY_STORE_H
#define STASIS_TEST_TINY_STORE_H

#include "tiny.h"

#define TINY_STORE_OWNER TINY_BETA
#define TINY_STORE_REGION UINT64_C(0x1c00a0000) /* of region 1; region 0 is 0x100000 below */
#define TINY_STORE_RECORDS 48

struct tiny_store_build {
        uint32_t build;
        uint16_t regions, owner, format, link, back;
        bool number_in_key;
};
extern const struct tiny_store_build tiny_store_builds[]; /* ended by build 0 */

struct tiny_store {
        const struct tiny_store_build *build;
        uint32_t pagefile;
        uint64_t globals, manager;         /* SmGlobals, SMKM_STORE_MGR */
        uint64_t root, left, right, pages; /* nodes: of the global tree; the only one of the pages' tree */
        uint64_t array;                    /* 32 SMKM_STORE_METADATA; the store is number 5 */
        uint64_t smkm, chunk_arrays, chunk[3], regions;
        uint64_t paging_files;  /* MiSystemPartition.Vp.PagingFile */
        uint32_t records, used; /* how many records there are; how much of region 0 is used, in units of 16 bytes */
};

#define TINY_STORE_INDEX 5
/* The paging files, of which pagefile is the virtual store; */
void tiny_store_build(struct tiny *t, struct tiny_store *s, uint32_t build, uint32_t pagefile);
/*
 * A page under the number that the page file's entry has; numbers must rise. Numbers from 0x1000 on are known to the
 * right leaf of the global tree, smaller ones to the left one. len: of its compressed bytes, as its record says;
 * returns where its record is.
 */
uint64_t tiny_store_put(struct tiny *t, struct tiny_store *s, uint32_t number, const uint8_t *bytes, size_t len);
uint32_t tiny_store_key(const struct tiny_store *s, uint32_t number);
/* The chunk key of record number i. */
uint32_t tiny_store_chunk_key(uint32_t i);

#endif
