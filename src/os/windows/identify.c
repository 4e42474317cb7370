/* SPDX-License-Identifier: MIT */
/*
 * Which layout this kernel has, proved by System's process object: evidence that System does not confirm is not
 * believed.
 */
#include <inttypes.h>
#include <string.h>

#include "../layout_internal.h"
#include "../layout_made.h"
#include "system_rows.h"
#include "triage.h"
#include "windows.h"

#define LAYOUTS_TRIED_MAX 256
#define SYSTEM_THREADS_CHECKED 8
#define THREAD_ID_MAX \
        0x4000000 /* ids are handle values of one table: at most 2^26 (NT 4.0's are no multiples of 4) \
                   */

/* ---------------------------------------------------------------- is it System? */

/* Score of one thread list of System: 0 where the first entry is no thread of it. */
static unsigned thread_list_score(struct stasis_space *space, const struct windows_places *at, uint64_t process,
                                  uint64_t pid, const struct place *head, const struct place *links,
                                  uint8_t pointer_size)
{
        uint64_t entry, type, owner, tid;
        unsigned score = 0;
        if (!head->has || !links->has ||
            stasis_space_u(space, process + head->offset, pointer_size, &entry) != STASIS_OK)
                return 0;
        for (unsigned i = 0; i < SYSTEM_THREADS_CHECKED && entry != process + head->offset; i++) {
                uint64_t object = entry - links->offset;
                if (read_place(space, object, &at->header_type, &type) != STASIS_OK ||
                    !is_dispatcher(type, DISPATCHER_THREAD))
                        return 0;
                if (read_place(space, object, &at->cid_process, &owner) != STASIS_OK || owner != pid ||
                    read_place(space, object, &at->cid_thread, &tid) != STASIS_OK || !tid || tid > THREAD_ID_MAX)
                        return 0;
                score++;
                if (stasis_space_u(space, entry, pointer_size, &entry) != STASIS_OK)
                        break;
        }
        return score;
}

unsigned windows_system_score(struct stasis_space *space, const struct stasis_layout *layout, uint64_t object)
{
        struct windows_places at;
        uint8_t pointer_size = stasis_layout_pointer_size(layout);
        uint64_t type, pid, dtb, flink, back;
        char name[8] = { 0 };
        if (pointer_size != (space->paging->va_bits > 32 ? 8 : 4))
                return 0; /* before the binding, which costs more than all that follows */
        windows_bind_places(layout, &at);
        if (!at.process_name.has || !at.process_links.has)
                return 0;
        if (read_place(space, object, &at.header_type, &type) != STASIS_OK || !is_dispatcher(type, DISPATCHER_PROCESS))
                return 0;
        if (read_place(space, object, &at.process_id, &pid) != STASIS_OK || (pid != 4 && pid != 8 && pid != 2))
                return 0; /* System is 2 in NT 4.0, 8 in 2000, 4 since XP */
        if (stasis_space_read(space, object + at.process_name.offset, name, 7) != STASIS_OK ||
            strcmp(name, "System") != 0)
                return 0;
        unsigned score = 1;
        if (read_place(space, object, &at.process_dtb, &dtb) == STASIS_OK &&
            dtb >> 12) /* low bits may be flags or a PCID */
                score += 2;
        uint64_t links = object + at.process_links.offset;
        if (stasis_space_u(space, links, pointer_size, &flink) == STASIS_OK &&
            stasis_space_u(space, flink + pointer_size, pointer_size, &back) == STASIS_OK && back == links)
                score += 2;
        score += thread_list_score(space, &at, object, pid, &at.process_threads, &at.thread_links, pointer_size);
        score += thread_list_score(space, &at, object, pid, &at.kprocess_threads, &at.kthread_links, pointer_size);
        return score;
}

