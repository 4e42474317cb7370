/* SPDX-License-Identifier: MIT */
/* Access tokens: whom a thread or process acts for. Facts of one are rows of the thread's and of the process's table.
 */
#ifndef STASIS_OS_WINDOWS_TOKEN_H
#define STASIS_OS_WINDOWS_TOKEN_H

#include "derive.h"
#include "sid.h"

#define TOKEN_SIDS_MAX 1024 /* of one array; the system itself takes no more than 1,015 groups at logon */

/* Attributes of a SID_AND_ATTRIBUTES (winnt.h, SE_GROUP_...). */
enum { TOKEN_SID_ENABLED = 1 << 2, TOKEN_SID_DENY_ONLY = 1 << 4 };

struct token_sid {
        uint64_t va;    /* of the SID; 0: the entry itself is not readable */
        uint64_t entry; /* of the SID_AND_ATTRIBUTES */
        uint32_t attributes;
        enum stasis_absence absence; /* of the SID */
        struct sid sid;
};

enum token_array { TOKEN_USERS, TOKEN_RESTRICTED, TOKEN_CAPABILITIES, TOKEN_ARRAYS };

/* The token that was read last, and one of its arrays: the threads of a process share one. */
struct token_cache {
        uint64_t object; /* 0: none */
        enum token_array array;
        struct stasis_arena arena;
        struct token_sid *sid;
        size_t count;                /* read */
        uint64_t said;               /* how many the token says that there are */
        enum stasis_absence absence; /* of the array */
};

/* An array of SIDs of the token; entry 0 of TOKEN_USERS is the user. Valid until the next call. */
const struct token_cache *token_sids(struct windows *w, uint64_t token, enum token_array array);
/* The EPROCESS's primary token; STASIS_PRESENT, or why it is not told. */
enum stasis_absence token_of_process(const struct windows *w, uint64_t process, uint64_t *ret_token);

#endif
