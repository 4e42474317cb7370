/* SPDX-License-Identifier: MIT */
/*
 * The search: every rule at every place it may be at, over the whole sample; what one place alone fits is found, all
 * else is absent with its reason.
 */
#include "infer.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CANDIDATES_MAX 8
#define PLACES_FROM 0x10 /* behind a dispatcher header */
#define DAMAGE 16        /* one object in so many may say no: lists are torn, ids lie, pages are missing */

static uint8_t size_of(const struct infer *s, const struct infer_rule *rule)
{
        if (rule->size)
                return rule->size;
        return rule->type == STASIS_TYPE_STRUCT ? (uint8_t)(2 * s->pointer) : s->pointer;
}

uint8_t infer_size(const struct infer *s, enum infer_member m) { return size_of(s, &infer_table[m]); }

/* Numbers are aligned to their size, names to 4. */
static uint32_t step_of(const struct infer *s, const struct infer_rule *rule)
{
        uint8_t size = size_of(s, rule);
        return size == 1 || size == 4 || size == 8 ? size : rule->type == STASIS_TYPE_STRUCT ? s->pointer : 4;
}

bool infer_get(const struct infer *s, const struct infer_object *o, enum infer_member m, uint64_t *ret_value)
{
        uint8_t size = infer_size(s, m);
        if (!infer_has(s, m) || !infer_holds(o, s->found[m].at, size))
                return false;
        *ret_value = infer_word(o, s->found[m].at, size);
        return true;
}

/* ---------------------------------------------------------------- one rule at one place */

static struct infer_candidate poll(struct infer *s, const struct infer_rule *rule, uint32_t at)
{
        const struct infer_object *o = rule->of == OF_PROCESS ? s->process : s->thread;
        size_t count = rule->of == OF_PROCESS ? s->process_count : s->thread_count;
        struct infer_candidate c = { .at = at };
        uint8_t size = size_of(s, rule);
        for (size_t i = 0; i < count; i++) {
                enum infer_vote vote = infer_holds(&o[i], at, size) ? rule->vote(s, &o[i], at) : VOTE_NONE;
                c.yes += vote == VOTE_YES;
                c.no += vote == VOTE_NO;
                if (c.no * DAMAGE > c.yes + (count - i))
                        break; /* whatever the rest says */
        }
        return c;
}

static bool fits(struct infer *s, const struct infer_rule *rule, const struct infer_candidate *c)
{
        return c->yes >= rule->least && c->no * DAMAGE <= c->yes && (!rule->column || rule->column(s, c->at));
}

/* ---------------------------------------------------------------- one rule at all places */

static bool is_taken(const struct infer *s, const struct infer_rule *rule, uint32_t at)
{
        for (uint32_t i = at; i < at + size_of(s, rule) && i < INFER_SPAN; i++)
                if (s->taken[rule->of][i])
                        return true;
        return false;
}

static size_t candidates(struct infer *s, const struct infer_rule *rule, struct infer_candidate c[CANDIDATES_MAX])
{
        uint32_t where[INFER_WHERE_MAX] = { 0 }, step = step_of(s, rule);
        size_t count = 0, told = rule->where ? rule->where(s, where) : (INFER_SPAN - PLACES_FROM) / step;
        for (size_t i = 0; i < told && count < CANDIDATES_MAX; i++) {
                uint32_t at = rule->where ? where[i] : PLACES_FROM + (uint32_t)i * step;
                if (is_taken(s, rule, at))
                        continue;
                c[count] = poll(s, rule, at);
                count += fits(s, rule, &c[count]);
        }
        return count;
}

static uint32_t told_place(const struct infer *s, const struct infer_rule *rule)
{
        uint16_t told = 0;
        if (rule->told && s->w->has_kdbg && s->w->kdbg.sizes)
                memcpy(&told, (const char *)&s->w->kdbg + rule->told, sizeof told);
        return told;
}

static const struct infer_candidate *settle(const struct infer_rule *rule, const struct infer_candidate *c,
                                            size_t count, uint32_t told)
{
        for (size_t i = 0; i < count && told; i++)
                if (c[i].at == told)
                        return &c[i];
        if (told || count == 0)
                return NULL;
        return count == 1 ? c : rule->pick ? rule->pick(c, count) : NULL;
}

static void search(struct infer *s, enum infer_member m)
{
        const struct infer_rule *rule = &infer_table[m];
        struct infer_candidate c[CANDIDATES_MAX];
        uint32_t told = told_place(s, rule);
        size_t count = candidates(s, rule, c);
        const struct infer_candidate *best = settle(rule, c, count, told);
        struct inferred *f = &s->found[m];
        *f = (struct inferred){ .verdict = count == 0 ? INFER_THIN : told ? INFER_DENIED : INFER_AMBIGUOUS };
        if (!best && count) {
                f->at = c[0].at;
                f->other = told ? told : c[1].at;
        }
        if (!best)
                return;
        *f = (struct inferred){ INFER_FOUND, best->at, 0, best->yes, best->yes + best->no, told != 0 };
        for (uint32_t i = best->at; i < best->at + size_of(s, rule) && i < INFER_SPAN; i++)
                s->taken[rule->of][i] = 1;
}

/* ---------------------------------------------------------------- all of them */

static struct infer *make(struct windows *w)
{
        struct infer *s = calloc(1, sizeof *s);
        if (!s)
                return NULL;
        s->w = w;
        s->space = w->kernel;
        s->pointer = w->pointer_size;
        s->user_of = INFER_NOBODY;
        s->user = malloc(sizeof *s->user);
        s->no_memory = !s->user;
        return s;
}

static void look(struct infer *s)
{
        uint64_t system[INFER_SYSTEMS_MAX];
        size_t count = s->no_memory ? 0 : infer_systems(s, system);
        for (size_t i = 0; i < count && !s->sampled && !s->no_memory; i++) {
                s->process_count = s->thread_count = 0;
                s->sampled = infer_sample_processes(s, system[i]) && infer_sample_threads(s);
        }
        if (!s->sampled)
                return;
        infer_sample_processors(s);
        for (enum infer_member m = 0; m < INFER_MEMBERS; m++)
                search(s, m);
}

bool windows_infer(struct windows *w)
{
        if (!w->infer) {
                w->infer = make(w);
                if (w->infer)
                        look(w->infer);
        }
        w->no_memory |= !w->infer || w->infer->no_memory;
        return w->infer && w->infer->sampled && !w->infer->no_memory;
}

void windows_infer_free(struct infer *s)
{
        if (!s)
                return;
        stasis_arena_free(&s->arena);
        free(s->user);
        free(s);
}

bool infer_denies(struct infer *s, enum infer_member m, uint32_t at)
{
        struct infer_candidate c = poll(s, &infer_table[m], at);
        return c.no >= 2 && c.no >= infer_table[m].least && c.no > c.yes;
}
