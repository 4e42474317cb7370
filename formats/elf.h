/* SPDX-License-Identifier: MIT */
/* Between elf_note.c (notes) and those whose files carry notes: elf.c, kdump.c. */
#ifndef STASIS_FORMATS_ELF_H
#define STASIS_FORMATS_ELF_H

#include "../src/mem/image.h"

struct elf_notes { /* how many of each kind were met: the n-th of a kind speaks of CPU n */
        size_t prstatus, qemu, vbox;
        bool vbox_known;             /* a VBCORE descriptor announced a layout that we know */
        enum stasis_machine machine; /* by the size of NT_PRSTATUS */
};

/* Reads every note of one PT_NOTE segment into the hints. A broken note ends the segment, with a remark. */
enum stasis_status elf_read_notes(struct stasis_image *image, struct elf_notes *notes,
                                  struct stasis_bytes segment) STASIS_MUST_CHECK;
/* The first CPU's control registers, where a note brought them, are hints for whoever looks for page tables. */
void elf_hint_from_cpus(struct stasis_hints *hints);

#endif
