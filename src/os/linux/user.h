/* SPDX-License-Identifier: MIT */
/*
 * The memory of one process, as a page fault would show it: its page tables, and behind them the pages of mapped files
 * that the page cache holds. And the ELF files mapped in it, which tell how stacks are followed and what code is
 * called.
 */
#ifndef STASIS_OS_LINUX_USER_H
#define STASIS_OS_LINUX_USER_H

#include "cfi.h"
#include "linux.h"

#define USER_MODULES 16 /* of the process at hand that are remembered */
#define USER_FILES 16   /* across processes */

struct user_vma {
        uint64_t start, end, first_page, file; /* first_page: of the file, that start shows; file 0: none */
        bool code, writable;
};

/* Symbols or sections of a file that the memory of the process does not show are read by their place in the file. */
struct user_table {
        uint64_t at, len, strings, strings_len;
        bool in_file;
};

/* An ELF file as it is mapped. */
struct user_module {
        uint64_t low, high; /* from its first to its last segment; high 0: none */
        uint64_t bias;      /* what its own addresses were moved by */
        uint64_t file, mapping;
        const char *name;                  /* the last part of its path, or [vdso]; good until the next process */
        const struct cfi_machine *machine; /* NULL: it is none that can be read; */
        bool unread;                       /* its headers are not in the image */
        uint64_t header, header_len;       /* .eh_frame_hdr; len 0: none */
        uint64_t frames, frames_len;       /* .eh_frame, where there is no such header and its sections are known */
        struct user_table symbols;         /* len 0: none */
};

struct user_symbol {
        uint64_t start, size; /* less the bias */
        uint32_t name;        /* in the strings */
};

/* What was made once of a file: processes share it. */
struct user_file {
        uint64_t mapping; /* its address_space; 0: no file (vDSO), and then */
        uint64_t bias;
        struct cfi_index frames;
        bool frames_tried, frames_whole;
        struct user_symbol *symbol; /* sorted by start */
        size_t symbol_count, symbol_capacity;
        bool symbols_tried;
};

struct user_places {
        struct place tree, rb, rb_left, rb_right, vm_rb, range, arange, start, end, page, file, flags, mapping, xa_head,
                rnode, page_rnode, xa_slots, radix_slots, xa_shift, radix_shift, radix_height, page_mapping, page_index,
                page_head, vdso;
        struct stasis_member range_pivot, range_slot, arange_pivot, arange_slot;
        uint32_t page_size; /* of struct page */
};

struct linux_user {
        struct linux_system *l;
        struct stasis_space space; /* with mapped files behind it */
        uint64_t mm;
        struct user_places at;
        bool vmas;      /* mappings can be looked up */
        bool cache;     /* and pages of files */
        uint64_t pages; /* the array of struct page */
        struct user_vma last;
        struct user_module module[USER_MODULES];
        size_t module_count, module_next;
        struct user_file files[USER_FILES];
        size_t file_count, file_next;
        struct stasis_arena names; /* of the process at hand */
};

/* l->memory, turned to the process of this mm_struct; NULL where its page tables are not known. */
struct linux_user *linux_user_get(struct linux_system *l, uint64_t mm);
void linux_user_free(struct linux_user *user);

/* ---- user_vma.c */
void user_vma_bind(struct linux_user *user);
/* The mapping that va lies in. */
bool user_vma_at(struct linux_user *user, uint64_t va, struct user_vma *ret_vma);

/* ---- user_file.c */
void user_file_bind(struct linux_user *user);
/* Physical address of a page of a file, out of the page cache. */
bool user_file_page(struct linux_user *user, uint64_t mapping, uint64_t page, uint64_t *ret_pa);
/* Its address_space; 0: not known. */
uint64_t user_file_mapping(struct linux_user *user, uint64_t file);
bool user_file_read(struct linux_user *user, uint64_t mapping, uint64_t at, void *buf, size_t len);
enum stasis_status user_fault(void *ctx, struct stasis_space *space, struct stasis_soft_fault *fault);
/* The array of struct page: vmemmap (x64), or mem_map where memory is flat. */
bool linux_page_array(struct linux_system *l, uint64_t *ret_pages);

/* ---- user_module.c */
/* The ELF file that pc lies in; NULL: none, or not readable. */
const struct user_module *user_module_at(struct linux_user *user, uint64_t pc);
/* What is kept of the module's file. */
struct user_file *user_file_of(struct linux_user *user, const struct user_module *module);
void user_file_drop(struct user_file *file);
/* STASIS_UNSUPPORTED: no table covers pc; else as cfi_entry_read. */
enum stasis_status user_entry_at(struct linux_user *user, uint64_t pc, struct cfi_entry *ret_entry);

/* ---- user_symbol.c */
/* What its sections tell, which no segment shows: .symtab, and .eh_frame. */
void user_sections(struct linux_user *user, struct user_module *module);
/* .dynsym, as the loader finds it. */
void user_dynamic(struct linux_user *user, struct user_module *module, uint64_t dynamic, uint64_t len);
/* The function of the module that va lies in. */
bool user_symbol_at(struct linux_user *user, const struct user_module *module, uint64_t va, char *buf, size_t len,
                    uint64_t *ret_start);

#endif
