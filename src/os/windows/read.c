/* SPDX-License-Identifier: MIT */
/* The small readers that every file of the decoder uses, and the places that the walk is bound to. */
#include <stddef.h>
#include <stdlib.h>

#include "windows.h"

#define UNICODE_STRING_MAX 32768 /* bytes; a file path is at most 32,767 units, and no text that we show is longer */

enum stasis_status read_pointer(const struct windows *w, struct stasis_space *space, uint64_t va, uint64_t *ret_value)
{
        return stasis_space_u(space, va, w->pointer_size, ret_value);
}

char *read_unicode_string(struct stasis_space *space, uint64_t va, uint8_t pointer_size, struct stasis_arena *arena,
                          enum stasis_absence *ret_why)
{
        uint64_t len, buffer;
        enum stasis_status status = stasis_space_u(space, va, 2, &len);
        if (status == STASIS_OK) /* Length, MaximumLength, then Buffer at the alignment of a pointer */
                status = stasis_space_u(space, va + pointer_size, pointer_size, &buffer);
        *ret_why = absence_at(space, va, 2 * (size_t)pointer_size, status);
        if (status != STASIS_OK)
                return NULL;
        *ret_why = STASIS_NOT_APPLICABLE;
        if (!len || !buffer)
                return NULL;
        *ret_why = STASIS_CONTRADICTORY;
        if (len % 2 || len > UNICODE_STRING_MAX)
                return NULL;
        uint8_t *units = malloc((size_t)len);
        status = units ? stasis_space_read(space, buffer, units, (size_t)len) : STASIS_NOMEM;
        char *text = status == STASIS_OK ? text_from_utf16(arena, units, (size_t)len) : NULL;
        free(units);
        *ret_why = status == STASIS_OK ? (text ? STASIS_PRESENT : STASIS_NOT_KNOWN)
                                       : absence_at(space, buffer, (size_t)len, status);
        return text;
}

