/* SPDX-License-Identifier: MIT */
/*
 * Structure layouts by name: built-in tables (src/os/layouts/), a Volatility 3 ISF JSON, BTF, DWARF. Test for the
 * member, not for the version. Lookups cost string compares: bind once, walk with offsets. One layout belongs to one
 * thread at a time.
 */
#ifndef STASIS_OS_LAYOUT_H
#define STASIS_OS_LAYOUT_H

#include <stasis/stasis.h>

struct stasis_layout;

enum stasis_type {
        STASIS_TYPE_UNSIGNED,
        STASIS_TYPE_SIGNED,
        STASIS_TYPE_POINTER,
        STASIS_TYPE_STRUCT,
        STASIS_TYPE_OPAQUE
};

struct stasis_member {
        uint32_t offset;   /* from the start of the first structure of the path */
        uint32_t size;     /* of one element, in bytes */
        uint32_t count;    /* 1 where it is no array */
        uint8_t bit, bits; /* bits == 0: no bit-field; else within a size-byte word at offset */
        enum stasis_type type;
        const char *target; /* struct: its name; pointer: what it points to; NULL where not told */
};

/* path: "_KTHREAD.WaitReason", "_ETHREAD.Tcb.ApcState.Process" (crosses embedded structures). False where there is
 * none. */
bool stasis_layout_member(const struct stasis_layout *layout, const char *path, struct stasis_member *ret_member);
/* 0 where the structure is not known. */
uint32_t stasis_layout_sizeof(const struct stasis_layout *layout, const char *structure);
/*
 * The named bits of a flag word: every bit-field of the structure that lies in the word of the member at path, by
 * position; bit is relative to that word. Returns how many there are; fills at most max.
 */
size_t stasis_layout_bits(const struct stasis_layout *layout, const char *path, struct stasis_name *names, size_t max);
/* Values of an enumeration ("_KWAIT_REASON"), by value; how many there are, at most max filled. 0: not known. */
size_t stasis_layout_enum(const struct stasis_layout *layout, const char *name, struct stasis_name *names, size_t max);

const char *stasis_layout_name(const struct stasis_layout *layout); /* "10.0.19041.1237-x64" or the ISF's path */
uint8_t stasis_layout_pointer_size(const struct stasis_layout *layout);
/* Version as four numbers, what it was measured on; 0 where not known. */
void stasis_layout_version(const struct stasis_layout *layout, uint32_t ret_version[4]);

/* ---- choosing among the built-in ones */

struct stasis_pdb_id {
        uint8_t guid[16]; /* as in the RSDS record */
        uint32_t age;
};

/* What is known of the kernel that must be matched; 0 or NULL where it is not. */
struct stasis_kernel_id {
        const struct stasis_pdb_id *pdb;
        uint32_t timestamp, image_size; /* PE */
        uint16_t machine;               /* PE: 0x14c, 0x8664 */
        uint32_t build;
        uint32_t revision;     /* fourth number of the file version resource, where known */
        uint32_t service_pack; /* CSD: major service pack, where known */
        bool kdbg_sizes;       /* the next ones come from KDBG (2003 and later) */
        uint16_t size_eprocess, size_ethread, size_prcb, kthread_state, kthread_teb, kthread_next_processor,
                eprocess_peb;
};

/* NEAREST: the build is not in the tables, this is the next lower one that is. */
enum stasis_match {
        STASIS_MATCH_NONE,
        STASIS_MATCH_NEAREST,
        STASIS_MATCH_BUILD,
        STASIS_MATCH_KDBG,
        STASIS_MATCH_PE,
        STASIS_MATCH_PDB
};

struct stasis_layout_choice {
        const struct stasis_layout *layout;
        enum stasis_match match; /* the strongest evidence that led to it */
        uint32_t revision[4];    /* exact version of the kernel where PDB or PE told it; else zeros */
};
/*
 * Candidates, best first, at most max; returns how many. The caller tries them against System's threads where more
 * than one remains (equal evidence), and says which it took.
 */
size_t stasis_layout_choose(const struct stasis_kernel_id *id, struct stasis_layout_choice *ret_choice, size_t max);
/* Built-in layout number i, NULL past the last: for trying all of them on an unknown kernel. */
const struct stasis_layout *stasis_layout_at(size_t index);
const struct stasis_layout *stasis_layout_by_name(const char *name);

/* RVA of a symbol of the kernel with this PDB, from the built-in tables; false where not known. */
bool stasis_symbol_rva(const struct stasis_pdb_id *pdb, const char *symbol, uint32_t *ret_rva);

/* A Volatility 3 ISF JSON, plain or .xz. Its own handle: close it. Its symbols answer stasis_layout_symbol. */
enum stasis_status stasis_layout_open_isf(const char *path, struct stasis_layout **ret_layout,
                                          struct stasis_error *err) STASIS_MUST_CHECK;
void stasis_layout_close(struct stasis_layout *layout); /* NULL and built-in ones are ignored */
/*
 * Address of a symbol as its file says it: of Windows' ISF files an RVA, of a Linux kernel the address that it was
 * linked for, before KASLR moved it. A variable of each CPU has its offset in the CPU's area.
 */
bool stasis_layout_symbol(const struct stasis_layout *layout, const char *symbol, uint64_t *ret_rva);

/* ---- Linux: types and symbols of a kernel */

/*
 * BTF, as a kernel carries it in memory (__start_BTF) and a detached file holds it. blob is borrowed until close; name
 * is kept. "a.b" crosses embedded structures, unnamed members are flat ("mm_struct.pgd"), typedefs are followed. The
 * BTF of a module, which refers to that of its kernel, is STASIS_UNSUPPORTED.
 */
enum stasis_status stasis_layout_open_btf(struct stasis_bytes blob, const char *name, struct stasis_layout **ret_layout,
                                          struct stasis_error *err) STASIS_MUST_CHECK;
/*
 * Files as --symbols takes them, each known by its content: a vmlinux or .debug with DWARF or with a section .BTF, a
 * BTF file, a System.map, an ISF (plain or .xz). All are one layout: types come from the first file that has types,
 * each symbol from the first file that knows it.
 */
enum stasis_status stasis_layout_open_symbols(const char *const *paths, size_t count, struct stasis_layout **ret_layout,
                                              struct stasis_error *err) STASIS_MUST_CHECK;
bool stasis_layout_has_types(const struct stasis_layout *layout);
bool stasis_layout_has_symbols(const struct stasis_layout *layout);

#endif
