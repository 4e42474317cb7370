/* SPDX-License-Identifier: MIT */
/*
 * The system behind the public handle: what is common to every operating system (notes, trace, arena), and the contract
 * that a decoder of one operating system fulfils. One row in system.c registers it.
 */
#ifndef STASIS_OS_SYSTEM_H
#define STASIS_OS_SYSTEM_H

#include <stasis/stasis.h>

#include "../base/arena.h"
#include "../mem/space.h"

struct stasis_system;

/* Page tables of a process, and what a mapping through them says of it (pid, process, object). */
struct os_root {
        uint64_t root; /* 0: gone, or not known */
        struct stasis_mapping like;
};

struct wait_input; /* waits.h */

struct stasis_os {
        const char *name, *title;
        /* Is something of it at hand without a search? Such a one is tried first. NULL: never. */
        bool (*likely)(const struct stasis_image *image);
        /*
         * Discovery. STASIS_ABSENT: the image holds no such system (the next row is tried). Whatever was tried goes
         * into the trace, whatever is worth knowing into the notes. *ret_priv is kept and passed to close also after a
         * failure.
         */
        enum stasis_status (*open)(struct stasis_system *system, void **ret_priv, struct stasis_error *err);
        void (*close)(void *priv);
        const struct stasis_record *(*facts)(void *priv);
        enum stasis_status (*count)(void *priv, enum stasis_what what, size_t *ret_count, struct stasis_error *err);
        enum stasis_status (*record)(void *priv, enum stasis_what what, size_t index,
                                     const struct stasis_record **ret_record, struct stasis_error *err);
        const struct stasis_column *(*columns)(void *priv, enum stasis_what what, size_t *ret_count);
        /* Which columns will be looked at; keys NULL: all. NULL: it makes all in any case. */
        void (*choose)(void *priv, enum stasis_what what, const char *const *keys, size_t count);
        const struct stasis_column *(*column_at)(enum stasis_what what,
                                                 size_t index); /* bound to nothing; NULL past the last */
        const struct stasis_column *(*fact_column_at)(size_t index);
        enum stasis_status (*modules_of)(void *priv, uint64_t pid, struct stasis_error *err);
        enum stasis_status (*thread_at)(void *priv, uint64_t object, const struct stasis_record **ret_record,
                                        struct stasis_error *err);
        struct stasis_space *(*space)(void *priv);
        /* Of module number index, which STASIS_MODULES has. NULL: the system has no such thing. */
        void (*module_debug)(void *priv, size_t index, struct stasis_debug *ret_debug);
        /* Either may be NULL where the system has no such thing. */
        const struct stasis_unloaded *(*unloaded)(void *priv, size_t *ret_count);
        const struct stasis_processor *(*processors)(void *priv, size_t *ret_count);
        const struct stasis_source *(*sources)(void *priv, size_t *ret_count);
        /*
         * Every wait of every thread, in system->arena, and the process of each thread. NULL: who holds what is not
         * kept by such a system.
         */
        enum stasis_status (*waits)(void *priv, struct wait_input *ret_input, struct stasis_error *err);
        /* Of process number index; false past the last. After STASIS_PROCESSES were counted. NULL where not known. */
        bool (*process_root)(void *priv, size_t index, struct os_root *ret_root);
        enum stasis_status (*process_space)(void *priv, uint64_t pid, struct stasis_space **ret_space,
                                            struct stasis_error *err);
};

extern const struct stasis_os stasis_os_windows, stasis_os_linux;

struct stasis_system {
        const struct stasis_image *image;
        struct stasis_system_options options;
        struct stasis_arena arena; /* notes, trace, facts: as long as the system */
        struct stasis_note *note;
        size_t note_count, note_capacity;
        struct stasis_trace *trace;
        size_t trace_count, trace_capacity;
        struct stasis_inference *inference;
        size_t inference_count;
        size_t notes_dropped;
        const struct stasis_waits *waits; /* made on the first call */
        const struct stasis_os *os;
        void *priv;
};

/* More notes than this are counted, not kept: a damaged image must not fill memory. */
#define STASIS_NOTES_MAX 10000

/* Where memory is exhausted, a note or a trace line is lost and counted; nothing else fails for it. */
void system_note(struct stasis_system *system, enum stasis_severity severity, const char *code, uint64_t object,
                 int64_t pid, int64_t tid, const char *fmt, ...) STASIS_PRINTF(7, 8);
void system_trace(struct stasis_system *system, const char *step, bool success, const char *fmt, ...)
        STASIS_PRINTF(4, 5);
void system_progress(const struct stasis_system *system, const char *what, uint64_t done, uint64_t total);

#endif
