/* SPDX-License-Identifier: MIT */
/*
 * Why a thread is not seen by all that should see it: the reasons as a table, the first that holds is told. None of
 * them is a verdict: "unlinked" says what the lists are like, not who did it.
 */
#include "windows.h"

#define LISTS (1u << SOURCE_PROCESS_LIST | 1u << SOURCE_KPROCESS_LIST)
#define IDS (1u << SOURCE_CID)

/* What is asked of a thread, read once. */
struct sighting {
        const struct windows *w;
        const struct windows_thread *t;
        const struct windows_process *p;
        uint64_t state;
        bool state_known, terminating;
        uint32_t ran, seen, unseen;
};

static struct sighting sight(const struct windows *w, const struct windows_thread *t)
{
        struct sighting s = { .w = w, .t = t, .p = &w->process[t->process], .seen = t->sources };
        uint64_t flag;
        s.state_known = read_place(thread_space(w, t), thread_bytes(t), &w->at.thread_state, &s.state) == STASIS_OK;
        s.terminating = read_place(thread_space(w, t), thread_bytes(t), &w->at.terminated, &flag) == STASIS_OK && flag;
        s.ran = w->sources_ran & (LISTS | IDS);
        if (s.p->idle) /* on no list and without an id in every version */
                s.ran = 0;
        if (s.state_known && s.state == THREAD_STATE_TERMINATED) /* KeTerminateThread takes it off KPROCESS's */
                s.ran &= ~(1u << SOURCE_KPROCESS_LIST);
        s.unseen = s.ran & ~s.seen;
        return s;
}

static bool is_unmapped(const struct sighting *s) { return s->t->ghost; }
static bool is_freed(const struct sighting *s) { return s->t->freed; }
static bool has_ended(const struct sighting *s)
{
        return s->unseen && s->state_known && s->state == THREAD_STATE_TERMINATED;
}
static bool is_exiting(const struct sighting *s) { return s->unseen && s->terminating; }
static bool is_starting(const struct sighting *s)
{
        return s->unseen && s->state_known && s->state == 0; /* Initialized */
}
static bool is_torn(const struct sighting *s) { return (s->unseen & LISTS) && s->p->torn; }
static bool is_id_torn(const struct sighting *s) { return s->unseen == IDS && s->w->ids_torn; }
static bool by_scan_only(const struct sighting *s) { return s->unseen && !(s->seen & ~SOURCES_SCAN); }
static bool by_id_only(const struct sighting *s) { return s->unseen && !(s->seen & ~(SOURCES_SCAN | IDS)); }
static bool by_handle_only(const struct sighting *s)
{
        return s->unseen && !(s->seen & ~(SOURCES_SCAN | 1u << SOURCE_HANDLE_TABLE));
}
static bool off_lists(const struct sighting *s) { return (s->unseen & LISTS) == (s->ran & LISTS) && (s->ran & LISTS); }
static bool off_a_list(const struct sighting *s) { return (s->unseen & LISTS) != 0; }
static bool without_id(const struct sighting *s) { return s->unseen == IDS; }
static bool of_unlisted(const struct sighting *s)
{
        return !s->p->idle && !(s->p->sources & 1u << SOURCE_PROCESS_LIST) && s->p->object != s->w->system_object;
}

static const struct reason_row {
        const char *name, *text;
        bool (*holds)(const struct sighting *s);
} reason_rows[] = {
        { "unmapped", "what is left of a thread that ended: no address leads to its page any more", is_unmapped },
        { "freed", "what is left of a thread that ended: its block of pool is free", is_freed },
        { "terminated", "it ended, and the lists have let go of it", has_ended },
        { "exiting", "it is ending", is_exiting },
        { "starting", "it is being created", is_starting },
        { "torn-list", "a list of its process is torn, so that this says nothing", is_torn },
        { "torn-ids", "not all of PspCidTable is there", is_id_torn },
        { "scan-only", "it lives, and only a scan of memory leads to it", by_scan_only },
        { "cid-only", "it lives, and only its id in PspCidTable leads to it", by_id_only },
        { "handle-only", "it lives, and only a handle leads to it", by_handle_only },
        { "unlinked", "it lives, and was taken off both lists of its process", off_lists },
        { "half-unlinked", "it lives, and was taken off one of the two lists of its process", off_a_list },
        { "no-id", "it lives, and its id was taken out of PspCidTable", without_id },
        { "process-unlinked", "its process is not on the list of processes", of_unlisted },
};

uint32_t windows_unseen_by(const struct windows *w, const struct windows_thread *t) { return sight(w, t).unseen; }

const char *windows_hidden_why(const struct windows *w, const struct windows_thread *t, const char **ret_text)
{
        struct sighting s = sight(w, t);
        if (is_virtual(w))
                return NULL;
        for (size_t i = 0; i < sizeof reason_rows / sizeof *reason_rows; i++)
                if (reason_rows[i].holds(&s)) {
                        if (ret_text)
                                *ret_text = reason_rows[i].text;
                        return reason_rows[i].name;
                }
        return NULL;
}
