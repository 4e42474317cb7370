/* SPDX-License-Identifier: MIT */
/* What an image's container says of the machine, as rows: JSON and text are driven by the same ones. */
#ifndef STASIS_CLI_HINTS_H
#define STASIS_CLI_HINTS_H

#include "cli.h"

enum hint_kind { HINT_NUMBER, HINT_HEX, HINT_BOOL, HINT_FILETIME, HINT_MACHINE_NAME, HINT_TEXT };

struct hint_row {
        uint32_t known; /* enum stasis_hint */
        const char *key, *title;
        enum hint_kind kind;
        size_t at, size; /* of the member of struct stasis_hints */
};

extern const struct hint_row hint_rows[]; /* ended by a row without a key */

/* The hint as text; false where the container does not say. */
bool hint_text(const struct hint_row *row, const struct stasis_hints *hints, struct text *ret_text);
uint64_t hint_value(const struct hint_row *row, const struct stasis_hints *hints);
const char *machine_name(enum stasis_machine machine);

/* Registers of one CPU as rows as well; size 2, 4 or 8. */
struct cpu_row {
        uint32_t known; /* enum stasis_cpu_known */
        const char *key;
        size_t at, size;
};

extern const struct cpu_row cpu_rows[]; /* ended by a row without a key */
size_t cpu_xmm_count(const struct stasis_image *image, const struct stasis_cpu *cpu);
void xmm_text(struct text *text, const uint8_t xmm[16]); /* as one number */
uint64_t cpu_value(const struct cpu_row *row, const struct stasis_cpu *cpu);

/* Bytes that the image holds, and the gaps: what is missing, or what was left out on purpose. */
uint64_t image_held(const struct stasis_image *image);
struct image_gaps {
        size_t count;
        uint64_t bytes;
};
struct image_gaps image_missing(const struct stasis_image *image);
struct image_gaps image_filtered(const struct stasis_image *image);
/* Why no byte could be read at pa, and up to where that is so (STASIS_NOWHERE: to the end). */
const char *image_why_absent(const struct stasis_image *image, uint64_t pa, uint64_t *ret_end);
/* As Windows writes one: "bf2297dc-34ba-11dc-868a-e19155d89593". */
void guid_text(struct text *text, const uint8_t guid[16]);

#endif
