/* SPDX-License-Identifier: MIT */
/*
 * The layout that inference makes, what is told of it, and other layouts held against it.
 *
 * Beside what the rules found the layout has what never moved in any version and is confirmed whenever it is used:
 * Type of a dispatcher header, a KPCR that names itself, the first members of a KPRCB, a TEB that names itself.
 */
#include "infer.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../layout_made.h"

static const enum infer_member needed[] = { INFER_LINKS, INFER_PID, INFER_NAME, INFER_CID_PROCESS, INFER_CID_THREAD };
#define NEEDED (sizeof needed / sizeof *needed)

/* ---------------------------------------------------------------- making it */

struct anchor {
        const char *structure, *name;
        uint8_t x86, x64, size; /* size 0: a pointer's */
};

static const struct anchor anchors[] = {
        { "_DISPATCHER_HEADER", "Type", 0, 0, 1 }, { "_KPRCB", "CurrentThread", 0x4, 0x8, 0 },
        { "_KPRCB", "NextThread", 0x8, 0x10, 0 },  { "_KPRCB", "IdleThread", 0xc, 0x18, 0 },
        { "_KPCR", "Self", 0x1c, 0x18, 0 },        { "_KPCR", "CurrentPrcb", 0x20, 0x20, 0 },
        { "_EWOW64PROCESS", "Peb", 0, 0, 0 },
};
static const struct anchor teb_anchors[] = {
        { "_TEB", "NtTib.ExceptionList", 0x0, 0x0, 0 },     { "_TEB", "NtTib.StackBase", 0x4, 0x8, 0 },
        { "_TEB", "NtTib.StackLimit", 0x8, 0x10, 0 },       { "_TEB", "ClientId.UniqueProcess", 0x20, 0x40, 0 },
        { "_TEB", "ClientId.UniqueThread", 0x24, 0x48, 0 }, { "_TEB", "ProcessEnvironmentBlock", 0x30, 0x60, 0 },
};

static bool add_anchors(const struct infer *s, struct stasis_layout *layout, const struct anchor *a, size_t count)
{
        bool ok = true;
        for (size_t i = 0; i < count && ok; i++) {
                struct stasis_member m = { .offset = s->pointer == 8 ? a[i].x64 : a[i].x86,
                                           .size = a[i].size ? a[i].size : s->pointer,
                                           .count = 1 };
                ok = layout_made_add(layout, a[i].structure, a[i].name, &m);
        }
        return ok;
}

/* KPRCB.Number has been at two places; where there are several processors, one of the two counts them. */
static bool add_number(struct infer *s, struct stasis_layout *layout)
{
        static const struct {
                uint16_t at[2];
                uint8_t size;
        } places[] = { { { 0x10, 0x4 }, 1 }, { { 0x3cc, 0x24 }, 4 } };
        size_t found = 0, which = 0;
        for (size_t k = 0; k < 2; k++) {
                uint64_t seen = 0, number;
                for (size_t i = 0; i < s->prcb_count; i++)
                        if (infer_read(s, s->prcb[i] + places[k].at[s->pointer == 8], places[k].size, &number) &&
                            number < s->prcb_count)
                                seen |= UINT64_C(1) << number;
                if (s->prcb_count < 2 || seen != (UINT64_C(2) << (s->prcb_count - 1)) - 1)
                        continue;
                found++;
                which = k;
        }
        struct stasis_member m = { .offset = places[which].at[s->pointer == 8],
                                   .size = places[which].size,
                                   .count = 1 };
        return found == 0 || layout_made_add(layout, "_KPRCB", "Number", &m);
}

static bool add_found(const struct infer *s, struct stasis_layout *layout)
{
        bool ok = true;
        for (enum infer_member m = 0; m < INFER_MEMBERS && ok; m++) {
                const struct infer_rule *rule = &infer_table[m];
                uint8_t size = infer_size(s, m);
                bool text = m == INFER_NAME;
                struct stasis_member member = {
                        .offset = s->found[m].at, .size = text ? 1 : size, .count = text ? size : 1, .type = rule->type
                };
                if (infer_has(s, m))
                        ok = layout_made_add(layout, rule->structure, rule->name, &member);
        }
        return ok;
}

/* Enumerations are the nearest version's: their first values are the same in all of them. */
static const struct stasis_layout *family_of(const struct windows *w)
{
        struct stasis_kernel_id id = { .machine = w->is64 ? 0x8664 : 0x14c,
                                       .build = w->version.build,
                                       .revision = w->version.revision };
        struct stasis_layout_choice choice;
        return w->version.build && stasis_layout_choose(&id, &choice, 1) ? choice.layout : NULL;
}

static const char *lacking(const struct infer *s)
{
        for (size_t i = 0; i < NEEDED; i++)
                if (!infer_has(s, needed[i]))
                        return infer_table[needed[i]].name;
        bool lists = (infer_has(s, INFER_KPROCESS_THREADS) && infer_has(s, INFER_KTHREAD_ENTRY)) ||
                     (infer_has(s, INFER_EPROCESS_THREADS) && infer_has(s, INFER_ETHREAD_ENTRY));
        return lists ? NULL : "ThreadListHead";
}

