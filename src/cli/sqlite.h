/* SPDX-License-Identifier: MIT */
/*
 * Results of many images in one SQLite file. What the tables are: sqlite_schema.c, from which docs/SQL.md is made.
 *
 * Each result is one transaction. The journal is SQLite's rollback journal and not a write-ahead log: the archive may
 * lie on a network file system, where the log's shared memory does not work, and at rest there is one file. Killed at
 * any moment, the next who opens the file finds it as it was before that result.
 *
 * A result is read record by record, so that memory is bounded by the largest record; still, who must not grow nor die
 * with what a hostile image wrote calls this in a process of its own.
 */
#ifndef STASIS_CLI_SQLITE_H
#define STASIS_CLI_SQLITE_H

#include <stdbool.h>
#include <stdio.h>

#include <stasis/stasis.h>

#define SQLITE_SCHEMA_VERSION 1          /* PRAGMA user_version */
#define SQLITE_APPLICATION_ID 0x73746173 /* PRAGMA application_id: "stas" */

struct sqlite_db;

/* What is known of an image beside its result; a NULL is not known. */
struct sqlite_facts {
        const char *sha256;  /* of the image's content: the key */
        const char *path;    /* where it was found */
        const char *verdict; /* how it ended, in a word */
        const char *error;
        int exit_status;
};

/* Opens, or makes. STASIS_UNSUPPORTED: built without SQLite, or a file of another version of these tables. */
enum stasis_status sqlite_open(const char *path, struct sqlite_db **ret_db, struct stasis_error *err) STASIS_MUST_CHECK;
void sqlite_close(struct sqlite_db *db);
/*
 * Everything of one image, in place of what the file has about the same content. document: a stasis/result/1, threads/1
 * or processes/1 from its beginning; NULL where there is none. STASIS_CORRUPT: it is no such document; nothing was
 * changed then.
 */
enum stasis_status sqlite_add_result(struct sqlite_db *db, const struct sqlite_facts *facts, FILE *document,
                                     struct stasis_error *err) STASIS_MUST_CHECK;
/* A further path of the same content; STASIS_ABSENT where there is no result of that. */
enum stasis_status sqlite_add_path(struct sqlite_db *db, const char *sha256, const char *path,
                                   struct stasis_error *err) STASIS_MUST_CHECK;
/* STASIS_ABSENT: no result of this content is there. */
enum stasis_status sqlite_has(struct sqlite_db *db, const char *sha256, struct stasis_error *err) STASIS_MUST_CHECK;

#endif
