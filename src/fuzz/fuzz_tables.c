/* SPDX-License-Identifier: MIT */
/*
 * A result as a worker that was taken over may have written it, into the tables of --sqlite: it is refused whole, or it
 * is there once and can be taken in again; the database stays sound.
 */
#include "fuzz_answer.h"

#include "../cli/sqlite.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sqlite_db *open_tables(void)
{
        static struct sqlite_db *db;

        if (!db)
                promise(sqlite_open(":memory:", &db, NULL) == STASIS_OK);
        return db;
}

static enum stasis_status add(struct sqlite_db *db, const uint8_t *data, size_t size, struct stasis_error *err)
{
        static const struct sqlite_facts facts = { .sha256 = "00", .path = "a", .verdict = "complete" };
        FILE *document = size ? fmemopen((void *)(uintptr_t)data, size, "r") : fopen("/dev/null", "re");

        promise(document != NULL);
        enum stasis_status status = sqlite_add_result(db, &facts, document, err);
        fclose(document);
        return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct sqlite_db *db = open_tables();
        struct stasis_error err = { 0 };

        if (size > 1 << 16)
                return 0;
        enum stasis_status status = add(db, data, size, &err);
        promise(status == STASIS_OK || (status == STASIS_CORRUPT && *err.text));
        promise(status != STASIS_OK || sqlite_has(db, "00", &err) == STASIS_OK);
        promise(add(db, data, size, &err) == status);
        return 0;
}
