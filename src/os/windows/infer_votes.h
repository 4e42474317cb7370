/* SPDX-License-Identifier: MIT */
/* What the rows of the table of rules ask: of one object (vote_), of all together (column_), where (where_). */
#ifndef STASIS_OS_WINDOWS_INFER_VOTES_H
#define STASIS_OS_WINDOWS_INFER_VOTES_H

#include "infer.h"

#define VOTE(name) enum infer_vote name(struct infer *s, const struct infer_object *o, uint32_t at)
#define WHERE(name) size_t name(const struct infer *s, uint32_t at[static INFER_WHERE_MAX])
#define COLUMN(name) bool name(struct infer *s, uint32_t at)

/* infer_process.c */
VOTE(vote_process_links);
VOTE(vote_pid);
VOTE(vote_name);
VOTE(vote_dtb);
VOTE(vote_thread_head);
VOTE(vote_peb);
VOTE(vote_parent);
VOTE(vote_process_created);
VOTE(vote_process_exited);
VOTE(vote_active_threads);
VOTE(vote_wow64);
VOTE(vote_object_table);
COLUMN(column_system_named);
COLUMN(column_roots_differ);
COLUMN(column_active_differ);
COLUMN(column_parents);
WHERE(where_links);
WHERE(where_pid);
WHERE(where_kprocess_threads);
WHERE(where_eprocess_threads);
/* A FILETIME of the years in which the system can have been running: not after the image, 20 years before at most. */
bool infer_is_time(const struct infer *s, uint64_t value);

/* infer_thread.c */
VOTE(vote_entry);
VOTE(vote_cid_process);
VOTE(vote_cid_thread);
VOTE(vote_owner);
VOTE(vote_apc_process);
VOTE(vote_saved_process);
VOTE(vote_apc_index);
VOTE(vote_stack_limit);
VOTE(vote_initial_stack);
VOTE(vote_stack_base);
VOTE(vote_kernel_stack);
VOTE(vote_trap_frame);
VOTE(vote_teb);
COLUMN(column_tids_differ);
COLUMN(column_mostly_own);
COLUMN(column_limits_differ);
WHERE(where_kthread_entry);
WHERE(where_ethread_entry);
WHERE(where_cid_thread);
WHERE(where_kthread);
WHERE(where_ethread);
WHERE(where_initial_stack);

/* infer_state.c */
VOTE(vote_wait_prcb);
VOTE(vote_state);
VOTE(vote_wait_blocks);
VOTE(vote_wait_reason);
VOTE(vote_wait_mode);
VOTE(vote_wait_irql);
VOTE(vote_created);
VOTE(vote_exited);
VOTE(vote_start);
COLUMN(column_states);
COLUMN(column_reasons);
COLUMN(column_modes);
COLUMN(column_shared_starts);
COLUMN(column_starts);
WHERE(where_wait_reason);
WHERE(where_wait_mode);
WHERE(where_wait_irql);
WHERE(where_exited);
const struct infer_candidate *pick_blocks(const struct infer_candidate *c, size_t count);
const struct infer_candidate *pick_start(const struct infer_candidate *c, size_t count);

#endif
