/* SPDX-License-Identifier: MIT */
#include "tiny.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The kernel's variables, in its .data. */
enum {
        INITIAL_SYSTEM = 0x2000,
        BUILD_NUMBER = 0x2010,
        PROCESSORS = 0x2018,
        PROCESS_TYPE = 0x2020, /* zero; tiny_objects.c */
        THREAD_TYPE = 0x2028,  /* PsThreadType; 0: no type */
        PROCESS_HEAD = 0x2040,
        MODULE_HEAD = 0x2060,
        X64_PCR = 0x3000,
};
enum { HEADER_SIGNAL = 4, HEADER_WAITERS = 8 }; /* of a dispatcher header */
/* In the pool. */
enum { MODULE_ENTRY = 0x000, MODULE_NAME = 0x100, MODULE_PATH = 0x140, IMPERSONATION = 0x200, WOW64 = 0x240 };

static const struct {
        const char *name;
        uint64_t pid;
} processes[TINY_PROCESSES] = { { "Idle", 0 }, { "System", 4 }, { "alpha.exe", 0x100 }, { "beta.exe", 0x200 } };

static const struct {
        enum tiny_process process;
        uint64_t tid;
        uint8_t state, reason;
        bool teb;
} threads[TINY_THREADS] = {
        [TINY_IDLE0] = { TINY_IDLE, 0, 2, 0, false },       [TINY_WORKER] = { TINY_SYSTEM, 8, 5, 0, false },
        [TINY_ATTACHED] = { TINY_SYSTEM, 12, 5, 7, false }, [TINY_RUNNER] = { TINY_ALPHA, 0x104, 2, 6, true },
        [TINY_CLIENT] = { TINY_ALPHA, 0x108, 5, 6, true },  [TINY_DEAD] = { TINY_ALPHA, 0x10c, 4, 0, false },
        [TINY_MAIN] = { TINY_BETA, 0x204, 5, 13, true },    [TINY_READY] = { TINY_BETA, 0x208, 1, 15, false },
        [TINY_HIDDEN] = { TINY_ALPHA, 0x110, 5, 4, false },
};

static const struct world_export exports[] = { { "KeNumberProcessors", PROCESSORS },
                                               { "NtBuildNumber", BUILD_NUMBER },
                                               { "PsInitialSystemProcess", INITIAL_SYSTEM },
                                               { "PsProcessType", PROCESS_TYPE },
                                               { "PsThreadType", THREAD_TYPE },
                                               { "", 0 } };

static void must(bool holds, const char *what)
{
        if (holds)
                return;
        fprintf(stderr, "tiny: %s\n", what);
        abort();
}

const char *tiny_name(enum tiny_process process) { return processes[process].name; }
uint64_t tiny_pid(enum tiny_process process) { return processes[process].pid; }
uint64_t tiny_tid(enum tiny_thread thread) { return threads[thread].tid; }
enum tiny_process tiny_owner(enum tiny_thread thread) { return threads[thread].process; }

/* ---------------------------------------------------------------- members */

struct tiny_place tiny_place(const struct tiny *t, const char *member)
{
        for (const struct tiny_row *row = tiny_rows; row->name; row++)
                if (!strcmp(row->name, member))
                        return t->is64 ? row->x64 : row->x86;
        must(false, member);
        return (struct tiny_place){ 0 };
}

static uint64_t merged(const struct tiny_place *place, uint64_t before, uint64_t value)
{
        if (!place->bits)
                return value;
        uint64_t mask = (UINT64_C(1) << place->bits) - 1;
        return (before & ~(mask << place->bit)) | (value & mask) << place->bit;
}

uint64_t tiny_get(struct tiny *t, uint64_t object, const char *member)
{
        struct tiny_place place = tiny_place(t, member);
        uint64_t value = 0;

        must(place.size > 0, member);
        for (unsigned i = 0; i < place.size; i++)
                value |= (uint64_t)*world_at(&t->world, object + place.at + i) << 8 * i;
        return place.bits ? value >> place.bit & ((UINT64_C(1) << place.bits) - 1) : value;
}