/* Every place the walk needs, by the member that it is; the second name serves where the first does not exist. */
static const struct place_row place_rows[] = {
#define PLACE(name, ...) \
        { \
                offsetof(struct windows_places, name), { __VA_ARGS__ } \
        }
        PLACE(header_type, "_DISPATCHER_HEADER.Type"),
        PLACE(process_links, "_EPROCESS.ActiveProcessLinks"),
        PLACE(process_id, "_EPROCESS.UniqueProcessId"),
        PLACE(process_name, "_EPROCESS.ImageFileName"),
        PLACE(process_dtb, "_KPROCESS.DirectoryTableBase"),
        PLACE(process_user_dtb, "_KPROCESS.UserDirectoryTableBase"),
        PLACE(process_peb, "_EPROCESS.Peb"),
        PLACE(process_threads, "_EPROCESS.ThreadListHead"),
        PLACE(kprocess_threads, "_KPROCESS.ThreadListHead"),
        PLACE(process_wow64, "_EPROCESS.WoW64Process"),
        PLACE(process_wow64_old, "_EPROCESS.Wow64Process"),
        PLACE(process_base_priority, "_KPROCESS.BasePriority"),
        PLACE(thread_links, "_ETHREAD.ThreadListEntry"),
        PLACE(kthread_links, "_KTHREAD.ThreadListEntry"),
        PLACE(cid_process, "_ETHREAD.Cid.UniqueProcess"),
        PLACE(cid_thread, "_ETHREAD.Cid.UniqueThread"),
        PLACE(kthread_process, "_KTHREAD.Process"),
        PLACE(thread_process, "_ETHREAD.ThreadsProcess"),
        PLACE(apc_process, "_KTHREAD.ApcState.Process"),
        PLACE(saved_apc_process, "_KTHREAD.SavedApcState.Process"),
        PLACE(apc_index, "_KTHREAD.ApcStateIndex"),
        PLACE(thread_state, "_KTHREAD.State"),
        PLACE(teb, "_KTHREAD.Teb"),
        PLACE(prcb_current, "_KPRCB.CurrentThread"),
        PLACE(prcb_next, "_KPRCB.NextThread"),
        PLACE(prcb_idle, "_KPRCB.IdleThread"),
        PLACE(prcb_number, "_KPRCB.Number"),
        PLACE(peb32, "_EWOW64PROCESS.Peb", "_WOW64_PROCESS.Wow64"),
        PLACE(pcr_self, "_KPCR.Self", "_KPCR.SelfPcr"),
        PLACE(pcr_prcb, "_KPCR.CurrentPrcb", "_KPCR.Prcb"),
        PLACE(active_threads, "_EPROCESS.ActiveThreads"),
        PLACE(wait_prcb, "_KTHREAD.WaitPrcb"),
        PLACE(terminated, "_ETHREAD.Terminated"),
        PLACE(saturation, "_KTHREAD.Saturation"),
        PLACE(affinity_group, "_KTHREAD.AffinityPrimaryGroup"),
        PLACE(start_address_invalid, "_ETHREAD.StartAddressInvalid"),
        PLACE(lpc_message_valid, "_ETHREAD.LpcReceivedMsgIdValid"),
        PLACE(keyed_in_use, "_ETHREAD.KeyedEventInUse"),
        PLACE(keyed_semaphore, "_ETHREAD.KeyedWaitSemaphore"),
        PLACE(wait_block_list, "_KTHREAD.WaitBlockList"),
        PLACE(wait_block_object, "_KWAIT_BLOCK.Object"),
        PLACE(irp_link, "_IRP.ThreadListEntry"),
        PLACE(wow_teb_offset, "_TEB.WowTebOffset"),
        PLACE(teb_thread, "_TEB.ClientId.UniqueThread"),
        PLACE(impersonation_token, "_PS_IMPERSONATION_INFORMATION.Token"),
        PLACE(impersonation_copy, "_PS_IMPERSONATION_INFORMATION.CopyOnOpen"),
        PLACE(impersonation_effective, "_PS_IMPERSONATION_INFORMATION.EffectiveOnly"),
        PLACE(impersonation_level, "_PS_IMPERSONATION_INFORMATION.ImpersonationLevel"),
        PLACE(process_parent, "_EPROCESS.InheritedFromUniqueProcessId"),
        PLACE(process_created, "_EPROCESS.CreateTime"),
        PLACE(process_exited, "_EPROCESS.ExitTime"),
        PLACE(process_handles, "_EPROCESS.ObjectTable"),
        PLACE(teb_tls_expansion, "_TEB.TlsExpansionSlots"),
        PLACE(hide_from_debugger, "_ETHREAD.HideFromDebugger"),
        PLACE(debug_active, "_DISPATCHER_HEADER.DebugActive"),
        PLACE(old_debug_active, "_KTHREAD.DebugActive"),
        PLACE(vad_protection, "_MMVAD_SHORT.u.VadFlags.Protection", "_MMVAD_SHORT.u.PrivateVadFlags.Protection"),
        PLACE(process_token, "_EPROCESS.Token.Value", "_EPROCESS.Token"),
        PLACE(token_user_count, "_TOKEN.UserAndGroupCount"),
        PLACE(token_users, "_TOKEN.UserAndGroups"),
        PLACE(token_restricted_count, "_TOKEN.RestrictedSidCount"),
        PLACE(token_restricted, "_TOKEN.RestrictedSids"),
        PLACE(token_capability_count, "_TOKEN.CapabilityCount"),
        PLACE(token_capabilities, "_TOKEN.Capabilities"),
        PLACE(token_owner_index, "_TOKEN.DefaultOwnerIndex"),
        PLACE(token_type, "_TOKEN.TokenType"),
        PLACE(token_privileges_present, "_TOKEN.Privileges.Present"),
        PLACE(token_privileges_enabled, "_TOKEN.Privileges.Enabled"),
        PLACE(token_privileges_default, "_TOKEN.Privileges.EnabledByDefault"),
        PLACE(token_privileges, "_TOKEN.Privileges"),
        PLACE(token_privilege_count, "_TOKEN.PrivilegeCount"),
        PLACE(wait_links, "_KTHREAD.WaitListEntry"),
        PLACE(queue_links, "_KTHREAD.QueueListEntry"),
        PLACE(prcb_wait_list, "_KPRCB.WaitListHead"),
        PLACE(prcb_ready_queues, "_KPRCB.DispatcherReadyListHead"),
        PLACE(mutant_owner, "_KMUTANT.OwnerThread"),
        PLACE(header_wait_list, "_DISPATCHER_HEADER.WaitListHead"),
        PLACE(wait_block_links, "_KWAIT_BLOCK.WaitListEntry"),
        PLACE(wait_block_thread, "_KWAIT_BLOCK.Thread"),
        PLACE(wait_block_next, "_KWAIT_BLOCK.NextWaitBlock"),
        PLACE(wait_block_count, "_KTHREAD.WaitBlockCount"),
        PLACE(type_list, "_OBJECT_TYPE.TypeList"),
        PLACE(object_table, "_EPROCESS.ObjectTable"),
        PLACE(thread_priority, "_KTHREAD.Priority"),
        PLACE(queued_scb, "_KTHREAD.QueuedScb"),
        PLACE(prcb_shared_queue, "_KPRCB.SharedReadyQueue"),
        PLACE(prcb_local_queue, "_KPRCB.LocalSharedReadyQueue"),
        PLACE(prcb_scbs, "_KPRCB.ScbList"),
        PLACE(shared_ready, "_KSHARED_READY_QUEUE.ReadyListHead"),
        PLACE(shared_summary, "_KSHARED_READY_QUEUE.ReadySummary"),
        PLACE(shared_count, "_KSHARED_READY_QUEUE.ReadyThreadCount"),
        PLACE(scb_links, "_KSCB.PerProcessorList"),
        PLACE(scb_ready, "_KSCB.ReadyListHead"),
        PLACE(scb_summary, "_KSCB.ReadySummary"),
#undef PLACE
};

