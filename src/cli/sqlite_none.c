/* SPDX-License-Identifier: MIT */
/* In place of sqlite.c and cmd_query.c where there is no SQLite. */
#include <stdio.h>

#include "cli.h"
#include "sqlite.h"

static const char reason[] = "this stasis was built without SQLite (package libsqlite3-dev)";

static enum stasis_status without(struct stasis_error *err)
{
        snprintf(err->text, sizeof(err->text), "%s", reason);
        return err->status = STASIS_UNSUPPORTED;
}

enum stasis_status sqlite_open(const char *path, struct sqlite_db **ret_db, struct stasis_error *err)
{
        (void)path;
        (void)ret_db;
        return without(err);
}

void sqlite_close(struct sqlite_db *db) { (void)db; }

enum stasis_status sqlite_add_result(struct sqlite_db *db, const struct sqlite_facts *facts, FILE *document,
                                     struct stasis_error *err)
{
        (void)db;
        (void)facts;
        (void)document;
        return without(err);
}

enum stasis_status sqlite_add_path(struct sqlite_db *db, const char *sha256, const char *path, struct stasis_error *err)
{
        (void)db;
        (void)sha256;
        (void)path;
        return without(err);
}

enum stasis_status sqlite_has(struct sqlite_db *db, const char *sha256, struct stasis_error *err)
{
        (void)db;
        (void)sha256;
        return without(err);
}

enum cli_exit cmd_query(struct cli *cli) { return cli_fail(cli, "%s", reason); }
