/* SPDX-License-Identifier: MIT */
/* Security identifiers: read, written as text, and the names of the well-known ones. */
#ifndef STASIS_OS_WINDOWS_SID_H
#define STASIS_OS_WINDOWS_SID_H

#include <stasis/stasis.h>

#include "../../mem/space.h"

#define SID_PARTS_MAX 15 /* SID_MAX_SUB_AUTHORITIES */
#define SID_TEXT_MAX (sizeof "S-1-0x" + 12 + 11 * SID_PARTS_MAX)

struct sid {
        uint64_t authority; /* 48 bits */
        uint8_t count;
        uint32_t part[SID_PARTS_MAX];
};

/* STASIS_PRESENT, or why it cannot be told: CONTRADICTORY where what stands there is no SID. */
enum stasis_absence sid_read(struct stasis_space *space, uint64_t va, struct sid *ret_sid);
/* "S-1-5-32-544". */
void sid_text(const struct sid *sid, char text[static SID_TEXT_MAX]);
/* Its name where it is a well-known one, or one of a domain with a well-known last part; NULL where not. Static. */
const char *sid_name(const struct sid *sid);
bool sid_is(const struct sid *sid, const char *text);

#endif
