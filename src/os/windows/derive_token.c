/* SPDX-License-Identifier: MIT */
/* Facts of an access token that are more than a load. */
#include <inttypes.h>
#include <string.h>

#include "../row_macros.h"
#include "names.h"
#include "token.h"

#define NEVER INT64_MAX       /* ExpirationTime of a token that does not expire */
#define NO_INDEX UINT32_MAX   /* IntegrityLevelIndex of a token that has no label */
#define TOKEN_IMPERSONATION 2 /* TOKEN_TYPE */
#define SOURCE_LEN 8          /* TOKEN_SOURCE_LENGTH (winnt.h) */
#define PRIVILEGES_MAX 64     /* LUIDs of privileges go to 36 so far */
#define LABEL_AUTHORITY 16    /* SECURITY_MANDATORY_LABEL_AUTHORITY */

/* ---------------------------------------------------------------- which token */

static void use_token(struct decode *d, const struct stasis_fact *fact)
{
        d->token = fact->value;
        d->token_why = (enum stasis_absence)fact->absence;
        if (fact_is(fact) && (!is_kernel_address(d->w, d->token) || d->token % 8))
                d->token_why = STASIS_CONTRADICTORY;
}

static struct stasis_fact process_token(const struct decode *d)
{
        uint64_t object = d->w->process[d->process].object, token = 0;
        enum stasis_absence why = token_of_process(d->w, object, &token);
        struct stasis_fact fact = load_place_of(d->w->kernel, object, &d->w->at.process_token);
        fact.absence = (uint8_t)why;
        fact.value = token;
        return fact;
}

void derive_process_token(struct decode *d, struct stasis_fact *fact)
{
        *fact = process_token(d);
        if (!d->thread)
                use_token(d, fact);
}

/* Its own while it impersonates. Where that is not told, neither is with what it acts. */
void derive_effective_token(struct decode *d, struct stasis_fact *fact)
{
        const struct stasis_fact *impersonating = fact_of(d, FACT_IMPERSONATING), *own = fact_of(d, FACT_TOKEN);
        if (!fact_is(impersonating))
                *fact = fact_absent((enum stasis_absence)impersonating->absence);
        else if (!impersonating->value)
                *fact = process_token(d);
        else
                *fact = *own;
        use_token(d, fact);
}

/* ---------------------------------------------------------------- SIDs */

static void put_text(struct decode *d, uint64_t va, const char *text, struct stasis_fact *fact)
{
        *fact = load_at(d->w->kernel, va, 1);
        fact->value = 0;
        fact->text = stasis_arena_strndup(d->arena, text, strlen(text));
        fact->absence = fact->text ? STASIS_PRESENT : STASIS_NOT_KNOWN;
}

static void put_sid(struct decode *d, uint64_t va, const struct sid *sid, struct stasis_fact *fact)
{
        char text[SID_TEXT_MAX];
        sid_text(sid, text);
        put_text(d, va, text, fact);
}

/* Entry index of its users and groups, or NULL and in the fact why not. */
static const struct token_sid *token_user(struct decode *d, uint64_t index, struct stasis_fact *fact)
{
        *fact = fact_absent(d->token_why);
        if (d->token_why != STASIS_PRESENT)
                return NULL;
        const struct token_cache *users = token_sids(d->w, d->token, TOKEN_USERS);
        *fact = fact_absent(users->absence);
        if (users->absence != STASIS_PRESENT)
                return NULL;
        *fact = fact_absent(index < users->said ? STASIS_NOT_KNOWN : STASIS_CONTRADICTORY);
        if (index >= users->count)
                return NULL;
        *fact = fact_absent(users->sid[index].absence);
        return users->sid[index].absence == STASIS_PRESENT ? &users->sid[index] : NULL;
}

void derive_user(struct decode *d, struct stasis_fact *fact)
{
        const struct token_sid *user = token_user(d, 0, fact);
        if (user)
                put_sid(d, user->va, &user->sid, fact);
}