void tiny_set(struct tiny *t, uint64_t object, const char *member, uint64_t value)
{
        struct tiny_place place = tiny_place(t, member), word = place;
        uint64_t before = 0;

        must(place.size > 0, member);
        for (unsigned i = 0; i < word.size; i++)
                before |= (uint64_t)*world_at(&t->world, object + place.at + i) << 8 * i;
        world_u(&t->world, object + place.at, place.size, merged(&place, before, value));
}

static void set_if(struct tiny *t, uint64_t object, const char *member, uint64_t value)
{
        if (tiny_place(t, member).size)
                tiny_set(t, object, member, value);
}

void tiny_pointer(struct tiny *t, uint64_t va, uint64_t value) { world_u(&t->world, va, t->pointer, value); }

void tiny_string(struct tiny *t, uint64_t va, uint64_t text, const char *ascii)
{
        world_u(&t->world, va, 2, 2 * strlen(ascii));
        world_u(&t->world, va + 2, 2, 2 * strlen(ascii) + 2);
        tiny_pointer(t, va + t->pointer, text);
        world_utf16(&t->world, text, ascii);
}

void tiny_ring(struct tiny *t, uint64_t head, const uint64_t *entry, size_t count)
{
        uint64_t before = head;
        for (size_t i = 0; i <= count; i++) {
                uint64_t at = i < count ? entry[i] : head;
                tiny_pointer(t, before, at);
                tiny_pointer(t, at + t->pointer, before);
                before = at;
        }
}

/* ---------------------------------------------------------------- spaces of processes */

uint8_t *tiny_user_at(struct tiny *t, enum tiny_process process, uint64_t va)
{
        for (size_t i = 0; i < t->user_count; i++)
                if (t->user[i].process == process && t->user[i].va == (va & ~UINT64_C(0xfff)))
                        return t->world.mem + t->user[i].pa + (va & 0xfff);
        must(false, "nothing is mapped there in that process");
        return NULL;
}

void tiny_user_u(struct tiny *t, enum tiny_process process, uint64_t va, size_t size, uint64_t value)
{
        for (size_t i = 0; i < size; i++)
                *tiny_user_at(t, process, va + i) = (uint8_t)(value >> 8 * i);
}

void tiny_user_set(struct tiny *t, enum tiny_process process, uint64_t base, const char *member, uint64_t value)
{
        struct tiny_place place = tiny_place(t, member);
        must(place.size > 0, member);
        tiny_user_u(t, process, base + place.at, place.size, value);
}

static uint64_t self_slot(const struct tiny *t, uint64_t root) { return root + (t->is64 ? 0x1ed * 8 : 0x300 * 4); }

/* A new top table that has the kernel's half and maps itself; t->world.tables goes on below it until the next call. */
static void new_root(struct tiny *t, enum tiny_process process)
{
        struct ptbuild *b = &t->world.tables;
        uint64_t kernel = t->root[TINY_SYSTEM];

        pt_start(b, b->mode, b->mem, b->len, b->next, 0);
        memcpy(b->mem + b->root + 0x800, b->mem + kernel + 0x800, 0x800);
        pt_put(b, self_slot(t, b->root), b->root | 3);
        t->root[process] = b->root;
}

void tiny_map_user(struct tiny *t, enum tiny_process process, uint64_t va, uint64_t len)
{
        t->world.tables.root = t->root[process];
        for (uint64_t done = 0; done < len; done += 0x1000) {
                must(t->user_count < sizeof(t->user) / sizeof(t->user[0]), "too many user pages");
                t->user[t->user_count].process = process;
                t->user[t->user_count].va = va + done;
                t->user[t->user_count++].pa = t->world.next;
                pt_map(&t->world.tables, va + done, t->world.next, PT_4K, 6);
                t->world.next += 0x1000;
        }
        must(t->world.next < WORLD_LEN, "memory is full");
        t->world.tables.root = t->root[TINY_SYSTEM];
}

/* ---------------------------------------------------------------- tokens */

/* A token is followed by its array of SIDs and these, each in its place. */
enum { TOKEN_LEN = 0x800, TOKEN_ARRAY = 0x500, TOKEN_SID = 0x600, TOKEN_PRIVILEGES = 0x580, SID_STEP = 0x40 };

uint64_t tiny_token_array(const struct tiny *t, enum tiny_token token) { return t->token[token] + TOKEN_ARRAY; }

uint64_t tiny_token_sid(const struct tiny *t, enum tiny_token token, size_t index)
{
        return t->token[token] + TOKEN_SID + index * SID_STEP;
}

