/* SPDX-License-Identifier: MIT */
/* Facts in the forms that machines read: shared by JSON and CSV, so that a value is spelled one way in both. */
#ifndef STASIS_CLI_VALUE_H
#define STASIS_CLI_VALUE_H

#include "cli.h"

/* "2004-08-04T12:00:00.1234567Z" of a FILETIME. */
void value_time(struct text *text, uint64_t filetime);
/* "Terminated", or "Priority=3" where the flag is wider than a bit; nothing where the flag is not set. */
bool value_flag(const struct stasis_name *name, uint64_t value, struct text *ret_text);
/* "nt+0x1234"; false where the module is not known. */
bool value_symbol(const struct stasis_fact *fact, struct text *ret_text);
/* Any kind, as one string: texts and flags joined by '|', the rows of a list by ';'. Absent: nothing. */
void value_text(const struct stasis_column *column, const struct stasis_fact *fact, struct text *ret_text);
/* Where in the file the fact was read; false where it was derived, or has no such place. */
bool value_offset(const struct stasis_image *image, const struct stasis_fact *fact, uint64_t *ret_off);
/* The fact of this column; column[i] of the system is column[i] of its records, but a record may say otherwise. */
const struct stasis_fact *value_find(const struct stasis_record *record, const char *key, size_t expected);

#endif