/*
 * What no layout of NT 4.0 and 2000 describes, and what never moved on x86. Processor blocks: the first members have
 * the same places from NT 4.0 (Schreiber's w2k_def.h for 2000) to Vista; one found so is believed only where its
 * threads are thread objects. PS_IMPERSONATION_INFORMATION: as XP's. TEB: ClientId.
 */
static const struct {
        size_t place;
        struct place x86;
} fixed_places[] = {
        { offsetof(struct windows_places, prcb_current), { .offset = 0x4, .size = 4, .has = true } },
        { offsetof(struct windows_places, prcb_next), { .offset = 0x8, .size = 4, .has = true } },
        { offsetof(struct windows_places, prcb_idle), { .offset = 0xc, .size = 4, .has = true } },
        { offsetof(struct windows_places, prcb_number), { .offset = 0x10, .size = 1, .has = true } },
        { offsetof(struct windows_places, pcr_self), { .offset = 0x1c, .size = 4, .has = true } },
        { offsetof(struct windows_places, pcr_prcb), { .offset = 0x20, .size = 4, .has = true } },
        { offsetof(struct windows_places, teb_thread), { .offset = 0x24, .size = 4, .has = true } },
        { offsetof(struct windows_places, impersonation_token), { .offset = 0x0, .size = 4, .has = true } },
        { offsetof(struct windows_places, impersonation_copy), { .offset = 0x4, .size = 1, .has = true } },
        { offsetof(struct windows_places, impersonation_effective), { .offset = 0x5, .size = 1, .has = true } },
        { offsetof(struct windows_places, impersonation_level), { .offset = 0x8, .size = 4, .has = true } },
};

static void bind_fixed(struct windows_places *places)
{
        for (size_t i = 0; i < sizeof fixed_places / sizeof *fixed_places; i++) {
                struct place *place = (struct place *)((char *)places + fixed_places[i].place);
                if (!place->has)
                        *place = fixed_places[i].x86;
        }
}

void windows_bind_places(const struct stasis_layout *layout, struct windows_places *ret_places)
{
        places_bind(layout, place_rows, sizeof place_rows / sizeof *place_rows, ret_places);
        if (stasis_layout_pointer_size(layout) == 4)
                bind_fixed(ret_places);
}