/* Where System's object may be, for this layout: the export, then the head of the list. */
static size_t system_candidates(struct windows *w, const struct stasis_layout *layout, uint64_t object[static 5])
{
        struct stasis_member links;
        uint64_t va, value;
        size_t count = 0;
        if (w->has_pe && pe_export(w->kernel, &w->pe, "PsInitialSystemProcess", &va) == STASIS_OK &&
            read_pointer(w, w->kernel, va, &value) == STASIS_OK && is_kernel_address(w, value))
                object[count++] = value;
        if (windows_symbol(w, "PsInitialSystemProcess", &va) && read_pointer(w, w->kernel, va, &value) == STASIS_OK &&
            is_kernel_address(w, value))
                object[count++] = value;
        if (w->process_head && stasis_layout_member(layout, "_EPROCESS.ActiveProcessLinks", &links) &&
            read_pointer(w, w->kernel, w->process_head, &value) == STASIS_OK)
                object[count++] = value - links.offset;
        if (w->system_object) /* found by its shape */
                object[count++] = w->system_object;
        return count;
}

static unsigned try_layout(struct windows *w, const struct stasis_layout *layout, uint64_t *ret_object)
{
        uint64_t object[5];
        unsigned best = 0;
        if (is_virtual(w))
                return triage_score(w, layout, ret_object);
        size_t count = system_candidates(w, layout, object);
        for (size_t i = 0; i < count; i++) {
                unsigned score = windows_system_score(w->kernel, layout, object[i]);
                if (score > best) {
                        best = score;
                        *ret_object = object[i];
                }
        }
        return best;
}

/* ---------------------------------------------------------------- which layout? */

static void kernel_id(const struct windows *w, struct stasis_kernel_id *id)
{
        *id = (struct stasis_kernel_id){ .machine = w->is64 ? 0x8664 : 0x14c,
                                         .build = w->version.build,
                                         .revision = w->version.revision,
                                         .service_pack = w->version.service_pack };
        if (w->has_pe) {
                id->pdb = w->pe.pdb_known ? &w->pe.pdb : NULL;
                id->timestamp = w->pe.timestamp;
                id->image_size = w->pe.size;
        }
        if (w->has_kdbg && w->kdbg.sizes) {
                id->kdbg_sizes = true;
                id->size_eprocess = w->kdbg.SizeEProcess;
                id->size_ethread = w->kdbg.SizeEThread;
                id->size_prcb = w->kdbg.SizePrcb;
                id->kthread_state = w->kdbg.OffsetKThreadState;
                id->kthread_teb = w->kdbg.OffsetKThreadTeb;
                id->kthread_next_processor = w->kdbg.OffsetKThreadNextProcessor;
                id->eprocess_peb = w->kdbg.OffsetEprocessPeb;
        }
}

/* How sure each kind of evidence makes us, that System fits being given. */
static const struct windows_evidence evidence[] = {
        [STASIS_MATCH_NONE] = { "plausibility of System alone", "weak" },
        [STASIS_MATCH_NEAREST] = { "nearest build", "weak" },
        [STASIS_MATCH_BUILD] = { "build number", "likely" },
        [STASIS_MATCH_KDBG] = { "sizes in the debugger block", "strong" },
        [STASIS_MATCH_PE] = { "PE timestamp and size", "exact" },
        [STASIS_MATCH_PDB] = { "PDB GUID", "exact" },
};
static const struct windows_evidence evidence_reactos = { "recognised as ReactOS", "likely" };
static const struct windows_evidence evidence_given = { "given file", "given" };
static const struct windows_evidence evidence_symbols = { "symbol file with the kernel's GUID and age", "exact" };

static void take_layout(struct windows *w, const struct stasis_layout_choice *choice,
                        const struct windows_evidence *why, uint64_t object, unsigned score)
{
        w->layout = choice->layout;
        w->layout_evidence = *why;
        memcpy(w->revision, choice->revision, sizeof w->revision);
        w->system_object = object;
        if (is_virtual(w))
                system_trace(w->system, "layout", true, "%s (%s: %s), fits the dump's thread, score %u",
                             stasis_layout_name(choice->layout), why->how, why->sure, score);
        else
                system_trace(w->system, "layout", true, "%s (%s: %s), System at 0x%" PRIx64 ", score %u",
                             stasis_layout_name(choice->layout), why->how, why->sure, object, score);
}

/* Held against what the image itself shows of member places (infer.h); a triage dump shows too little. */
static size_t doubts(struct windows *w, const struct stasis_layout *layout, char *text, size_t len)
{
        return is_virtual(w) ? 0 : windows_layout_doubts(w, layout, text, len);
}

