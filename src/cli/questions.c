/* SPDX-License-Identifier: MIT */
/* The named questions of "stasis query": SQL that anybody could write, over the tables and views of sqlite_schema.c. */
#include "sqlite_schema.h"

#define NONE \
        { \
                { \
                        NULL, NULL \
                } \
        }

const struct question questions[] = {
        { "hanging-drivers",
          "which driver's threads hang in which stack, and on how many machines; ?1: for how long at least",
          { { "SECONDS", "0" } },
          "SELECT d.driver, count(DISTINCT s.machine) AS machines, count(*) AS threads, max(t.wait_age) / 1000 AS "
          "seconds,"
          " k.text AS stack"
          " FROM driver_frame d JOIN threads t USING (thread_id) JOIN systems s USING (image_id)"
          " JOIN stack_text k ON k.thread_id = t.thread_id AND k.stack = 'kernel'"
          " WHERE (t.state = 'Waiting' OR t.state LIKE '%uninterruptible%') AND coalesce(t.wait_age, 0) >= 1000 * ?1"
          " GROUP BY d.driver, k.text ORDER BY machines DESC, threads DESC, d.driver, k.text" },
        { "longest-waits",
          "the threads that have waited longest; ?1: how many",
          { { "COUNT", "50" } },
          "SELECT t.wait_age / 1000 AS seconds, i.path AS image, t.pid, t.tid, t.process, t.wait_reason,"
          " (SELECT group_concat(coalesce(w.name, w.object_type, w.kind), ', ') FROM waits w"
          " WHERE w.thread_id = t.thread_id) AS waits_for FROM threads t JOIN images i USING (image_id)"
          " WHERE t.wait_age IS NOT NULL ORDER BY t.wait_age DESC, i.sha256, t.pid, t.tid LIMIT ?1" },
        { "deadlocks", "every deadlock, step by step", NONE,
          "SELECT i.path AS image, d.number AS deadlock, d.timed, k.pid, k.tid, k.process, k.waits_for FROM deadlocks d"
          " JOIN images i USING (image_id) JOIN deadlock_steps k USING (deadlock_id)"
          " ORDER BY i.sha256, d.number, k.number" },
        { "blocked",
          "who waits for whom, longest first; ?1: how many",
          { { "COUNT", "50" } },
          "SELECT b.wait_age / 1000 AS seconds, i.path AS image, b.process, b.pid, b.tid, coalesce(b.name, "
          "b.waits_for) AS"
          " waits_for, b.owner_process, b.owner_pid, b.owner_tid, b.owner_state FROM blocked_by b"
          " JOIN images i USING (image_id) ORDER BY b.wait_age DESC, i.sha256, b.pid, b.tid LIMIT ?1" },
        { "hidden-threads", "threads on which the ways of finding them disagree, with the reason", NONE,
          "SELECT t.hidden AS reason, i.path AS image, t.pid, t.tid, t.process, t.object, t.start_symbol, t.unseen_by"
          " FROM threads t JOIN images i USING (image_id) WHERE t.hidden IS NOT NULL"
          " ORDER BY t.hidden, i.sha256, t.object" },
        { "not-understood", "images that hold no system that was understood, or whose worker did not end", NONE,
          "SELECT i.verdict, i.exit_status, i.path AS image, i.format, i.size, i.error FROM images i"
          " LEFT JOIN systems s USING (image_id) WHERE s.image_id IS NULL ORDER BY i.verdict, i.path, i.sha256" },
        { "partial", "what is missing where: notes of severity 'missing', by kind", NONE,
          "SELECT n.code, count(DISTINCT n.image_id) AS images, count(*) AS notes, min(n.text) AS example FROM notes n"
          " WHERE n.severity = 'missing' GROUP BY n.code ORDER BY images DESC, notes DESC, n.code" },
        { "stacks",
          "kernel stacks of all machines, identical ones grouped; ?1: how many",
          { { "COUNT", "50" } },
          "SELECT count(DISTINCT s.machine) AS machines, count(*) AS threads, k.text AS stack FROM stack_text k"
          " JOIN systems s USING (image_id) WHERE k.stack = 'kernel' GROUP BY k.text"
          " ORDER BY machines DESC, threads DESC, k.text LIMIT ?1" },
        { "in",
          "threads that have a function on a stack; ?1: the function, ?2: its module (patterns of LIKE)",
          { { "FUNCTION", NULL }, { "MODULE", "%" } },
          "SELECT f.stack, f.number, f.text AS frame, i.path AS image, t.pid, t.tid, t.process, t.state FROM "
          "frame_text f"
          " JOIN threads t USING (thread_id) JOIN images i USING (image_id)"
          " WHERE f.symbol LIKE ?1 AND coalesce(f.module, '') LIKE ?2"
          " ORDER BY i.sha256, t.pid, t.tid, t.object, f.stack, f.number" },
        { "threads-of",
          "the threads of a process by its name; ?1: the name (a pattern of LIKE)",
          { { "PROCESS", NULL } },
          "SELECT i.path AS image, t.pid, t.tid, t.process, t.state, t.wait_reason, t.start_symbol FROM threads t"
          " JOIN images i USING (image_id) WHERE t.process LIKE ?1 ORDER BY i.sha256, t.pid, t.tid, t.object" },
        { "noted-threads",
          "threads that a check has a warning about, by check; ?1: the check (a pattern of LIKE)",
          { { "CODE", "%" } },
          "SELECT n.code, i.path AS image, n.pid, n.tid, n.process, n.text FROM thread_notes n"
          " JOIN images i USING (image_id) WHERE n.severity = 'warning' AND n.code LIKE ?1"
          " ORDER BY n.code, i.sha256, n.pid, n.tid, n.text" },
        { "versions", "which systems there are, and how many images and machines of each", NONE,
          "SELECT name, version, architecture, count(*) AS images, count(DISTINCT machine) AS machines,"
          " min(layout_confidence) AS layout FROM systems GROUP BY name, version, architecture"
          " ORDER BY name, version, architecture" },
        { "drivers",
          "modules of the kernel, those on the fewest machines first; ?1: how many",
          { { "COUNT", "50" } },
          "SELECT count(DISTINCT s.machine) AS machines, m.name, m.timestamp, m.size, min(m.path) AS path FROM modules "
          "m"
          " JOIN systems s USING (image_id) GROUP BY m.name, m.timestamp, m.size"
          " ORDER BY machines, m.name, m.timestamp, m.size LIMIT ?1" },
        { "crashes", "stop codes of crash dumps", NONE,
          "SELECT i.bugcheck, count(*) AS images, min(i.path) AS example FROM images i WHERE i.bugcheck IS NOT NULL"
          " GROUP BY i.bugcheck ORDER BY images DESC, i.bugcheck" },
        { "duplicates", "content that was found under several names", NONE,
          "SELECT i.sha256, count(*) AS places, group_concat(p.path, char(10)) AS paths FROM images i"
          " JOIN paths p USING (image_id) GROUP BY i.image_id HAVING places > 1 ORDER BY places DESC, i.sha256" },
        { 0 },
};
