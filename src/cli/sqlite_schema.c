/* SPDX-License-Identifier: MIT */
#include "sqlite_schema.h"

#define OF_IMAGE \
        { \
                "image_id", "INTEGER NOT NULL REFERENCES images ON DELETE CASCADE", SQL_IMAGE, NULL, "whose" \
        }
#define OF_THREAD \
        { \
                "thread_id", "INTEGER NOT NULL REFERENCES threads ON DELETE CASCADE", SQL_PARENT, NULL, "whose" \
        }
#define RECORD \
        { \
                "record", "TEXT", SQL_RECORD, NULL, \
                        "JSON: every other fact that is there, by its key, and in `absent` the reasons of those that " \
                        "are not" \
        }
#define MEMBER(name, type, key, help) \
        { \
                name, type, SQL_MEMBER, key, help \
        }

static const struct sql_column images[] = {
        { "image_id", "INTEGER PRIMARY KEY", SQL_IMAGE, NULL, "of this file alone: sha256 is what lasts" },
        MEMBER("sha256", "TEXT NOT NULL UNIQUE", "found.sha256", "of the image's content, unpacked"),
        MEMBER("path", "TEXT", "found.path", "where it was found first; all places are in `paths`"),
        MEMBER("verdict", "TEXT", "found.verdict", "how it ended: `status` in summary.jsonl"),
        MEMBER("exit_status", "INTEGER", "found.exit_status", "0 complete, 3 partial, 2 not understood"),
        MEMBER("error", "TEXT", "found.error|analysis.error|error",
               "why it was not understood, or how its worker ended"),
        MEMBER("sandbox", "TEXT", "analysis.sandbox", "whether the worker was confined"),
        MEMBER("stasis", "TEXT", "analysis.stasis|analysis.version", "version of stasis that analysed it"),
        MEMBER("schema", "TEXT", "schema", "of the document that the rows are from; NULL: there was none"),
        MEMBER("format", "TEXT", "image.format", "the reader's name"),
        MEMBER("title", "TEXT", "image.title", "the format in words"),
        MEMBER("size", "INTEGER", "image.size", "bytes of the file"),
        MEMBER("range_bytes", "INTEGER", "image.range_bytes", "physical memory that it holds"),
        MEMBER("gap_bytes", "INTEGER", "image.gap_bytes", "physical memory that it declares and does not hold"),
        MEMBER("bugcheck", "TEXT", "image.hints.bugcheck", "stop code of a crash dump"),
        MEMBER("record", "TEXT", "image", "JSON: all of the section `image`"),
        MEMBER("analysis", "TEXT", "analysis", "JSON: all of the section `analysis`"),
        { 0 },
};

static const struct sql_column paths[] = {
        OF_IMAGE,
        MEMBER("path", "TEXT NOT NULL", "path", "where the same content was found"),
        { 0 },
};

static const struct sql_column systems[] = {
        { "image_id", "INTEGER PRIMARY KEY REFERENCES images ON DELETE CASCADE", SQL_IMAGE, NULL, "whose" },
        { "machine", "TEXT", SQL_LATER, NULL,
          "the same in two images of one boot of one machine: version, kernel base, a kernel object and the first "
          "process's birth" },
        MEMBER("name", "TEXT", "name", "\"Windows 7\", \"Linux\""),
        MEMBER("version", "TEXT", "version", ""),
        MEMBER("build", "INTEGER", "build", "Windows"),
        MEMBER("architecture", "TEXT", "machine", "x86 or x64"),
        MEMBER("processors", "INTEGER", "processors", ""),
        MEMBER("system_time", "TEXT", "system_time", "UTC, of the image"),
        MEMBER("boot_time", "TEXT", "boot_time", "Linux"),
        MEMBER("up_time", "INTEGER", "up_time", "milliseconds"),
        MEMBER("service_pack", "TEXT", "service_pack", "Windows"),
        MEMBER("product", "TEXT", "product", "Windows"),
        MEMBER("kernel_base", "TEXT", "kernel_base", ""),
        MEMBER("pdb_guid", "TEXT", "pdb_guid", "Windows"),
        MEMBER("build_id", "TEXT", "build_id", "Linux"),
        MEMBER("layout", "TEXT", "layout", "which table of member places was used"),
        MEMBER("layout_confidence", "TEXT", "layout_confidence", "how sure that is"),
        RECORD,
        { 0 },
};

