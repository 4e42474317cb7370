/* SPDX-License-Identifier: MIT */
/*
 * stasis batch: many images, each in a process of its own. Who does what: batch_find.c finds the files, batch_out.c
 * keeps the folder of the answer (lock, journal, results), batch_run.c holds the workers, batch_finish.c makes the
 * summary out of the journal, cmd_batch.c is the verb. docs/BATCH.md tells what all of it promises.
 */
#ifndef STASIS_CLI_BATCH_H
#define STASIS_CLI_BATCH_H

#include "cli.h"
#include "entry.h"

/* ---- which part of all images is ours (batch_shard.c) */

enum shard_by { SHARD_BY_NAME, SHARD_BY_CONTENT };
struct shard {
        uint64_t number, of; /* 1..of; of 0: all of them */
        enum shard_by by;
};
/* "2/8", "slurm", "k8s/8", "auto", "auto/8": false with the reason. */
bool shard_parse(const char *text, struct shard *ret_shard, char why[static 160]);
bool shard_has_key(const struct shard *shard, const void *key, size_t len);
bool shard_has_digest(const struct shard *shard, const uint8_t digest[static DIGEST_LEN]);

/* ---- sets of digests (batch_set.c) */

struct digest_set {
        uint8_t (*at)[DIGEST_LEN];
        uint8_t *used;
        size_t count, capacity;
};
void digest_set_add(struct digest_set *set, const uint8_t digest[static DIGEST_LEN]);
bool digest_set_has(const struct digest_set *set, const uint8_t digest[static DIGEST_LEN]);
void digest_set_free(struct digest_set *set);

/* ---- files to look at (batch_find.c) */

struct batch_item {
        char *path, *member, *inner;
        size_t root;      /* of a member: index of the item that is the file itself */
        uint32_t members; /* of a file: what is in it, at every depth */
};
struct batch_items {
        struct batch_item *at;
        size_t count, capacity, next; /* next: the first that was not begun */
};
void items_add(struct batch_items *items, const char *path, const char *member, const char *inner);
void items_free(struct batch_items *items);
/* Something that was found and cannot be looked at: a verdict, and why. */
typedef void batch_odd(void *ctx, const char *path, enum verdict verdict, const char *why);
/*
 * What the arguments name: files; folders, whole, by name; @FILE: a list of paths. In a fixed order. Neither `out` nor
 * what a symbolic link to a folder leads to is gone into.
 */
enum cli_exit batch_find(struct cli *cli, int out, struct batch_items *ret_items, batch_odd *odd, void *ctx);

/* ---- the folder of the answer (batch_out.c) */

struct batch_out {
        const char *path;
        bool retry; /* what may end in another way is not done */
        int dir, results, journal, lock;
        struct digest_set done;     /* keys of entries that are in the journal */
        struct digest_set archives; /* those of them that are archives */
        struct digest_set known;    /* digests of contents that have an entry which tells what became of them */
};
/* What a run was asked for: who goes on with it must ask for the same. */
enum cli_exit batch_out_open(struct cli *cli, const char *path, const char *settings, struct batch_out *ret_out);
void batch_out_close(struct batch_out *out);
bool batch_out_is_done(const struct batch_out *out, const struct entry *entry);
bool batch_out_is_archive(const struct batch_out *out, const struct entry *entry); /* done, and one with entries */
/* Appends to the journal, and remembers. */
enum cli_exit batch_out_add(struct cli *cli, struct batch_out *out, const struct entry *entry);
/* A nameless place for a result; and under its name, for good. -1 or false: errno tells why. */
int batch_out_begin(const struct batch_out *out, unsigned slot);
bool batch_out_keep(const struct batch_out *out, unsigned slot, int fd, const char *sha256);
void batch_out_drop(const struct batch_out *out, unsigned slot, int fd);
/* A file of the folder, replaced as a whole: the stream is to be written and given back. */
FILE *batch_out_file(int dir, const char *name);
bool batch_out_file_end(int dir, const char *name, FILE *file);

/* ---- workers (batch_run.c) */

#define FILE_MEMBERS_MAX (1u << 18)          /* of one archive with all that is in it */
#define BATCH_TIMEOUT 600                    /* seconds */
#define BATCH_MEMORY (UINT64_C(4) << 30)     /* of a worker */
#define BATCH_TMP_LIMIT (UINT64_C(64) << 30) /* of one unpacked file */

struct runner;
struct slot;

struct batch {
        struct cli *cli;
        struct runner *runner;
        struct batch_out out;
        struct batch_items items;
        struct shard shard;
        uint64_t inputs; /* all files that the arguments name, of every shard, and a digest of their names */
        uint8_t input_names[DIGEST_LEN];
        size_t finished, total; /* of items */
        size_t before;          /* of finished: by an earlier run */
        size_t counts[VERDICTS];
        size_t unreadable_said;
        int64_t begun, said; /* milliseconds */
        bool stopped, terminal;
        enum cli_exit failed; /* the answer could not be written */
};
void batch_run(struct batch *batch);
const char *batch_tmp(const struct cli *cli); /* where workers unpack */
/* Does another worker have this content at the moment? */
bool batch_is_begun(const struct batch *batch, const struct slot *own, const char *hex);
/* Of what has no digest of its content, the name decides in every kind of shard. */
bool batch_is_mine(const struct batch *batch, const struct entry *entry);
/* What became of an item. */
void batch_told(struct batch *batch, const struct entry *entry);
/* ---- progress (batch_say.c) */
void batch_say(struct batch *batch, bool now);
void batch_say_trouble(struct batch *batch, const struct entry *entry);

/* ---- the end (batch_finish.c) */

struct batch_totals {
        uint64_t counts[VERDICTS], entries, contents;
        uint64_t inputs; /* entries that are no members, and what names_add gives for their names */
        uint8_t names[DIGEST_LEN];
        uint64_t lost_members; /* of archives, without an entry */
        bool part;             /* of a batch: that there is no image in it means nothing */
};
/* The exclusive or of the digests of all names: in whichever order they come, and from however many shards. */
void names_add(uint8_t names[static DIGEST_LEN], const char *path);
/*
 * summary.jsonl and workers.jsonl out of the journals of these folders, into out; with --sqlite that too. In a process
 * of its own, so that the caller does not grow with the archive.
 */
enum cli_exit batch_finish(struct cli *cli, const char *const *journals, size_t count, const struct batch_out *out,
                           struct batch_totals *ret_totals);
/* What came of it; the work itself, without a process of its own. */
struct batch_answer {
        int error;                  /* errno of what could not be written */
        struct stasis_error tables; /* of --sqlite */
        struct batch_totals totals;
};
void batch_finish_here(struct cli *cli, const char *const *journals, size_t count, const struct batch_out *out,
                       struct batch_answer *ret_answer);

void batch_say_totals(struct cli *cli, const char *path, const struct batch_totals *totals);
/* finished.json: for merge, and for whoever wants to know whether it is done. */
enum cli_exit batch_write_end(struct cli *cli, const struct batch_out *out, const struct batch_totals *totals);
enum cli_exit batch_status(const struct batch_totals *totals);

#endif