void tiny_sid(struct tiny *t, uint64_t va, unsigned authority, size_t count, const uint32_t *part)
{
        world_u(&t->world, va, 1, 1);
        world_u(&t->world, va + 1, 1, count);
        world_u(&t->world, va + 7, 1, authority);
        for (size_t i = 0; i < count; i++)
                world_u(&t->world, va + 8 + 4 * i, 4, part[i]);
}

void tiny_sid_entry(struct tiny *t, uint64_t va, size_t index, uint64_t sid, uint32_t attributes)
{
        tiny_pointer(t, va + 2 * index * t->pointer, sid);
        world_u(&t->world, va + (2 * index + 1) * t->pointer, 4, attributes);
}

static const struct {
        unsigned authority;
        size_t count;
        uint32_t part[5], attributes;
} token_sids[TINY_TOKENS][4] = {
        [TINY_TOKEN_SYSTEM] = { { 5, 1, { 18 }, 0 },
                                { 5, 2, { 32, 544 }, 0xe },
                                { 1, 1, { 0 }, 0x7 },
                                { 16, 1, { 0x4000 }, 0x60 } },
        [TINY_TOKEN_USER] = { { 5, 5, { 21, 1, 2, 3, 1001 }, 0 },
                              { 5, 2, { 32, 544 }, 0x10 },
                              { 5, 2, { 32, 545 }, 0x7 },
                              { 16, 1, { 0x2000 }, 0x60 } },
};

/* SeChangeNotifyPrivilege (23) enabled and by default, SeShutdownPrivilege (19) present, SeDebugPrivilege (20) enabled.
 */
static void put_privileges(struct tiny *t, uint64_t token)
{
        static const uint32_t privilege[][2] = { { 23, 3 }, { 19, 0 }, { 20, 2 } };

        if (t->is64) {
                tiny_set(t, token, "TOKEN.Privileges.Present", 1u << 23 | 1u << 19 | 1u << 20);
                tiny_set(t, token, "TOKEN.Privileges.Enabled", 1u << 23 | 1u << 20);
                tiny_set(t, token, "TOKEN.Privileges.EnabledByDefault", 1u << 23);
                return;
        }
        tiny_set(t, token, "TOKEN.PrivilegeCount", 3);
        tiny_set(t, token, "TOKEN.Privileges", token + TOKEN_PRIVILEGES);
        for (uint64_t i = 0; i < 3; i++) {
                world_u(&t->world, token + TOKEN_PRIVILEGES + 12 * i, 4, privilege[i][0]);
                world_u(&t->world, token + TOKEN_PRIVILEGES + 12 * i + 8, 4, privilege[i][1]);
        }
}

static void put_token(struct tiny *t, enum tiny_token i)
{
        uint64_t token = t->token[i];

        for (size_t k = 0; k < TINY_SIDS(t); k++) {
                tiny_sid(t, tiny_token_sid(t, i, k), token_sids[i][k].authority, token_sids[i][k].count,
                         token_sids[i][k].part);
                tiny_sid_entry(t, tiny_token_array(t, i), k, tiny_token_sid(t, i, k), token_sids[i][k].attributes);
        }
        tiny_set(t, token, "TOKEN.UserAndGroupCount", TINY_SIDS(t));
        tiny_set(t, token, "TOKEN.UserAndGroups", tiny_token_array(t, i));
        tiny_set(t, token, "TOKEN.DefaultOwnerIndex", i == TINY_TOKEN_SYSTEM ? 1 : 0);
        tiny_set(t, token, "TOKEN.PrimaryGroup", tiny_token_sid(t, i, 2));
        tiny_set(t, token, "TOKEN.TokenType", 1);
        tiny_set(t, token, "TOKEN.SessionId", (unsigned)i);
        tiny_set(t, token, "TOKEN.TokenId", UINT64_C(0x100000200) + i);
        tiny_set(t, token, "TOKEN.AuthenticationId", i == TINY_TOKEN_SYSTEM ? 0x3e7 : 0x12345);
        tiny_set(t, token, "TOKEN.ExpirationTime", INT64_MAX);
        tiny_set(t, token, "TOKEN.TokenFlags", 0x2001);
        world_put(&t->world, token, i == TINY_TOKEN_SYSTEM ? "*SYSTEM*" : "User32  ", 8);
        put_privileges(t, token);
        if (t->is64)
                tiny_set(t, token, "TOKEN.IntegrityLevelIndex", TINY_SIDS(t) - 1);
}