static const struct sql_column processes[] = {
        { "process_id", "INTEGER PRIMARY KEY", SQL_ROW, NULL, "of this file alone" },
        OF_IMAGE,
        MEMBER("pid", "INTEGER", "pid", ""),
        MEMBER("ppid", "INTEGER", "ppid", "parent"),
        MEMBER("name", "TEXT", "name", ""),
        MEMBER("object", "TEXT", "object", "EPROCESS, or the leader's task_struct"),
        MEMBER("create_time", "TEXT", "create_time|start_time", "UTC"),
        MEMBER("exit_time", "TEXT", "exit_time", "UTC"),
        MEMBER("session", "INTEGER", "session", "Windows"),
        MEMBER("path", "TEXT", "image_path|path", "of its program"),
        MEMBER("command_line", "TEXT", "command_line", ""),
        MEMBER("threads", "INTEGER", "threads", "how many were found"),
        MEMBER("wow64", "INTEGER", "wow64", "Windows: 32-bit on x64"),
        MEMBER("user", "TEXT", "user|uid", "SID, or user id"),
        MEMBER("user_name", "TEXT", "user_name", "of a well-known SID"),
        RECORD,
        { 0 },
};

static const struct sql_column threads[] = {
        { "thread_id", "INTEGER PRIMARY KEY", SQL_ROW, NULL, "of this file alone" },
        OF_IMAGE,
        MEMBER("tid", "INTEGER", "tid", ""),
        MEMBER("pid", "INTEGER", "pid", ""),
        MEMBER("process", "TEXT", "process|comm", "name of its process; Linux: what the task calls itself"),
        MEMBER("process_object", "TEXT", "process_object|leader", "`object` of its process"),
        MEMBER("object", "TEXT", "object", "ETHREAD or task_struct"),
        MEMBER("name", "TEXT", "thread_name|name", "that it was given"),
        MEMBER("state", "TEXT", "state", ""),
        MEMBER("wait_reason", "TEXT", "wait_reason", "Windows"),
        MEMBER("wait_age", "INTEGER", "wait_age", "Windows: milliseconds that it has waited"),
        MEMBER("wchan", "TEXT", "wchan", "Linux: the function that it waits in"),
        MEMBER("priority", "INTEGER", "priority", ""),
        MEMBER("base_priority", "INTEGER", "base_priority|static_priority", ""),
        MEMBER("running_on", "INTEGER", "running_on", "number of the processor that it runs on"),
        MEMBER("create_time", "TEXT", "create_time|start_time", "UTC"),
        MEMBER("exit_time", "TEXT", "exit_time", "UTC"),
        MEMBER("exit_status", "TEXT", "exit_status|exit_code", ""),
        MEMBER("start_address", "TEXT", "win32_start_address|start_address", ""),
        MEMBER("start_symbol", "TEXT", "win32_start_address_symbol|start_address_symbol",
               "module, symbol where it is sure, offset"),
        MEMBER("teb", "TEXT", "teb", "Windows"),
        MEMBER("user", "TEXT", "user|uid", "for whom it acts: SID, or user id"),
        MEMBER("user_name", "TEXT", "user_name", "of a well-known SID"),
        MEMBER("impersonating", "INTEGER", "impersonating", "Windows"),
        MEMBER("hidden", "TEXT", "hidden", "why ways of finding threads disagree on it"),
        MEMBER("sources", "TEXT", "sources", "JSON: the ways that saw it"),
        MEMBER("unseen_by", "TEXT", "unseen_by", "JSON: the ways that should have, and did not"),
        MEMBER("stack_end", "TEXT", "stack_end", "Windows: how the kernel stack ended"),
        MEMBER("user_stack_end", "TEXT", "user_stack_end", "why the user stack ended"),
        RECORD,
        { 0 },
};

