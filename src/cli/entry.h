/* SPDX-License-Identifier: MIT */
/*
 * One file or member that batch met, and what became of it: a line of the journal while a run lasts, a line of the
 * summary at its end. Every file that is found has one.
 */
#ifndef STASIS_CLI_ENTRY_H
#define STASIS_CLI_ENTRY_H

#include <stdio.h>

#include "digest.h"
#include "text.h"

enum verdict {
        VERDICT_COMPLETE, /* the first three have a result */
        VERDICT_PARTIAL,
        VERDICT_NOT_UNDERSTOOD, /* an image, as its header or its size says */
        VERDICT_NO_IMAGE,
        VERDICT_UNSUPPORTED, /* a format that is known, and not read */
        VERDICT_EMPTY,
        VERDICT_UNREADABLE, /* cannot be opened or unpacked */
        VERDICT_ARCHIVE,    /* of several files, each of which has an entry */
        VERDICT_SKIPPED,    /* what is not gone into */
        VERDICT_CRASHED,    /* the worker, by a signal */
        VERDICT_TIMEOUT,
        VERDICT_MEMORY,
        VERDICT_OUTPUT,    /* more than may be written */
        VERDICT_FAILED,    /* the worker ended in some other way before it had told all */
        VERDICT_SAME,      /* journal only: this content is known under another name */
        VERDICT_ELSEWHERE, /* journal only: another shard's */
        VERDICTS
};
extern const char *const verdict_names[VERDICTS];
extern const char *const verdict_titles[VERDICTS]; /* "%u complete" */
bool verdict_has_result(enum verdict verdict);
bool verdict_is_trouble(enum verdict verdict); /* something that should be in the archive's answer is not */
bool verdict_is_of_image(enum verdict verdict);
/* Another run may make more of it: with other limits, when a disk is back, when nobody kills its worker. */
bool verdict_may_change(enum verdict verdict);

/* Texts are owned; NULL: not known. Numbers are STASIS_NOWHERE where not known. */
struct entry {
        char *path, *member, *inner; /* inner: in the archive that is the member */
        uint64_t size, mtime;        /* of the file; nanoseconds */
        char *sha256;
        uint64_t verdict, exit_status;
        char *format, *system, *error, *sandbox;
        uint64_t content; /* bytes of the image itself */
        uint64_t processes, threads, deadlocks, infos, warnings, missing;
        uint64_t members; /* of an archive */
        char *phase, *end,
                *messages; /* of a worker: what it was at, how it ended, the end of what it wrote to stderr */
        uint64_t milliseconds, cpu_milliseconds, peak_kib;
};

void entry_init(struct entry *entry);
void entry_free(struct entry *entry);
/* Replaces a text, which may be NULL; len bytes. */
void entry_set(char **text, const char *value, size_t len);
/* By path, then member, then inner: bytes. */
int entry_compare(const struct entry *a, const struct entry *b);
/* What names it, NUL-separated; with `state` also size and time, so that a file that has changed is another. */
void entry_key(const struct entry *entry, bool state, struct text *ret_key);
/* "a.zip!b", as it can be shown: bytes that are no UTF-8 as \xff. */
void entry_name(const struct entry *entry, struct text *ret_name);

/* A line with its end, for the journal; and back. False where the line is none: cut, or damaged. */
void entry_line(const struct entry *entry, struct text *ret_line);
bool entry_parse(const char *line, size_t len, struct entry *ret_entry);

/* A line of summary.jsonl: same_as is the entry that its content was found under first, or NULL. */
void entry_summary(const struct entry *entry, const struct entry *same_as, FILE *out);
/* A line of workers.jsonl. */
void entry_worker(const struct entry *entry, FILE *out);

#endif