/* ---------------------------------------------------------------- what breaks it */

void tiny_gone(struct tiny *t, uint64_t va)
{
        pt_put(&t->world.tables, pt_slot(&t->world.tables, va, PT_4K), (WORLD_LEN + (va & 0xff000)) | 3);
        memset(t->world.space.tlb, 0, sizeof(t->world.space.tlb));
}

void tiny_hide_roots(struct tiny *t)
{
        for (int i = TINY_SYSTEM; i < TINY_PROCESSES; i++)
                pt_put(&t->world.tables, self_slot(t, t->root[i]), 0);
}

/* ---------------------------------------------------------------- building */

static void put_kernel(struct tiny *t)
{
        struct world *w = &t->world;

        t->kernel = t->is64 ? UINT64_C(0xfffff80012340000) : 0x804d7000;
        t->pe = (struct world_pe){ .base = t->kernel,
                                   .is64 = t->is64,
                                   .machine = t->is64 ? 0x8664 : 0x14c,
                                   .dll_name = "ntoskrnl.exe",
                                   .exports = exports,
                                   .pdb_path = "ntkrnlmp.pdb" };
        world_pe(w, &t->pe);
        t->head = t->kernel + PROCESS_HEAD;
        t->modules = t->kernel + MODULE_HEAD;
        world_u(w, t->kernel + BUILD_NUMBER, 4, 0xf0000000 | (t->is64 ? 19041 : 2600));
        world_u(w, t->kernel + PROCESSORS, 1, 1);
        tiny_pointer(t, t->kernel + INITIAL_SYSTEM, t->process[TINY_SYSTEM]);
}

static void put_modules(struct tiny *t)
{
        uint64_t entry = t->pool + MODULE_ENTRY;

        tiny_ring(t, t->modules, &entry, 1);
        tiny_set(t, entry, "LDR_DATA_TABLE_ENTRY.DllBase", t->kernel);
        tiny_set(t, entry, "LDR_DATA_TABLE_ENTRY.SizeOfImage", WORLD_PE_LEN);
        tiny_string(t, entry + tiny_place(t, "LDR_DATA_TABLE_ENTRY.BaseDllName").at, t->pool + MODULE_NAME,
                    "ntoskrnl.exe");
        tiny_string(t, entry + tiny_place(t, "LDR_DATA_TABLE_ENTRY.FullDllName").at, t->pool + MODULE_PATH,
                    "\\WINDOWS\\system32\\ntoskrnl.exe");
}

/* KUSER_SHARED_DATA (Microsoft's ntddk.h tells these places for every version). */
static void put_shared(struct tiny *t)
{
        struct world *w = &t->world;

        t->shared = t->is64 ? UINT64_C(0xfffff78000000000) : 0xffdf0000;
        world_map(w, t->shared, 0x1000);
        world_u(w, t->shared + 0x004, 4, 0x0fa00000);         /* TickCountMultiplier: 15.625 ms */
        world_u(w, t->shared + 0x008, 8, UINT64_C(50000000)); /* InterruptTime: 5 s */
        world_u(w, t->shared + 0x014, 8, TINY_EXITED);        /* SystemTime */
        world_utf16(w, t->shared + 0x030, "C:\\WINDOWS");
        world_u(w, t->shared + 0x264, 4, 1);                /* NtProductType */
        world_u(w, t->shared + 0x26c, 4, t->is64 ? 10 : 5); /* NtMajorVersion */
        world_u(w, t->shared + 0x270, 4, t->is64 ? 0 : 1);
        world_u(w, t->shared + 0x320, 8, 0x10000); /* TickCount */
        if (!t->is64)
                return;
        world_u(w, t->shared + 0x260, 4, 19041);
        world_u(w, t->shared + 0x3c0, 4, 1); /* ActiveProcessorCount */
}

