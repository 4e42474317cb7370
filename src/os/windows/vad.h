/* SPDX-License-Identifier: MIT */
/* A process's VAD tree: what its user addresses are meant to be, where no page-table entry tells. */
#ifndef STASIS_OS_WINDOWS_VAD_H
#define STASIS_OS_WINDOWS_VAD_H

#include "windows.h"

struct vad_places {
        struct place root, left, right, start, start_high, start_higher, end, end_high, end_higher, private_memory,
                commit, first_prototype, last_prototype, subsection, subsection_base, subsection_ptes, subsection_next;
};
/* What lacks has == false: then nothing is found. */
void vad_bind(const struct stasis_layout *layout, struct vad_places *ret_places);

struct vad {
        uint64_t object;
        bool private_memory;
        bool committed;     /* as a whole; also where this kernel does not tell */
        uint64_t prototype; /* of a mapped one: address of the prototype entry of this page; 0: it has none */
};
/*
 * The VAD of a user address. STASIS_ABSENT: there is none; STASIS_UNSUPPORTED: this kernel's tree is not known;
 * STASIS_IO: a node is not readable; STASIS_LIMIT: the tree is deeper than any.
 */
enum stasis_status vad_find(const struct windows *w, const struct vad_places *at, uint64_t process, uint64_t va,
                            uint8_t entry_size, struct vad *ret_vad) STASIS_MUST_CHECK;

#endif
