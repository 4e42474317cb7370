/* SPDX-License-Identifier: MIT */
/* A small archive for the tests of sqlite.c and of query: documents spelled out, and the file that they go to. */
#ifndef STASIS_CLI_SQLITE_SAMPLE_H
#define STASIS_CLI_SQLITE_SAMPLE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sqlite.h"

/* What an image may call things. */
#define HOSTILE_JSON "x'); DROP TABLE threads; --\\u0000\\u001b[2J\\n\\\"\\u202e%s;="

#define FRAME(module, symbol, offset) \
        "{\"pc\":\"0x80001000\",\"symbol\":" symbol ",\"offset\":" offset ",\"module\":\"" module \
        "\",\"sp\":\"0x1\",\"slot\":null,\"how\":\"register\",\"trust\":\"proved\",\"exact\":true}"

/* Two threads that wait in a driver, the second for the first; one that says nothing. */
#define SAMPLE(base) \
        "{\"schema\": \"stasis/result/1\",\n \"image\": {\"format\":\"raw\",\"title\":\"raw memory\",\"size\":4096," \
        "\"range_bytes\":4096,\"gap_bytes\":0,\"hints\":{\"bugcheck\":\"0x1e\"}},\n" \
        "\"system\": {\"name\":\"Windows 7\",\"version\":\"6.1.7601\",\"build\":7601,\"machine\":\"x64\"," \
        "\"kernel_base\":\"" base "\",\"system_object\":\"0x99\",\"layout_confidence\":\"exact\",\"absent\":{}},\n" \
        "\"processes\": [{\"object\":\"0x10\",\"pid\":4,\"name\":\"System\",\"create_time\":\"2009-01-01T00:00:00Z\"," \
        "\"command_line\":null,\"directory_table_base\":\"0x1000\",\"absent\":{\"command_line\":\"paged out\"}}],\n" \
        "\"threads\": [{\"object\":\"0x100\",\"pid\":4,\"tid\":8,\"process\":\"System\",\"process_object\":\"0x10\"," \
        "\"state\":\"Waiting\",\"wait_age\":90000,\"teb\":null,\"affinity\":\"0x3\",\"start_address\":\"0x7\"," \
        "\"win32_start_address\":\"0x6\",\"stack\":[" FRAME("ntoskrnl.exe", "\"KiSwapContext\"", "5") "," FRAME( \
                "disk.sys", "null", \
                "4096") "],\"wait_objects\":null,\"absent\":{\"teb\":\"paged out\"}}," \
                        "{\"object\":\"0x200\",\"pid\":4,\"tid\":12,\"process\":\"System\",\"process_object\":" \
                        "\"0x10\"," \
                        "\"state\":\"Waiting\",\"wait_age\":1000,\"stack\":[" FRAME( \
                                "ntoskrnl.exe", "\"KiSwapContext\"", \
                                "5") "," FRAME("disk.sys", "null", \
                                               "4096") "],\"user_stack\":[" FRAME("ntdll.dll", "\"NtWait\"", \
                                                                                  "10") "],\"wait_objects\":[{" \
                                                                                        "\"object\":\"0x300\"," \
                                                                                        "\"kind\":\"MutantObject\"," \
                                                                                        "\"name\":\"m\",\"waits_" \
                                                                                        "for\":\"mutant\",\"owner\":" \
                                                                                        "\"0x100\",\"owner_pid\":4," \
                                                                                        "\"owner_tid\":8,\"block\":" \
                                                                                        "\"0x301\",\"absent\":{}}]," \
                                                                                        "\"hidden\":\"cid-only\"," \
                                                                                        "\"absent\":{}},{\"absent\":{" \
                                                                                        "}}],\n" \
                                                                                        "\"modules\": " \
                                                                                        "[{\"name\":\"disk.sys\"," \
                                                                                        "\"base\":\"0x80001000\"," \
                                                                                        "\"size\":\"0x1000\"," \
                                                                                        "\"absent\":{}}],\n" \
                                                                                        "\"deadlocks\": " \
                                                                                        "[{\"number\":1,\"timed\":" \
                                                                                        "false,\"threads\":[]," \
                                                                                        "\"steps\":[{\"pid\":4," \
                                                                                        "\"tid\":8," \
                                                                                        "\"object\":\"0x100\"," \
                                                                                        "\"waits_for\":\"Mutant\"}]}]" \
                                                                                        ",\n" \
                                                                                        "\"notes\": " \
                                                                                        "[{\"severity\":\"warning\"," \
                                                                                        "\"code\":\"cid-disagrees\"," \
                                                                                        "\"text\":\"t\",\"object\":" \
                                                                                        "\"0x100\",\"pid\":4," \
                                                                                        "\"tid\":8},{\"severity\":" \
                                                                                        "\"missing\",\"code\":" \
                                                                                        "\"torn\",\"text\":\"torn\"," \
                                                                                        "\"object\":null,\"pid\":" \
                                                                                        "null," \
                                                                                        "\"tid\":null}]," \
                                                                                        "\n\"analysis\": " \
                                                                                        "{\"stasis\":\"0.1.0\"," \
                                                                                        "\"sandbox\":[\"seccomp\"]," \
                                                                                        "\"exit_status\":3}}\n"

static inline struct sqlite_db *sample_open(const char *path)
{
        struct sqlite_db *db = NULL;
        struct stasis_error err = { 0 };

        ck_assert_msg(sqlite_open(path, &db, &err) == STASIS_OK, "%s", err.text);
        return db;
}

/* document NULL: none. */
static inline enum stasis_status sample_add(struct sqlite_db *db, const char *sha256, const char *document,
                                            struct stasis_error *ret_err)
{
        struct sqlite_facts facts = { .sha256 = sha256, .path = sha256, .verdict = "partial", .exit_status = 3 };
        FILE *in = document ? fmemopen((void *)(uintptr_t)document, strlen(document), "r") : NULL;

        if (!document) {
                facts.verdict = "killed";
                facts.error = "its worker was killed";
                facts.exit_status = 2;
        }
        enum stasis_status status = sqlite_add_result(db, &facts, in, ret_err);
        if (in)
                fclose(in);
        return status;
}

/* A new file; SAMPLE as "a" and "b" (one machine) and "c" (another), and "d", of which there is no document. */
static inline void sample_make(char path[static 32])
{
        struct stasis_error err = { 0 };

        strcpy(path, "/tmp/stasis-sqlite-XXXXXX");
        int fd = mkstemp(path);
        ck_assert(fd >= 0);
        close(fd);
        struct sqlite_db *db = sample_open(path);
        ck_assert_msg(sample_add(db, "a", SAMPLE("0x80000000"), &err) == STASIS_OK, "%s", err.text);
        ck_assert_int_eq(sample_add(db, "b", SAMPLE("0x80000000"), &err), STASIS_OK);
        ck_assert_int_eq(sample_add(db, "c", SAMPLE("0x90000000"), &err), STASIS_OK);
        ck_assert_int_eq(sample_add(db, "d", NULL, &err), STASIS_OK);
        ck_assert_int_eq(sqlite_add_path(db, "a", "a again", &err), STASIS_OK);
        sqlite_close(db);
}

#endif
