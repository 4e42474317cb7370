/* SPDX-License-Identifier: MIT */
/*
 * VMCOREINFO: what the kernel says about itself to those who read its dumps, as lines of text (kernel/crash_core.c).
 * SYMBOL(name)=hex, NUMBER(name)=decimal, OFFSET(struct.member)=decimal, SIZE(struct)=decimal, KERNELOFFSET=hex,
 * OSRELEASE=text.
 */
#ifndef STASIS_OS_LINUX_VMCOREINFO_H
#define STASIS_OS_LINUX_VMCOREINFO_H

#include <stasis/stasis.h>

#define VMCOREINFO_MAX 8192 /* the kernel's own limit is a page */

/* The value of a whole line's key; {NULL, 0} where there is no such line. */
struct stasis_bytes vmcoreinfo_line(struct stasis_bytes text, const char *key);
bool vmcoreinfo_symbol(struct stasis_bytes text, const char *name, uint64_t *ret_va);
bool vmcoreinfo_number(struct stasis_bytes text, const char *name, int64_t *ret_value);
bool vmcoreinfo_size(struct stasis_bytes text, const char *name, uint64_t *ret_value);
bool vmcoreinfo_offset(struct stasis_bytes text, const char *member, uint64_t *ret_value);
/* How many bytes from the start look like VMCOREINFO: lines of printable text. 0: none. */
size_t vmcoreinfo_length(struct stasis_bytes text);

#endif