/* A layout that is told exactly or was given stays; what the image contradicts is named. */
static void note_doubts(struct windows *w)
{
        char text[256];
        size_t count = doubts(w, w->layout, text, sizeof text);
        if (!count)
                return;
        system_note(w->system, STASIS_NOTE_WARNING, "layout-doubtful", 0, -1, -1,
                    "the image contradicts %zu members of the layout %s, and what is read through them may be wrong: "
                    "%s; '--layout inferred' does without it",
                    count, stasis_layout_name(w->layout), text);
        windows_infer_tell(w);
}

/* One that the evidence does not tell exactly must not contradict the image. */
static bool is_refused(struct windows *w, const struct stasis_layout *layout)
{
        char text[256];
        size_t count = doubts(w, layout, text, sizeof text);
        if (count)
                system_trace(w->system, "layout", false, "%s: the image has %zu members elsewhere: %s",
                             stasis_layout_name(layout), count, text);
        return count > 0;
}

struct trial {
        size_t index;
        unsigned score;
        uint64_t object;
};

/* The best of the candidates by how well System fits; ties go to the stronger evidence, which comes first. */
static struct trial best_of(struct windows *w, const struct stasis_layout_choice *choice, size_t count,
                            const bool *refused)
{
        struct trial best = { .index = count };
        for (size_t i = 0; i < count; i++) {
                struct trial trial = { .index = i };
                trial.score = refused[i] ? 0 : try_layout(w, choice[i].layout, &trial.object);
                if (!trial.score && !refused[i])
                        system_trace(w->system, "layout", false, "%s: System's object does not fit",
                                     stasis_layout_name(choice[i].layout));
                if (trial.score <= best.score)
                        continue;
                best = trial;
                if (choice[i].match >= STASIS_MATCH_PE)
                        break; /* told exactly; that System fits confirms it */
        }
        return best;
}

static bool choose_among(struct windows *w, const struct stasis_layout_choice *choice, size_t count)
{
        bool refused[LAYOUTS_TRIED_MAX] = { false };
        for (;;) {
                struct trial best = best_of(w, choice, count, refused);
                if (best.index == count)
                        return false;
                const struct stasis_layout_choice *c = &choice[best.index];
                if (c->match >= STASIS_MATCH_PE || !is_refused(w, c->layout)) {
                        take_layout(w, c, &evidence[c->match], best.object, best.score);
                        if (c->match >= STASIS_MATCH_PE)
                                note_doubts(w);
                        return true;
                }
                refused[best.index] = true;
        }
}

/*
 * A kernel that nothing tells: a measured layout that System fits and that no member of contradicts the image, since it
 * knows more members than can be inferred.
 */
static bool choose_any(struct windows *w)
{
        const struct stasis_layout *layout, *best = NULL;
        unsigned best_score = 0;
        uint64_t best_object = 0;
        for (size_t i = 0; i < LAYOUTS_TRIED_MAX && (layout = stasis_layout_at(i)); i++) {
                uint64_t object = 0;
                unsigned score =
                        stasis_layout_pointer_size(layout) == w->pointer_size ? try_layout(w, layout, &object) : 0;
                if (score <= best_score || is_refused(w, layout))
                        continue;
                best = layout;
                best_score = score;
                best_object = object;
        }
        if (!best)
                return false;
        take_layout(w, &(struct stasis_layout_choice){ .layout = best }, &evidence[STASIS_MATCH_NONE], best_object,
                    best_score);
        system_note(w->system, STASIS_NOTE_WARNING, "layout-by-plausibility", 0, -1, -1,
                    "no built-in layout is known for this kernel; %s fits System best and is used",
                    stasis_layout_name(best));
        return true;
}