void derive_user_name(struct decode *d, struct stasis_fact *fact)
{
        const struct token_sid *user = token_user(d, 0, fact);
        const char *name = user ? sid_name(&user->sid) : NULL;
        if (name)
                put_text(d, user->va, name, fact);
        else if (user)
                *fact = fact_absent(STASIS_NOT_KNOWN);
}

void derive_owner(struct decode *d, struct stasis_fact *fact)
{
        *fact = fact_absent(d->token_why);
        if (d->token_why != STASIS_PRESENT)
                return;
        struct stasis_fact index = load_place_of(d->w->kernel, d->token, &d->w->at.token_owner_index);
        *fact = index;
        if (!fact_is(&index))
                return;
        const struct token_sid *owner = token_user(d, index.value, fact);
        if (owner)
                put_sid(d, owner->va, &owner->sid, fact);
}

/* A pointer to a SID. */
void derive_sid(struct decode *d, struct stasis_fact *fact)
{
        struct sid sid;
        derive_zero_is_none(d, fact);
        if (!fact_is(fact))
                return;
        uint64_t va = fact->value;
        enum stasis_absence why = is_kernel_address(d->w, va) ? sid_read(d->w->kernel, va, &sid) : STASIS_CONTRADICTORY;
        if (why == STASIS_PRESENT)
                put_sid(d, va, &sid, fact);
        else
                fact->absence = (uint8_t)why;
}

void derive_integrity(struct decode *d, struct stasis_fact *fact)
{
        if (!fact_is(fact))
                return;
        if (fact->value == NO_INDEX) {
                fact->absence = STASIS_NOT_APPLICABLE;
                return;
        }
        const struct token_sid *label = token_user(d, fact->value, fact);
        if (!label)
                return;
        *fact = load_at(d->w->kernel, label->va + 8, 4);
        if (label->sid.authority != LABEL_AUTHORITY || label->sid.count != 1)
                fact->absence = STASIS_CONTRADICTORY;
}

void derive_administrator(struct decode *d, struct stasis_fact *fact)
{
        if (!token_user(d, 0, fact))
                return;
        const struct token_cache *users = token_sids(d->w, d->token, TOKEN_USERS);
        bool whole = users->count == users->said;
        for (size_t i = 0; i < users->count; i++) {
                const struct token_sid *s = &users->sid[i];
                whole &= s->absence == STASIS_PRESENT;
                if (s->absence == STASIS_PRESENT &&
                    (s->attributes & (TOKEN_SID_ENABLED | TOKEN_SID_DENY_ONLY)) == TOKEN_SID_ENABLED &&
                    sid_is(&s->sid, "S-1-5-32-544")) {
                        *fact = fact_derived(true);
                        return;
                }
        }
        *fact = whole ? fact_derived(false) : fact_absent(STASIS_NOT_KNOWN);
}

/* ---------------------------------------------------------------- the rest */

/* LowPart and HighPart of a LUID, as one number. */
void derive_luid(struct decode *d, struct stasis_fact *fact)
{
        if (fact->va != STASIS_NOWHERE)
                *fact = load_at(d->w->kernel, fact->va, 8);
}

void derive_token_level(struct decode *d, struct stasis_fact *fact)
{
        struct stasis_fact type = load_place_of(d->w->kernel, d->token, &d->w->at.token_type);
        if (fact_is(fact) && fact_is(&type) && type.value != TOKEN_IMPERSONATION)
                fact->absence = STASIS_NOT_APPLICABLE;
}

void derive_token_source(struct decode *d, struct stasis_fact *fact)
{
        uint8_t name[SOURCE_LEN];
        if (!fact_is(fact))
                return;
        enum stasis_status status = stasis_space_read(d->w->kernel, fact->va, name, sizeof name);
        size_t len = sizeof name;
        while (len && (name[len - 1] == ' ' || !name[len - 1])) /* padded with blanks */
                len--;
        fact->absence = (uint8_t)absence_at(d->w->kernel, fact->va, sizeof name, status);
        fact->value = 0;
        if (fact_is(fact) && !(fact->text = text_from_bytes(d->arena, name, len)))
                fact->absence = STASIS_NOT_KNOWN;
}