static void put_processor(struct tiny *t)
{
        if (!t->is64)
                world_map(&t->world, 0xffdff000, 0x1000);
        t->pcr = t->is64 ? t->kernel + X64_PCR : 0xffdff000;
        t->prcb = t->pcr + (t->is64 ? 0x180 : 0x120);
        tiny_set(t, t->pcr, t->is64 ? "KPCR.Self" : "KPCR.SelfPcr", t->pcr);
        tiny_set(t, t->pcr, t->is64 ? "KPCR.CurrentPrcb" : "KPCR.Prcb", t->prcb);
        tiny_set(t, t->prcb, "KPRCB.CurrentThread", t->thread[TINY_RUNNER]);
        tiny_set(t, t->prcb, "KPRCB.IdleThread", t->thread[TINY_IDLE0]);
        tiny_set(t, t->prcb, "KPRCB.Number", 0);
}

static void put_process(struct tiny *t, enum tiny_process i)
{
        uint64_t object = t->process[i];
        struct tiny_place name = tiny_place(t, "EPROCESS.ImageFileName");

        world_u(&t->world, object, 2, 0x0103); /* a process's dispatcher header, and a byte that is not its type */
        tiny_ring(t, object + HEADER_WAITERS, NULL, 0);
        tiny_set(t, object, "KPROCESS.DirectoryTableBase", t->root[i == TINY_IDLE ? TINY_SYSTEM : i]);
        tiny_set(t, object, "KPROCESS.BasePriority", 8);
        tiny_set(t, object, "EPROCESS.UniqueProcessId", processes[i].pid);
        tiny_set(t, object, "EPROCESS.CreateTime", TINY_CREATED);
        tiny_set(t, object, "EPROCESS.ExitStatus", 0x103);
        tiny_set(t, object, "EPROCESS.Token", /* the low bits count references */
                 t->token[i <= TINY_SYSTEM ? TINY_TOKEN_SYSTEM : TINY_TOKEN_USER] | 5);
        world_put(&t->world, object + name.at, processes[i].name, strlen(processes[i].name));
        if (i >= TINY_ALPHA) {
                tiny_set(t, object, "EPROCESS.Peb", t->peb);
                tiny_set(t, object, "EPROCESS.InheritedFromUniqueProcessId", 4);
        }
        if (i == TINY_BETA && t->is64) { /* EWOW64PROCESS */
                tiny_set(t, object, "EPROCESS.WoW64Process", t->pool + WOW64);
                tiny_pointer(t, t->pool + WOW64, 0x7e000);
        }
}

static void put_teb(struct tiny *t, enum tiny_thread i)
{
        enum tiny_process process = threads[i].process;
        uint64_t teb = t->teb[i], teb32 = teb + 0x2000;

        tiny_map_user(t, process, teb, 0x2000);
        tiny_set(t, t->thread[i], "KTHREAD.Teb", teb);
        tiny_user_u(t, process, teb + (t->is64 ? 0x30 : 0x18), t->pointer, teb); /* NT_TIB.Self */
        tiny_user_set(t, process, teb, "NT_TIB.StackBase", 0x130000);
        tiny_user_set(t, process, teb, "NT_TIB.StackLimit", 0x12a000);
        tiny_user_set(t, process, teb, "TEB.ClientId.UniqueProcess", processes[process].pid);
        tiny_user_set(t, process, teb, "TEB.ClientId.UniqueThread", threads[i].tid);
        tiny_user_set(t, process, teb, "TEB.ProcessEnvironmentBlock", t->peb);
        tiny_user_set(t, process, teb, "TEB.LastErrorValue", 2);
        if (process != TINY_BETA || !t->is64)
                return;
        tiny_map_user(t, process, teb32, 0x1000);
        t->teb32 = teb32;
        tiny_user_u(t, process, teb32 + 0x18, 4, teb32); /* NT_TIB32.Self */
        tiny_user_u(t, process, teb32 + 0x04, 4, 0x230000);
        tiny_user_u(t, process, teb32 + 0x20, 4, processes[process].pid);
        tiny_user_u(t, process, teb32 + 0x24, 4, threads[i].tid);
        tiny_user_u(t, process, teb32 + 0x34, 4, 5);
        tiny_user_set(t, process, teb, "TEB.WowTebOffset", 0x2000);
}

