/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own table of symbols, as it lies in its read-only data: kallsyms_num_syms, _names, _markers,
 * _token_table, _token_index, and _addresses or _offsets with _relative_base. Nothing points to them from outside; they
 * are known by their shape, from 2.6.32 to today (Linux, scripts/kallsyms.c and kernel/kallsyms.c of each release):
 *
 *   to 6.3:   [addresses | offsets, relative_base] num_syms names markers [seqs_of_names, 6.2] token_table token_index
 *   from 6.4: num_syms names markers token_table token_index offsets relative_base seqs_of_names
 *   from 7.0: the same without relative_base; an offset is from the place where it stands (a081b5789255)
 *
 * Addresses are as the running kernel keeps them, KASLR included: the tables were relocated with the rest of it. Those
 * of 7.0 need no relocation, and tell of each symbol where in physical memory it lies; kallsyms_place makes addresses
 * of that.
 */
#ifndef STASIS_OS_LINUX_KALLSYMS_H
#define STASIS_OS_LINUX_KALLSYMS_H

#include <stasis/stasis.h>

#include "../../mem/image.h"

struct kallsyms;

#define KALLSYMS_NEAR (UINT64_C(64) << 20) /* larger than a kernel's image */
#define KALLSYMS_NAME_MAX 512 /* KSYM_NAME_LEN since 6.1; the type's letter takes the place of the terminator */

/* The tokens "0" to "9" in a row, each with its terminator: what is searched for. */
extern const uint8_t kallsyms_digits[20];

/*
 * The tables around the digits at digits_pa in physical memory. STASIS_ABSENT: there are no such tables, *ret_why tells
 * how far they looked right (static).
 */
enum stasis_status kallsyms_open(const struct stasis_image *image, uint64_t digits_pa, struct kallsyms **ret_kallsyms,
                                 const char **ret_why) STASIS_MUST_CHECK;
void kallsyms_close(struct kallsyms *k);

uint32_t kallsyms_count(const struct kallsyms *k);
uint8_t kallsyms_pointer_size(const struct kallsyms *k);
uint64_t kallsyms_token_table_pa(const struct kallsyms *k);
/* False: every address that is told below is a physical one, until kallsyms_place. */
bool kallsyms_placed(const struct kallsyms *k);
/* By how much the kernel's image lies higher in virtual memory than in physical. */
void kallsyms_place(struct kallsyms *k, uint64_t higher);
/* How the tables were laid out, in words, for the trace. */
const char *kallsyms_shape(const struct kallsyms *k);
uint64_t kallsyms_address(const struct kallsyms *k, uint32_t index);
/* Name of symbol index; its type's letter ("T", "d") or 0 where index is wrong. */
char kallsyms_name(const struct kallsyms *k, uint32_t index, char *buf, size_t len);
/* The first symbol of this name. False where there is none, or memory is exhausted. */
bool kallsyms_find(struct kallsyms *k, const char *name, uint64_t *ret_address);
/*
 * The symbol that va lies in, by the kernel's own rule: of several at one address the first; it ends where the next
 * address begins. False below the first and above the last.
 */
bool kallsyms_at(const struct kallsyms *k, uint64_t va, uint32_t *ret_index, uint64_t *ret_end);

#endif
