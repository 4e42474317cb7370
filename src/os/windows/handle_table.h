/* SPDX-License-Identifier: MIT */
/*
 * Handle tables: those of the processes, and PspCidTable, whose handles are the ids of processes and threads. One
 * structure (_HANDLE_TABLE), three ways of packing an entry:
 *
 *   until 7        a pointer with flags in its low three bits
 *   8              ObjectPointerBits of the layout: address >> 4 (x86: >> 3) in a bit-field, whose place moved in 8.1
 *   five levels    bits 11..63 whatever the layout says: kernels for LA57 share the layouts of their four-level twins
 * in all but this (facts/windows/REPORT.md, 6.2)
 *
 * An entry of a process names the object's header, one of PspCidTable its body (the same, 6.3). No struct windows here,
 * and no opinion on what an object is: the caller asks that of the address.
 */
#ifndef STASIS_OS_WINDOWS_HANDLE_TABLE_H
#define STASIS_OS_WINDOWS_HANDLE_TABLE_H

#include <stasis/stasis.h>

#include "../../mem/space.h"
#include "../layout.h"
#include "../rows.h"

/* ExHandle's 24 bits of index: no system can have more (MAX_HANDLES of the Windows Research Kernel, ntos/ex/handle.c).
 */
#define HANDLES_MAX (1u << 24)
#define HANDLE_TABLE_PAGE 4096

/*
 * Until 2000 the table itself was another, and no PDB that is public has it:
 *
 *   NT 4.0   one array, from the address at 0xc of the table to that at 0x10, and the ids of PspCidTable count its
 *            entries, where a process's handles count by four; what is free is linked through the array (B. Rosenberg,
 *            cs.miami.edu/home/burt/journal/NT, cid.html and handle_table.html, with a debugger's output)
 *   2000     three levels of 256 each, from the address at 8; the highest bit of an entry's pointer is its lock ("JIURL
 *            play Win2k: HANDLE_TABLE", 2003; bbs.kanxue.com/thread-100352)
 */
enum handle_form { HANDLE_CODED, HANDLE_ARRAY, HANDLE_LAYERS };

/* How this kernel's tables and entries are laid out; bound once. */
struct handle_format {
        enum handle_form form;
        uint8_t step; /* what a handle counts an entry as: 4, in PspCidTable of NT 4.0 1 */
        uint8_t pointer_size, entry_size;
        struct place code, process_id, quota_process, list; /* of _HANDLE_TABLE */
        struct place
                object;  /* bits == 0: a pointer with three flags; else ObjectPointerBits, already as this kernel's */
        uint8_t shift;   /* that the bits lack below, */
        uint8_t va_bits; /* and the bit from which they are extended upwards */
        struct place access, attributes;
        uint32_t body; /* of an object, behind the header that a process's entry names; 0: not known */
};

/* False where the layout has no handle tables (NT 4.0, 2000, inferred ones). paging tells the LA57 kernels. */
bool handle_format_bind(const struct stasis_layout *layout, const struct stasis_paging *paging,
                        struct handle_format *ret_format);

/* PspCidTable of NT 4.0 and 2000, by their build. False: of another version. */
bool handle_format_old(uint32_t build, struct handle_format *ret_format);

/* The tables of processes, of any version. False where that is not known. */
bool handle_format_of_process(const struct stasis_layout *layout, const struct stasis_paging *paging, uint32_t build,
                              struct handle_format *ret_format);

struct handle_entry {
        uint64_t handle;    /* its value, a multiple of the step: in PspCidTable the id */
        uint64_t va;        /* where the entry stands */
        uint64_t object;    /* what it names: header or body, see above */
        uint32_t access;    /* granted; 25 bits */
        uint8_t attributes; /* OBJ_INHERIT 2, OBJ_AUDIT_OBJECT_CLOSE 4 */
};

/* entry_size bytes. False: free (ret_entry is untouched). handle and va are the caller's to fill. */
bool handle_entry_decode(const struct handle_format *format, const uint8_t *bytes, struct handle_entry *ret_entry);

/* What a walk came to. */
struct handle_walk {
        size_t entries;      /* handed to the callback */
        size_t pages;        /* of entries that were read */
        size_t missing;      /* pages, of entries or of pointers to them, that were not readable or no kernel address */
        uint64_t missing_at; /* the first of these */
        bool cut;            /* the bound was reached */
};

/* Anything but STASIS_OK ends the walk with that status. */
typedef enum stasis_status handle_entry_fn(void *ctx, const struct handle_entry *entry);

/*
 * Every entry in use of the _HANDLE_TABLE at table, in the order of handles, through at most max_pages pages of entries
 * (0: as many as 24 bits of index can have). STASIS_ABSENT or STASIS_IO: the table itself is not readable;
 * STASIS_CORRUPT: its TableCode makes no sense (three levels or more above the entries, no aligned address of the upper
 * half). Pages that are not there are counted, and the rest is walked. *ret_walk is filled in every case.
 */
enum stasis_status handle_table_walk(struct stasis_space *space, const struct handle_format *format, uint64_t table,
                                     size_t max_pages, handle_entry_fn *fn, void *ctx,
                                     struct handle_walk *ret_walk) STASIS_MUST_CHECK;

/* One handle, as the kernel looks it up. STASIS_ABSENT too where the entry is free, or the handle can be none. */
enum stasis_status handle_table_lookup(struct stasis_space *space, const struct handle_format *format, uint64_t table,
                                       uint64_t handle, struct handle_entry *ret_entry) STASIS_MUST_CHECK;

#endif
