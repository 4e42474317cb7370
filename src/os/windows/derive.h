/* SPDX-License-Identifier: MIT */
/* What is more than a load: facts that need a second look, another fact, or a text. One function a fact, named after
 * its key. */
#ifndef STASIS_OS_WINDOWS_DERIVE_H
#define STASIS_OS_WINDOWS_DERIVE_H

#include "fields.h"

typedef void derive_fn(struct decode *d, struct stasis_fact *fact);

/* Whether the state is known, and this one. */
bool state_is(const struct decode *d, uint64_t value);

/* for many rows */
derive_fn derive_zero_is_none; /* 0: not applicable */
derive_fn derive_list;         /* a list head that points to itself is empty: not applicable */
derive_fn derive_code;         /* module and offset of an address */
/* identity and process context */
derive_fn derive_process_name, derive_process_object, derive_thread_name, derive_sources, derive_unseen, derive_hidden,
        derive_shape_bits, derive_object, derive_object_pa;
derive_fn derive_attached, derive_saved_process;
/* scheduling */
derive_fn derive_next_processor, derive_affinity, derive_wait_age, derive_running_on, derive_base_priority_increment;
/* waits (wait_rows.c) */
derive_fn derive_wait_objects;
extern const struct stasis_list_rows wait_object_rows;
/* stacks and registers */
derive_fn derive_stack, derive_user_stack, derive_wow64_stack, derive_stack_end, derive_user_stack_end,
        derive_wow64_stack_end;
derive_fn derive_kernel_registers, derive_user_registers, derive_wow64_registers;
/* TEB */
derive_fn derive_teb, derive_teb32;
/* life */
derive_fn derive_create_time, derive_exit_time, derive_exit_status_name;
/* start */
derive_fn derive_start_address, derive_win32_start_address, derive_lpc_received_message_id;
/* security */
derive_fn derive_impersonation_level, derive_effective_only, derive_token, derive_copy_on_open;
/* an access token: of a process, or the one that a thread acts with */
derive_fn derive_process_token, derive_effective_token, derive_user, derive_user_name, derive_owner, derive_sid,
        derive_integrity, derive_administrator, derive_luid, derive_token_level, derive_token_source,
        derive_token_expires, derive_groups, derive_restricted_sids, derive_capabilities, derive_privileges;
/* LPC, I/O, rest */
derive_fn derive_lpc_reply_message, derive_lpc_waiting_on_port, derive_alpc_message, derive_keyed_wait_value,
        derive_irp_list, derive_post_block_list, derive_termination_port, derive_reaper_link;
extern const struct stasis_list_rows tls_list_rows;
derive_fn derive_tls_slots, derive_fiber_data;
derive_fn derive_irps, derive_apcs, derive_timers;
/* processes */
derive_fn derive_process_path, derive_process_exit_time, derive_process_wow64, derive_process_peb32,
        derive_process_threads_found, derive_process_sources, derive_command_line, derive_session,
        derive_command_line32, derive_image_path, derive_current_directory, derive_window_title, derive_desktop,
        derive_being_debugged, derive_ppid, derive_parent, derive_process_created, derive_process_exited,
        derive_handles;

/* Makes an address of code of it: module, and the symbol where one is surely its own. process: whose user code. */
void put_routine(struct decode *d, uint32_t process, struct stasis_fact *fact);

#endif
