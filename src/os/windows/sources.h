/* SPDX-License-Identifier: MIT */
/*
 * What the files of sources share (docs/ADD-A-SOURCE.md): how a source says that it saw something, and the functions in
 * the table of sources.c.
 */
#ifndef STASIS_OS_WINDOWS_SOURCES_H
#define STASIS_OS_WINDOWS_SOURCES_H

#include "windows.h"

/*
 * One sighting; the same object seen again becomes one entry with all its sources. behind_tear: on a list, and reached
 * only backwards. What a list says of whose thread it is counts more than what the others do.
 */
enum stasis_status windows_saw(struct windows *w, uint64_t object, uint32_t process, enum windows_source source,
                               bool behind_tear) STASIS_MUST_CHECK;
/*
 * Something that may be a thread: asked whether it is one, and whose; a process that nobody knew is added. *ret_is may
 * be NULL.
 */
enum stasis_status windows_saw_thread(struct windows *w, uint64_t object, enum windows_source source,
                                      bool *ret_is) STASIS_MUST_CHECK;
/* The same for a process: known ones get the source's bit. */
enum stasis_status windows_saw_process(struct windows *w, uint64_t object, enum windows_source source,
                                       bool *ret_is) STASIS_MUST_CHECK;
/* Both thread lists of this process; those of processes that a source adds are walked when it is added. */
enum stasis_status windows_walk_threads(struct windows *w, uint32_t process) STASIS_MUST_CHECK;

/* ---- source_cid.c */
enum stasis_status windows_find_by_cid(struct windows *w) STASIS_MUST_CHECK;
/* ---- source_rings.c */
enum stasis_status windows_find_by_wait_list(struct windows *w) STASIS_MUST_CHECK;
enum stasis_status windows_find_by_ready_queue(struct windows *w) STASIS_MUST_CHECK;
enum stasis_status windows_find_by_queue(struct windows *w) STASIS_MUST_CHECK;
/* ---- source_objects.c */
enum stasis_status windows_find_by_waits(struct windows *w) STASIS_MUST_CHECK;
enum stasis_status windows_find_by_handles(struct windows *w) STASIS_MUST_CHECK;
enum stasis_status windows_find_by_type(struct windows *w) STASIS_MUST_CHECK;
/* A process that is gone, for the ghosts that were its threads. False where memory is exhausted. */
bool windows_add_ghost_process(struct windows *w, uint64_t object, uint64_t thread_pa);

/* ---- source_scan.c */
enum stasis_status windows_find_by_scan(struct windows *w) STASIS_MUST_CHECK;

#endif