bool windows_infer_layout(struct windows *w, const char **ret_lacks)
{
        *ret_lacks = "System's process object";
        if (w->inferred_layout)
                return true;
        if (!windows_infer(w)) {
                if (w->infer && w->infer->lacks)
                        *ret_lacks = w->infer->lacks;
                return false;
        }
        struct infer *s = w->infer;
        *ret_lacks = lacking(s);
        if (*ret_lacks)
                return false;
        struct stasis_layout *layout = layout_made_new("inferred", w->pointer_size, family_of(w));
        bool ok = layout && add_anchors(s, layout, anchors, sizeof anchors / sizeof *anchors) && add_found(s, layout) &&
                  add_number(s, layout);
        if (ok && infer_has(s, INFER_TEB))
                ok = add_anchors(s, layout, teb_anchors, sizeof teb_anchors / sizeof *teb_anchors);
        w->no_memory |= !ok;
        w->inferred_layout = layout;
        return ok;
}

uint64_t windows_inferred_system(const struct windows *w) { return w->infer ? w->infer->system : 0; }

size_t windows_infer_count(const struct windows *w)
{
        size_t count = 0;
        for (enum infer_member m = 0; w->infer && m < INFER_MEMBERS; m++)
                count += infer_has(w->infer, m);
        return count;
}

/* ---------------------------------------------------------------- telling */

static const char *const verdicts[] = {
        [INFER_NOT_TRIED] = "thin",      [INFER_FOUND] = "found",   [INFER_THIN] = "thin",
        [INFER_AMBIGUOUS] = "ambiguous", [INFER_DENIED] = "denied",
};

static void trace(struct windows *w, const struct stasis_inference *i, const char *kind)
{
        if (strcmp(i->verdict, "found") == 0)
                system_trace(w->system, "infer", true, "%s 0x%x: %u of %u %s; %s%s", i->member, i->offset, i->agreed,
                             i->of, kind, i->rule, i->told ? "; so says the debugger block" : "");
        else if (strcmp(i->verdict, "ambiguous") == 0)
                system_trace(w->system, "infer", false, "%s: 0x%x and 0x%x both fit (%s)", i->member, i->offset,
                             i->other, i->rule);
        else if (strcmp(i->verdict, "denied") == 0)
                system_trace(w->system, "infer", false, "%s: 0x%x fits, the debugger block says 0x%x (%s)", i->member,
                             i->offset, i->other, i->rule);
        else
                system_trace(w->system, "infer", false, "%s: no place with witnesses enough (%s)", i->member, i->rule);
}

void windows_infer_tell(struct windows *w)
{
        struct stasis_system *system = w->system;
        if (!w->infer || !w->infer->sampled || system->inference)
                return;
        system->inference = arena_array(&system->arena, struct stasis_inference, INFER_MEMBERS);
        for (enum infer_member m = 0; system->inference && m < INFER_MEMBERS; m++) {
                const struct infer_rule *rule = &infer_table[m];
                const struct inferred *f = &w->infer->found[m];
                struct stasis_inference *i = &system->inference[system->inference_count];
                const char *member = stasis_arena_printf(&system->arena, "%s.%s", rule->structure, rule->name);
                if (!member)
                        return;
                *i = (struct stasis_inference){
                        member, verdicts[f->verdict], rule->text, f->at, f->other, f->agreed, f->of, f->told
                };
                system->inference_count++;
                trace(w, i, rule->of == OF_PROCESS ? "processes" : "threads");
        }
}

/* ---------------------------------------------------------------- doubts */

static bool is_elsewhere(struct infer *s, enum infer_member m, uint32_t at)
{
        const struct inferred *f = &s->found[m];
        if (f->verdict == INFER_FOUND)
                return f->at != at;
        if (f->verdict == INFER_AMBIGUOUS && (f->at == at || f->other == at))
                return false;
        return infer_denies(s, m, at);
}

size_t windows_layout_doubts(struct windows *w, const struct stasis_layout *layout, char *text, size_t len)
{
        size_t count = 0, used = 0;
        if (len)
                text[0] = '\0';
        if (!windows_infer(w))
                return 0;
        for (enum infer_member m = 0; m < INFER_MEMBERS; m++) {
                const struct infer_rule *rule = &infer_table[m];
                struct stasis_member member;
                char path[64];
                snprintf(path, sizeof path, "%s.%s", rule->structure, rule->name);
                if (!stasis_layout_member(layout, path, &member) || !is_elsewhere(w->infer, m, member.offset))
                        continue;
                int more = used < len ? snprintf(text + used, len - used, "%s%s", count ? ", " : "", path) : 0;
                used += more > 0 ? (size_t)more : 0;
                count++;
        }
        return count;
}