static void put_thread(struct tiny *t, enum tiny_thread i)
{
        uint64_t object = t->thread[i], owner = t->process[threads[i].process];
        uint64_t stack = (t->is64 ? UINT64_C(0xfffffd0000000000) : 0xf7800000) + i * UINT64_C(0x10000);

        world_u(&t->world, object, 2, 0x0106); /* a thread's dispatcher header */
        world_u(&t->world, object + HEADER_SIGNAL, 4, threads[i].state == 4);
        tiny_ring(t, object + HEADER_WAITERS, NULL, 0);
        for (unsigned k = 4; k >= 2; k -= 2) /* KAPC_STATE: two lists, then the process */
                tiny_ring(t, object + tiny_place(t, "KTHREAD.ApcState.Process").at - k * t->pointer, NULL, 0);
        tiny_set(t, object, "KTHREAD.State", threads[i].state);
        tiny_set(t, object, "KTHREAD.WaitReason", threads[i].reason);
        tiny_set(t, object, "KTHREAD.Priority", 9);
        tiny_set(t, object, "KTHREAD.BasePriority", 8);
        tiny_set(t, object, "KTHREAD.WaitTime", 0xf000);
        tiny_set(t, object, "KTHREAD.InitialStack", stack);
        tiny_set(t, object, "KTHREAD.StackBase", stack);
        tiny_set(t, object, "KTHREAD.StackLimit", stack - 0x3000);
        tiny_set(t, object, "KTHREAD.KernelStack", stack - 0x200);
        tiny_set(t, object, "KTHREAD.ApcState.Process", owner);
        set_if(t, object, "KTHREAD.Process", owner);
        set_if(t, object, "ETHREAD.ThreadsProcess", owner);
        set_if(t, object, "KTHREAD.WaitPrcb", t->prcb);
        tiny_set(t, object, "ETHREAD.Cid.UniqueProcess", processes[threads[i].process].pid);
        tiny_set(t, object, "ETHREAD.Cid.UniqueThread", threads[i].tid);
        tiny_set(t, object, "ETHREAD.CreateTime", t->is64 ? TINY_CREATED : TINY_CREATED << 3);
        tiny_set(t, object, "ETHREAD.ExitStatus", 0x103);
        tiny_set(t, object, "ETHREAD.StartAddress", t->kernel + WORLD_PE_TEXT + 0x10u * i);
        tiny_ring(t, object + tiny_place(t, "ETHREAD.IrpList").at, NULL, 0);
        tiny_ring(t, object + tiny_place(t, "ETHREAD.ActiveTimerListHead").at, NULL, 0);
        if (!t->is64) /* Vista and later keep StartAddress in the second half of it */
                tiny_ring(t, object + tiny_place(t, "ETHREAD.PostBlockList").at, NULL, 0);
}

/* What makes some threads special. */
static void put_special(struct tiny *t)
{
        uint64_t client = t->thread[TINY_CLIENT], dead = t->thread[TINY_DEAD], attached = t->thread[TINY_ATTACHED];

        t->impersonation = t->pool + IMPERSONATION;
        tiny_set(t, client, "ETHREAD.ActiveImpersonationInfo", 1);
        if (t->is64) {
                tiny_set(t, client, "ETHREAD.ClientSecurity.ImpersonationData", t->impersonation | 4 | 2);
        } else {
                tiny_set(t, client, "ETHREAD.ImpersonationInfo", t->impersonation);
                tiny_set(t, t->impersonation, "PS_IMPERSONATION_INFORMATION.Token", 0xe1001000);
                tiny_set(t, t->impersonation, "PS_IMPERSONATION_INFORMATION.CopyOnOpen", 1);
                tiny_set(t, t->impersonation, "PS_IMPERSONATION_INFORMATION.EffectiveOnly", 1);
                tiny_set(t, t->impersonation, "PS_IMPERSONATION_INFORMATION.ImpersonationLevel", 2);
        }
        tiny_set(t, attached, "KTHREAD.ApcStateIndex", 1);
        tiny_set(t, attached, "KTHREAD.ApcState.Process", t->process[TINY_ALPHA]);
        tiny_set(t, attached, "KTHREAD.SavedApcState.Process", t->process[TINY_SYSTEM]);
        for (unsigned k = 4; k >= 2; k -= 2)
                tiny_ring(t, attached + tiny_place(t, "KTHREAD.SavedApcState.Process").at - k * t->pointer, NULL, 0);
        tiny_set(t, dead, "ETHREAD.Terminated", 1);
        tiny_set(t, dead, "ETHREAD.ExitTime", TINY_EXITED);
        tiny_set(t, dead, "ETHREAD.ExitStatus", 0xc0000005);
}