static const struct sql_column frames[] = {
        OF_THREAD,
        { "stack", "TEXT NOT NULL", SQL_STACK, NULL, "`kernel`, `user` or `wow64`" },
        { "number", "INTEGER NOT NULL", SQL_INDEX, NULL, "0 is the innermost" },
        MEMBER("module", "TEXT", "module", ""),
        MEMBER("symbol", "TEXT", "symbol", "the function, where it is known"),
        MEMBER("offset", "INTEGER", "offset", "from the symbol, else from the module's start"),
        MEMBER("pc", "TEXT", "pc", ""),
        MEMBER("sp", "TEXT", "sp", ""),
        MEMBER("slot", "TEXT", "slot", "where `pc` was read"),
        MEMBER("how", "TEXT", "how", "how the frame was found"),
        MEMBER("trust", "TEXT", "trust", "`proved`, `likely` or `guess`"),
        MEMBER("exact", "INTEGER", "exact", "`pc` is the instruction itself"),
        MEMBER("symbol_from", "TEXT", "symbol_from", "Windows: how the symbol is known"),
        { 0 },
};

static const struct sql_column waits[] = {
        OF_THREAD,
        { "number", "INTEGER NOT NULL", SQL_INDEX, NULL, "in the order of its wait blocks" },
        OF_IMAGE,
        MEMBER("waits_for", "TEXT", "waits_for", "what the object is, where that is proven"),
        MEMBER("kind", "TEXT", "kind", "as its dispatcher header says"),
        MEMBER("object_type", "TEXT", "object_type", "as the object manager has it"),
        MEMBER("name", "TEXT", "name", "of the object, or of what it belongs to"),
        MEMBER("object", "TEXT", "object", "what is waited on"),
        MEMBER("container", "TEXT", "container", "the lock, port, file or IRP"),
        MEMBER("wait_type", "TEXT", "wait_type", "WaitAll: all of them together"),
        MEMBER("owner", "TEXT", "owner", "`object` of the thread that has it, must answer or end"),
        MEMBER("owner_pid", "INTEGER", "owner_pid", ""),
        MEMBER("owner_tid", "INTEGER", "owner_tid", "NULL: a process"),
        MEMBER("owners", "INTEGER", "owners", "how many share it"),
        MEMBER("owner_from", "TEXT", "owner_from", "the member that names the owner"),
        RECORD,
        { 0 },
};

static const struct sql_column deadlocks[] = {
        { "deadlock_id", "INTEGER PRIMARY KEY", SQL_ROW, NULL, "of this file alone" },
        OF_IMAGE,
        MEMBER("number", "INTEGER", "number", "as `stasis waits` counts them"),
        MEMBER("timed", "INTEGER", "timed", "a thread of it waits for a time only"),
        MEMBER("threads", "TEXT", "threads", "JSON: every thread that is in a cycle with these"),
        { 0 },
};

static const struct sql_column deadlock_steps[] = {
        { "deadlock_id", "INTEGER NOT NULL REFERENCES deadlocks ON DELETE CASCADE", SQL_PARENT, NULL, "whose" },
        { "number", "INTEGER NOT NULL", SQL_INDEX, NULL, "each waits for the next, the last for the first" },
        OF_IMAGE,
        MEMBER("pid", "INTEGER", "pid", ""),
        MEMBER("tid", "INTEGER", "tid", ""),
        MEMBER("process", "TEXT", "process", ""),
        MEMBER("object", "TEXT", "object", "of the thread"),
        MEMBER("waits_for", "TEXT", "waits_for", "in words"),
        { 0 },
};

static const struct sql_column modules[] = {
        { "module_id", "INTEGER PRIMARY KEY", SQL_ROW, NULL, "of this file alone" },
        OF_IMAGE,
        MEMBER("name", "TEXT", "name", "of the kernel's modules"),
        MEMBER("path", "TEXT", "path", ""),
        MEMBER("base", "TEXT", "base", ""),
        MEMBER("size", "TEXT", "size", ""),
        MEMBER("timestamp", "TEXT", "timestamp", "Windows: of its PE header"),
        RECORD,
        { 0 },
};

