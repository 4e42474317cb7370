/* SPDX-License-Identifier: MIT */
/* What is said of an address beyond its translation: where its bytes are, or why there are none. */
#ifndef STASIS_CLI_ADDRESS_H
#define STASIS_CLI_ADDRESS_H

#include "cli.h"
#include "json.h"

/* "present", "not present", ...: what the tables alone say. */
const char *address_status(const struct stasis_image *image, const struct stasis_address *address);
/* One word or two, stable: the verdict, or where that is no more than the tables say, their word. */
const char *address_word(const struct stasis_image *image, const struct stasis_address *address);
/* ", in page file 0 at 0x1000", " (that page file was not given)": what follows the word; maybe nothing. */
void address_words(const struct stasis_address *address, struct text *ret_text);
/* "page file 0 at 0x1234", "compressed store, page 0x12"; false where the bytes have a physical address, or none. */
bool backing_words(enum stasis_backing backing, unsigned pagefile, uint64_t off, struct text *ret_text);
/* The system's own entries and the VAD, a line each. */
void address_explain(FILE *out, const struct stasis_address *address);
/* verdict, why, pagefile, pagefile_off, vad, software: members of a translation. */
void address_json(struct json *json, const struct stasis_address *address);

#endif