static bool choose_inferred(struct windows *w)
{
        const char *lacks;
        const struct stasis_layout *family;
        if (is_virtual(w))
                return false;
        bool ok = windows_infer_layout(w, &lacks);
        windows_infer_tell(w);
        if (!ok) {
                system_trace(w->system, "layout", false, "inferred: %s could not be found", lacks);
                return false;
        }
        const char *how = stasis_arena_printf(&w->system->arena, "%zu members that the image itself shows",
                                              windows_infer_count(w));
        const struct windows_evidence shown = { how ? how : "what the image itself shows", "inferred" };
        take_layout(w, &(struct stasis_layout_choice){ .layout = w->inferred_layout }, &shown,
                    windows_inferred_system(w), (unsigned)windows_infer_count(w));
        family = layout_made_family(w->inferred_layout);
        system_note(w->system, STASIS_NOTE_WARNING, "layout-inferred", 0, -1, -1,
                    "the places of %zu members were inferred from what must hold in this image; other members are not "
                    "known; names of states and reasons are those of %s",
                    windows_infer_count(w), family ? stasis_layout_name(family) : "all versions");
        return true;
}

static bool choose_reactos(struct windows *w)
{
        const struct stasis_layout *layout = stasis_layout_by_name(w->is64 ? "reactos-0.4-x64" : "reactos-0.4-x86");
        uint64_t object = 0;
        unsigned score = layout ? try_layout(w, layout, &object) : 0;
        if (!score)
                return false;
        take_layout(w, &(struct stasis_layout_choice){ .layout = layout }, &evidence_reactos, object, score);
        note_doubts(w);
        return true;
}

/* A file for another kernel may fit System, and still have members elsewhere. */
static void note_other_pdb(struct windows *w)
{
        struct stasis_pdb_id given;
        const struct stasis_pdb_id *own = &w->pe.pdb;
        if (!w->has_pe || !w->pe.pdb_known || !layout_isf_pdb(w->own_layout, &given) ||
            memcmp(own->guid, given.guid, sizeof own->guid) == 0)
                return;
        const char *own_text = windows_guid_text(w, own->guid), *given_text = windows_guid_text(w, given.guid);
        if (own_text && given_text)
                system_note(
                        w->system, STASIS_NOTE_WARNING, "layout-other-pdb", 0, -1, -1,
                        "%s was made from the PDB %s, age %u; this kernel's is %s, age %u: members may lie elsewhere",
                        stasis_layout_name(w->own_layout), given_text, given.age, own_text, own->age);
}

static bool choose_given(struct windows *w)
{
        uint64_t object = 0;
        unsigned score = try_layout(w, w->own_layout, &object);
        if (!score) {
                system_trace(w->system, "layout", false, "%s (given): System's object does not fit",
                             stasis_layout_name(w->own_layout));
                return false;
        }
        take_layout(w, &(struct stasis_layout_choice){ .layout = w->own_layout }, &evidence_given, object, score);
        note_other_pdb(w);
        note_doubts(w);
        return true;
}

/* Types out of the very PDB of this kernel: nothing is surer, so that they come first. */
static bool choose_symbols(struct windows *w)
{
        struct stasis_layout_choice choice = { .layout = windows_symbol_layout(w) };
        uint64_t object = 0;
        if (!choice.layout || !stasis_layout_has_types(choice.layout))
                return false;
        unsigned score = try_layout(w, choice.layout, &object);
        if (!score) {
                system_trace(w->system, "layout", false, "%s (symbol file): System's object does not fit",
                             stasis_layout_name(choice.layout));
                return false;
        }
        (void)layout_of_pdb(&w->pe.pdb, choice.revision);
        take_layout(w, &choice, &evidence_symbols, object, score);
        note_doubts(w);
        return true;
}

bool windows_choose_layout(struct windows *w)
{
        struct stasis_layout_choice choice[LAYOUTS_TRIED_MAX];
        struct stasis_kernel_id id;
        if (w->own_layout)
                return choose_given(w);
        if (w->system->options.infer_layout)
                return choose_inferred(w);
        if (choose_symbols(w))
                return true;
        if (w->version.reactos && choose_reactos(w))
                return true;
        kernel_id(w, &id);
        size_t count = stasis_layout_choose(&id, choice, LAYOUTS_TRIED_MAX);
        if (!count)
                system_trace(w->system, "layout", false, "no built-in layout for this PDB, PE or build %u", id.build);
        return choose_among(w, choice, count) || choose_any(w) || choose_inferred(w);
}