static const struct sql_column notes[] = {
        { "note_id", "INTEGER PRIMARY KEY", SQL_ROW, NULL, "of this file alone" },
        OF_IMAGE,
        MEMBER("severity", "TEXT", "severity", "`info`, `warning` or `missing`"),
        MEMBER("code", "TEXT", "code", "docs/NOTES.md"),
        MEMBER("text", "TEXT", "text", ""),
        MEMBER("object", "TEXT", "object", "of the thread or process that it speaks of"),
        MEMBER("pid", "INTEGER", "pid", ""),
        MEMBER("tid", "INTEGER", "tid", ""),
        { 0 },
};

const struct sql_table sql_tables[] = {
        { "images", NULL, "One row an image, whatever came of it.", images, "" },
        { "paths", NULL, "Where each was found: one that lies under two names has two rows here and one there.", paths,
          ", UNIQUE (image_id, path)" },
        { "systems", NULL, "What was running; no row where that was not understood.", systems, "" },
        { "processes", "processes", "", processes, "" },
        { "threads", "threads", "", threads, "" },
        { "frames", NULL, "Call stacks, a row a frame.", frames, ", PRIMARY KEY (thread_id, stack, number)" },
        { "waits", NULL, "What each waiting thread waits for, and who holds that (Windows).", waits,
          ", PRIMARY KEY (thread_id, number)" },
        { "deadlocks", "deadlocks", "Proven ones.", deadlocks, "" },
        { "deadlock_steps", NULL, "One cycle of each.", deadlock_steps, ", PRIMARY KEY (deadlock_id, number)" },
        { "modules", "modules", "", modules, "" },
        { "notes", "notes", "What is missing, doubtful, or worth knowing.", notes, "" },
        { 0 },
};

const struct sql_inside sql_insides[] = {
        { "threads", "stack", "frames", "kernel" },       { "threads", "user_stack", "frames", "user" },
        { "threads", "wow64_stack", "frames", "wow64" },  { "threads", "wait_objects", "waits", NULL },
        { "deadlocks", "steps", "deadlock_steps", NULL }, { 0 },
};

const char *const sql_indexes[] = {
        "CREATE INDEX processes_object ON processes (image_id, object)",
        "CREATE INDEX processes_name ON processes (name)",
        "CREATE INDEX threads_object ON threads (image_id, object)",
        "CREATE INDEX threads_process ON threads (process)",
        "CREATE INDEX threads_state ON threads (state, wait_reason)",
        "CREATE INDEX frames_symbol ON frames (symbol, module)",
        "CREATE INDEX frames_module ON frames (module)",
        "CREATE INDEX waits_image ON waits (image_id, owner)",
        "CREATE INDEX waits_name ON waits (name)",
        "CREATE INDEX deadlocks_image ON deadlocks (image_id)",
        "CREATE INDEX deadlock_steps_image ON deadlock_steps (image_id)",
        "CREATE INDEX modules_name ON modules (name)",
        "CREATE INDEX modules_image ON modules (image_id)",
        "CREATE INDEX notes_code ON notes (code)",
        "CREATE INDEX notes_image ON notes (image_id, object)",
        "CREATE INDEX systems_machine ON systems (machine)",
        NULL,
};