void derive_token_expires(struct decode *d, struct stasis_fact *fact)
{
        derive_zero_is_none(d, fact);
        if (fact_is(fact) && fact->value >= NEVER)
                fact->absence = STASIS_NOT_APPLICABLE;
}

/* ---------------------------------------------------------------- lists */

#define INNER(k, t, kd, n, h) \
        { \
                COLUMN(k, t, NULL, kd, h, NULL), .base = ON_NOTHING, .names = (n) \
        }

enum { SID_ROW_SID, SID_ROW_NAME, SID_ROW_ATTRIBUTES, SID_ROWS };
static const struct row sid_rows[SID_ROWS] = {
        [SID_ROW_SID] = INNER("sid", "SID", TEXT, NULL, ""),
        [SID_ROW_NAME] = INNER("name", "Name", TEXT, NULL, "of a well-known SID, or by its last part"),
        [SID_ROW_ATTRIBUTES] = INNER("attributes", "Attributes", FLAGS, names_sid_attributes, "SE_GROUP_* bits"),
};
const struct stasis_list_rows token_sid_list = { .row = sid_rows, .count = SID_ROWS };

enum { PRIVILEGE_ROW_NAME, PRIVILEGE_ROW_ENABLED, PRIVILEGE_ROW_DEFAULT, PRIVILEGE_ROWS };
static const struct row privilege_rows[PRIVILEGE_ROWS] = {
        [PRIVILEGE_ROW_NAME] = INNER("name", "Privilege", ENUM, names_privilege, "by its LUID"),
        [PRIVILEGE_ROW_ENABLED] = INNER("enabled", "Enabled", BOOL, NULL, ""),
        [PRIVILEGE_ROW_DEFAULT] = INNER("enabled_by_default", "Enabled by default", BOOL, NULL, ""),
};
const struct stasis_list_rows token_privilege_list = { .row = privilege_rows, .count = PRIVILEGE_ROWS };

/* A thread's lists are those of its own token: what it shares with its process stands there once. */
static bool lists_here(const struct decode *d, struct stasis_fact *fact)
{
        uint64_t primary = 0;
        *fact = fact_absent(d->token_why);
        if (d->token_why != STASIS_PRESENT)
                return false;
        if (!d->thread || token_of_process(d->w, d->w->process[d->process].object, &primary) != STASIS_PRESENT ||
            primary != d->token)
                return true;
        *fact = fact_absent(STASIS_NOT_APPLICABLE);
        return false;
}

static void put_sid_row(struct decode *d, const struct token_sid *s, struct stasis_fact row[static SID_ROWS])
{
        const char *name = s->absence == STASIS_PRESENT ? sid_name(&s->sid) : NULL;
        for (size_t i = 0; i < SID_ROWS; i++)
                row[i] = fact_absent(s->absence);
        if (s->absence == STASIS_PRESENT) {
                put_sid(d, s->va, &s->sid, &row[SID_ROW_SID]);
                row[SID_ROW_NAME].absence = STASIS_NOT_KNOWN;
        }
        if (name)
                put_text(d, s->va, name, &row[SID_ROW_NAME]);
        if (s->va)
                row[SID_ROW_ATTRIBUTES] = load_at(d->w->kernel, s->entry + d->w->pointer_size, 4);
}

static void note_cut(const struct decode *d, const char *what, uint64_t said, size_t kept)
{
        if (!d->quiet)
                system_note(d->w->system, STASIS_NOTE_MISSING, "token-cut", d->token,
                            (int64_t)d->w->process[d->process].pid, -1,
                            "the token at 0x%" PRIx64 " has %" PRIu64 " %s, as it says itself; %zu of them were read",
                            d->token, said, what, kept);
}