static void link_threads(struct tiny *t, enum tiny_process process, const char *head, const char *links)
{
        uint64_t entry[TINY_THREADS];
        size_t count = 0;

        for (int i = 0; i < TINY_LISTED; i++)
                if (threads[i].process == process)
                        entry[count++] = t->thread[i] + tiny_place(t, links).at;
        tiny_ring(t, t->process[process] + tiny_place(t, head).at, entry, count);
}

static void link_all(struct tiny *t)
{
        static const uint32_t living[TINY_PROCESSES] = { 1, 2, 2, 2 };
        uint64_t entry[TINY_PROCESSES];

        for (int i = TINY_SYSTEM; i < TINY_PROCESSES; i++)
                entry[i - TINY_SYSTEM] = t->process[i] + tiny_place(t, "EPROCESS.ActiveProcessLinks").at;
        tiny_ring(t, t->head, entry, TINY_PROCESSES - TINY_SYSTEM);
        for (int i = 0; i < TINY_PROCESSES; i++) {
                link_threads(t, (enum tiny_process)i, "KPROCESS.ThreadListHead", "KTHREAD.ThreadListEntry");
                if (i != TINY_IDLE || t->is64) /* XP leaves this one of Idle's zero */
                        link_threads(t, (enum tiny_process)i, "EPROCESS.ThreadListHead", "ETHREAD.ThreadListEntry");
                tiny_set(t, t->process[i], "EPROCESS.ActiveThreads", living[i]);
        }
}

/* A page for each object, so that one can be taken away. */
static void place_objects(struct tiny *t)
{
        uint64_t at = t->is64 ? UINT64_C(0xffffc60012300000) : 0x82100000;

        for (int i = 0; i < TINY_PROCESSES; i++, at += 0x1000)
                t->process[i] = at + 0x20;
        for (int i = 0; i < TINY_THREADS; i++, at += 0x1000)
                t->thread[i] = at + 0x40;
        t->pool = at;
        for (unsigned i = 0; i < TINY_TOKENS; i++)
                t->token[i] = at + 0x2000 + i * TOKEN_LEN;
        world_map(&t->world, t->process[0] - 0x20, at - (t->process[0] - 0x20) + 0x3000);
}

static void place_user(struct tiny *t)
{
        t->peb = t->is64 ? 0x7ffd0000 : 0x7ffdf000;
        t->teb[TINY_RUNNER] = t->teb[TINY_MAIN] = t->peb - 0x10000;
        t->teb[TINY_CLIENT] = t->peb - 0x20000;
        for (int i = TINY_ALPHA; i < TINY_PROCESSES; i++) {
                new_root(t, (enum tiny_process)i);
                tiny_map_user(t, (enum tiny_process)i, t->peb, 0x1000);
                for (int k = 0; k < TINY_THREADS; k++)
                        if (threads[k].process == (enum tiny_process)i && threads[k].teb)
                                put_teb(t, (enum tiny_thread)k);
        }
        t->world.tables.root = t->root[TINY_SYSTEM];
}

void tiny_build(struct tiny *t, bool is64)
{
        memset(t, 0, sizeof(*t));
        t->is64 = is64;
        t->pointer = is64 ? 8 : 4;
        world_start(&t->world, is64 ? PT_X64 : PT_X86);
        t->root[TINY_SYSTEM] = t->world.tables.root;
        pt_put(&t->world.tables, self_slot(t, t->root[TINY_SYSTEM]), t->root[TINY_SYSTEM] | 3);
        place_objects(t);
        put_kernel(t);
        put_modules(t);
        put_shared(t);
        put_processor(t);
        for (int i = 0; i < TINY_THREADS; i++)
                put_thread(t, (enum tiny_thread)i);
        for (int i = 0; i < TINY_TOKENS; i++)
                put_token(t, (enum tiny_token)i);
        place_user(t); /* after all that the kernel maps */
        for (int i = 0; i < TINY_PROCESSES; i++)
                put_process(t, (enum tiny_process)i);
        put_special(t);
        link_all(t);
}

void tiny_close(struct tiny *t) { world_end(&t->world); }