const struct sql_view sql_views[] = {
        { "thread_full", "Each thread with its process, its system and its image.",
          "SELECT t.*, i.path, i.sha256, i.verdict, s.machine, s.name AS system, s.version, s.architecture, "
          "s.system_time,"
          " p.process_id, p.ppid, p.session, p.path AS program, p.command_line, p.create_time AS process_created,"
          " p.record AS process_record"
          " FROM threads t JOIN images i USING (image_id) LEFT JOIN systems s USING (image_id)"
          " LEFT JOIN processes p ON p.image_id = t.image_id AND p.object = t.process_object" },
        { "frame_text",
          "Each frame as people write it: `ntoskrnl.exe!KiSwapContext+0xa5`, `disk.sys+0x12c0`, or its address.",
          "SELECT thread_id, stack, number, module, symbol, CASE"
          " WHEN symbol IS NOT NULL THEN coalesce(module || '!', '') || symbol || printf('+0x%x', coalesce(offset, 0))"
          " WHEN module IS NOT NULL THEN module || CASE WHEN offset IS NULL THEN '' ELSE printf('+0x%x', offset) END"
          " ELSE pc END || CASE trust WHEN 'guess' THEN ' (guess)' ELSE '' END AS text FROM frames" },
        { "stack_text", "Each stack as one text, a line a frame, the innermost first.",
          "SELECT t.image_id, t.thread_id, k.stack,"
          " (SELECT count(*) FROM frames f WHERE f.thread_id = t.thread_id AND f.stack = k.stack) AS frames,"
          " (SELECT group_concat(text, char(10)) FROM (SELECT text FROM frame_text f WHERE f.thread_id = t.thread_id"
          " AND f.stack = k.stack ORDER BY number)) AS text"
          " FROM threads t JOIN (SELECT 'kernel' AS stack UNION ALL SELECT 'user' UNION ALL SELECT 'wow64') k"
          " WHERE EXISTS (SELECT 1 FROM frames f WHERE f.thread_id = t.thread_id AND f.stack = k.stack)" },
        { "driver_frame",
          "Of each thread the innermost frame of its kernel stack that is not the kernel's own: the driver that waits.",
          "SELECT thread_id, min(number) AS number, module AS driver, symbol, offset FROM frames"
          " WHERE stack = 'kernel' AND trust <> 'guess' AND module IS NOT NULL AND lower(module) NOT IN "
          "('ntoskrnl.exe',"
          " 'ntkrnlmp.exe', 'ntkrnlpa.exe', 'ntkrpamp.exe', 'hal.dll', 'vmlinux') GROUP BY thread_id" },
        { "blocked_by", "Who waits for whom: each thing that a thread waits for and that somebody has.",
          "SELECT w.image_id, w.thread_id, t.pid, t.tid, t.process, t.wait_age, w.waits_for, w.name, w.object,"
          " o.thread_id AS owner_thread_id, coalesce(o.pid, w.owner_pid) AS owner_pid,"
          " coalesce(o.tid, w.owner_tid) AS owner_tid, o.process AS owner_process, o.state AS owner_state,"
          " w.owner_from FROM waits w JOIN threads t USING (thread_id)"
          " LEFT JOIN threads o ON o.image_id = w.image_id AND o.object = w.owner"
          " WHERE w.owner IS NOT NULL OR w.owner_pid IS NOT NULL" },
        { "thread_notes", "Notes that speak of a thread, with the thread.",
          "SELECT n.image_id, t.thread_id, t.pid, t.tid, t.process, t.state, n.severity, n.code, n.text"
          " FROM notes n JOIN threads t ON t.image_id = n.image_id AND t.object = n.object" },
        { "machines", "One row a machine, that is, one boot of one: images that agree in `systems.machine`.",
          "SELECT s.machine, s.name, s.version, s.architecture, count(*) AS images, min(s.system_time) AS first_time,"
          " max(s.system_time) AS last_time, sum((SELECT count(*) FROM threads t WHERE t.image_id = s.image_id)) AS"
          " threads FROM systems s GROUP BY s.machine" },
        { 0 },
};

/*
 * Two images of one machine agree in what a boot fixes: the kernel's place and first objects, and when the first
 * process began (Windows: to 100 ns). Linux tells when it booted through a clock that is corrected, so that to the
 * minute.
 */
const char sql_finish[] =
        "UPDATE systems SET machine = name || ' ' || coalesce(version, build, '?') || ' ' || coalesce(kernel_base, "
        "'?') ||"
        " ' ' || coalesce(json_extract(record, '$.system_object'), json_extract(record, '$.init_task'), '?') || ' ' ||"
        " coalesce(substr(boot_time, 1, 16), (SELECT min(create_time) FROM processes p WHERE p.image_id = ?1), '?')"
        " WHERE image_id = ?1";