static void list_sids(struct decode *d, struct stasis_fact *fact, enum token_array array, size_t from, const char *what)
{
        struct list_maker maker = list_begin(d->set, fact, d->arena, TOKEN_SIDS_MAX);
        if (!lists_here(d, fact))
                return;
        const struct token_cache *sids = token_sids(d->w, d->token, array);
        *fact = fact_absent(sids->absence);
        if (sids->absence != STASIS_PRESENT)
                return;
        for (size_t i = from; i < sids->count; i++) {
                put_sid_row(d, &sids->sid[i], maker.set->fact);
                list_keep(&maker);
        }
        if (sids->count < sids->said)
                note_cut(d, what, sids->said, sids->count);
        list_end(&maker, fact);
}

void derive_groups(struct decode *d, struct stasis_fact *fact) { list_sids(d, fact, TOKEN_USERS, 1, "SIDs"); }
void derive_restricted_sids(struct decode *d, struct stasis_fact *fact)
{
        list_sids(d, fact, TOKEN_RESTRICTED, 0, "restricted SIDs");
}
void derive_capabilities(struct decode *d, struct stasis_fact *fact)
{
        list_sids(d, fact, TOKEN_CAPABILITIES, 0, "capabilities");
}

static void keep_privilege(struct list_maker *maker, struct stasis_fact number, struct stasis_fact enabled,
                           struct stasis_fact by_default)
{
        const struct stasis_column *column = &maker->set->column[PRIVILEGE_ROW_NAME];
        number.text = name_of(column->names, column->name_count, number.value);
        maker->set->fact[PRIVILEGE_ROW_NAME] = number;
        maker->set->fact[PRIVILEGE_ROW_ENABLED] = enabled;
        maker->set->fact[PRIVILEGE_ROW_DEFAULT] = by_default;
        list_keep(maker);
}

/* Since Vista three words: bit n is the privilege of LUID n. */
static struct stasis_fact bit_of(struct stasis_fact word, unsigned bit)
{
        word.value = word.value >> bit & 1;
        return word;
}

static void list_privilege_bits(struct decode *d, struct list_maker *maker, struct stasis_fact *fact)
{
        const struct windows_places *at = &d->w->at;
        struct stasis_fact present = load_place_of(d->w->kernel, d->token, &at->token_privileges_present);
        struct stasis_fact enabled = load_place_of(d->w->kernel, d->token, &at->token_privileges_enabled);
        struct stasis_fact by_default = load_place_of(d->w->kernel, d->token, &at->token_privileges_default);
        *fact = present;
        for (unsigned bit = 0; fact_is(&present) && bit < 64; bit++) {
                struct stasis_fact number = present;
                number.value = bit;
                if (present.value >> bit & 1)
                        keep_privilege(maker, number, bit_of(enabled, bit), bit_of(by_default, bit));
        }
        if (fact_is(fact))
                list_end(maker, fact);
}

/* Before: an array of LUID_AND_ATTRIBUTES, twelve bytes each (winnt.h). */
static void list_privilege_array(struct decode *d, struct list_maker *maker, struct stasis_fact *fact)
{
        struct stasis_fact count = load_place_of(d->w->kernel, d->token, &d->w->at.token_privilege_count);
        struct stasis_fact first = load_place_of(d->w->kernel, d->token, &d->w->at.token_privileges);
        *fact = fact_is(&count) ? first : count;
        if (!fact_is(fact))
                return;
        uint64_t kept = 0;
        for (; kept < count.value && kept < PRIVILEGES_MAX; kept++) {
                struct stasis_fact number = load_at(d->w->kernel, first.value + 12 * kept, 8);
                struct stasis_fact attributes = load_at(d->w->kernel, first.value + 12 * kept + 8, 4);
                if (!fact_is(&number) || !fact_is(&attributes))
                        break;
                keep_privilege(maker, number, bit_of(attributes, 1), bit_of(attributes, 0));
        }
        if (kept < count.value)
                note_cut(d, "privileges", count.value, (size_t)kept);
        list_end(maker, fact);
}

void derive_privileges(struct decode *d, struct stasis_fact *fact)
{
        struct list_maker maker = list_begin(d->set, fact, d->arena, PRIVILEGES_MAX);
        if (!lists_here(d, fact))
                return;
        if (d->w->at.token_privileges_present.has)
                list_privilege_bits(d, &maker, fact);
        else
                list_privilege_array(d, &maker, fact);
}
