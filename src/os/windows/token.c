/* SPDX-License-Identifier: MIT */
/* Access tokens: the arrays of SIDs in them, and whose they are. */
#include "token.h"

#include <string.h>

#include "../../base/bytes.h"

enum stasis_absence token_of_process(const struct windows *w, uint64_t process, uint64_t *ret_token)
{
        struct stasis_fact fact = load_place_of(w->kernel, process, &w->at.process_token);
        if (!fact_is(&fact))
                return w->at.process_token.has ? (enum stasis_absence)fact.absence : STASIS_NOT_KNOWN;
        *ret_token = fact.value & ~(uint64_t)(2 * w->pointer_size - 1); /* EX_FAST_REF: the low bits count */
        return *ret_token ? STASIS_PRESENT : STASIS_NOT_APPLICABLE;
}

static const struct place *array_places(const struct windows *w, enum token_array array, const struct place **ret_count)
{
        const struct windows_places *at = &w->at;
        const struct place *const count[TOKEN_ARRAYS] = { &at->token_user_count, &at->token_restricted_count,
                                                          &at->token_capability_count };
        const struct place *const first[TOKEN_ARRAYS] = { &at->token_users, &at->token_restricted,
                                                          &at->token_capabilities };
        *ret_count = count[array];
        return first[array];
}

/* A SID_AND_ATTRIBUTES is a pointer and a word, as aligned as the pointer (winnt.h). */
static void read_entry(const struct windows *w, uint64_t va, struct token_sid *ret_sid)
{
        uint8_t entry[16];
        enum stasis_status status = stasis_space_read(w->kernel, va, entry, 2 * (size_t)w->pointer_size);
        *ret_sid = (struct token_sid){ .entry = va };
        if (status != STASIS_OK) {
                ret_sid->absence = absence_at(w->kernel, va, 2 * (size_t)w->pointer_size, status);
                return;
        }
        ret_sid->va = load_le(entry, w->pointer_size);
        ret_sid->attributes = load_le32(entry + w->pointer_size);
        ret_sid->absence = is_kernel_address(w, ret_sid->va) ? sid_read(w->kernel, ret_sid->va, &ret_sid->sid)
                                                             : STASIS_CONTRADICTORY;
}

static void read_array(const struct windows *w, uint64_t token, enum token_array array, struct token_cache *c)
{
        const struct place *count_place, *first = array_places(w, array, &count_place);
        struct stasis_fact count = load_place_of(w->kernel, token, count_place);
        struct stasis_fact at = load_place_of(w->kernel, token, first);
        c->absence = (enum stasis_absence)(fact_is(&count) ? at.absence : count.absence);
        c->said = count.value;
        if (c->absence != STASIS_PRESENT || !count.value)
                return;
        if (!is_kernel_address(w, at.value)) {
                c->absence = STASIS_CONTRADICTORY;
                return;
        }
        size_t want = count.value < TOKEN_SIDS_MAX ? (size_t)count.value : TOKEN_SIDS_MAX;
        c->sid = arena_array(&c->arena, struct token_sid, want);
        c->absence = c->sid ? STASIS_PRESENT : STASIS_NOT_KNOWN;
        bool readable = true; /* behind an entry that is not, nothing is looked for */
        for (; c->sid && readable && c->count < want; c->count++) {
                read_entry(w, at.value + c->count * 2 * w->pointer_size, &c->sid[c->count]);
                readable = c->sid[c->count].va != 0;
        }
}

const struct token_cache *token_sids(struct windows *w, uint64_t token, enum token_array array)
{
        struct token_cache *c = w->token;
        if (c->object == token && c->array == array)
                return c;
        stasis_arena_reset(&c->arena);
        *c = (struct token_cache){ .object = token, .array = array, .arena = c->arena };
        read_array(w, token, array, c);
        return c;
}
