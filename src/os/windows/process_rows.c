/* SPDX-License-Identifier: MIT */
/* Every fact about a Windows process that the thread decoder needs or that tells whose threads they are. */
#include <string.h>

#include "derive.h"
#include "names.h"
#include "../row_macros.h"
#include "token_rows.h"

#define IDENTITY "identity"
#define LIFE "life"
#define MEMORY "memory"
#define SECURITY "security"
#define REST "rest"

/* SeAuditProcessCreationInfo points to an OBJECT_NAME_INFORMATION, which is a UNICODE_STRING. */
void derive_process_path(struct decode *d, struct stasis_fact *fact)
{
        enum stasis_absence why;
        derive_zero_is_none(d, fact);
        if (!fact_is(fact))
                return;
        fact->text = read_unicode_string(d->w->kernel, fact->value, d->w->pointer_size, d->arena, &why);
        fact->absence = (uint8_t)why;
}

static struct stasis_fact peb_member(struct decode *d, const char *path, uint32_t x86_place)
{
        struct stasis_member m = { .offset = x86_place, .size = d->w->pointer_size };
        const struct windows_process *p = &d->w->process[d->process];
        struct stasis_space *space = p->peb ? windows_user_space(d->w, d->process) : NULL;
        if (!stasis_layout_member(d->w->layout, path, &m) && d->w->is64)
                return fact_absent(STASIS_NOT_KNOWN);
        return space ? load_at(space, p->peb + m.offset, m.size) : fact_absent(STASIS_NOT_APPLICABLE);
}

void derive_command_line(struct decode *d, struct stasis_fact *fact)
{
        struct stasis_member m = { .offset = 0x40 };
        enum stasis_absence why;
        *fact = peb_member(d, "_PEB.ProcessParameters", 0x10);
        derive_zero_is_none(d, fact);
        if (!fact_is(fact))
                return;
        if (!stasis_layout_member(d->w->layout, "_RTL_USER_PROCESS_PARAMETERS.CommandLine", &m) && d->w->is64)
                m.offset = 0x70;
        struct stasis_space *space = windows_user_space(d->w, d->process);
        fact->va = fact->value + m.offset;
        if (space->image->is_virtual || stasis_space_pa(space, fact->va, &fact->pa) != STASIS_OK)
                fact->pa = STASIS_NOWHERE;
        fact->text = read_unicode_string(space, fact->va, d->w->pointer_size, d->arena, &why);
        fact->absence = (uint8_t)why;
}

void derive_session(struct decode *d, struct stasis_fact *fact)
{
        struct stasis_member m;
        if (!stasis_layout_member(d->w->layout, "_PEB.SessionId", &m)) {
                *fact = fact_absent(STASIS_NOT_KNOWN);
                return;
        }
        *fact = peb_member(d, "_PEB.SessionId", m.offset);
}

void derive_process_exit_time(struct decode *d, struct stasis_fact *fact)
{
        (void)d;
        if (fact_is(fact) && !fact->value)
                fact->absence = STASIS_NOT_APPLICABLE;
}

void derive_process_wow64(struct decode *d, struct stasis_fact *fact)
{
        *fact = d->w->is64 ? fact_derived(d->w->process[d->process].wow64) : fact_absent(STASIS_NOT_IN_VERSION);
}

void derive_process_peb32(struct decode *d, struct stasis_fact *fact)
{
        const struct windows_process *p = &d->w->process[d->process];
        *fact = !d->w->is64 ? fact_absent(STASIS_NOT_IN_VERSION)
                : !p->wow64 ? fact_absent(STASIS_NOT_APPLICABLE)
                : p->peb32  ? fact_derived(p->peb32)
                            : fact_absent(STASIS_NOT_KNOWN);
}

void derive_process_threads_found(struct decode *d, struct stasis_fact *fact)
{
        *fact = fact_derived(d->w->process[d->process].threads);
}

const struct row process_rows[] = {
        MADE("object", "Object", IDENTITY, ADDRESS, derive_object, "virtual address of the EPROCESS"),
        MADE("object_pa", "Object, physical", IDENTITY, PHYSICAL, derive_object_pa, ""),
        ROW("pid", "Process id", IDENTITY, NUMBER, ON_OBJECT, "", "_EPROCESS.UniqueProcessId"),
        ROW("ppid", "Parent's id", IDENTITY, NUMBER, ON_OBJECT, "of the process that created it; may be reused since",
            "_EPROCESS.InheritedFromUniqueProcessId"),
        MADE("name", "Name", IDENTITY, TEXT, derive_process_name, "ImageFileName, at most 15 bytes"),
        ROW_D("path", "Image path", IDENTITY, TEXT, ON_OBJECT, derive_process_path, "as audited at creation",
              "_EPROCESS.SeAuditProcessCreationInfo.ImageFileName"),
        MADE("command_line", "Command line", IDENTITY, TEXT, derive_command_line,
             "from the process's own memory: it may lie"),
        MADE("session", "Session", IDENTITY, NUMBER, derive_session, "PEB.SessionId"),
        MADE("sources", "Seen by", IDENTITY, TEXTS, derive_process_sources, ""),

        ROW("create_time", "Created", LIFE, TIME, ON_OBJECT, "1601-01-01: zero, made before the system had a clock",
            "_EPROCESS.CreateTime"),
        ROW_D("exit_time", "Exited", LIFE, TIME, ON_OBJECT, derive_process_exit_time, "", "_EPROCESS.ExitTime"),
        ROW("exit_status", "Exit status", LIFE, HEX, ON_OBJECT, "0x103 while it lives", "_EPROCESS.ExitStatus"),
        ROW("flags", "Flags", LIFE, FLAGS, ON_OBJECT, "", "_EPROCESS.Flags"),
        MADE("threads", "Threads found", LIFE, NUMBER, derive_process_threads_found, "terminated ones included"),
        ROW("active_threads", "Active threads", LIFE, NUMBER, ON_OBJECT, "as the process counts them",
            "_EPROCESS.ActiveThreads"),
        ROW("base_priority", "Base priority", LIFE, SIGNED, ON_OBJECT, "", "_KPROCESS.BasePriority"),

        ROW("directory_table_base", "Directory table base", MEMORY, PHYSICAL, ON_OBJECT, "",
            "_KPROCESS.DirectoryTableBase"),
        ROW("user_directory_table_base", "User directory table base", MEMORY, PHYSICAL, ON_OBJECT,
            "with kernel VA shadowing: the user half's own tables", "_KPROCESS.UserDirectoryTableBase"),
        ROW_D("peb", "PEB", MEMORY, ADDRESS, ON_OBJECT, derive_zero_is_none, "", "_EPROCESS.Peb"),
        MADE("wow64", "WoW64", MEMORY, BOOL, derive_process_wow64, ""),
        MADE("peb32", "PEB32", MEMORY, ADDRESS, derive_process_peb32, ""),
        ROW_D("section_base", "Image base", MEMORY, ADDRESS, ON_OBJECT, derive_zero_is_none, "",
              "_EPROCESS.SectionBaseAddress"),

        ROW_D("token", "Token", SECURITY, ADDRESS, ON_OBJECT, derive_process_token, "", "_EPROCESS.Token"),
        TOKEN_ROWS(SECURITY),

        ROW_D("object_table", "Handle table", REST, ADDRESS, ON_OBJECT, derive_zero_is_none, "",
              "_EPROCESS.ObjectTable"),
};

const size_t process_row_count = sizeof process_rows / sizeof *process_rows;
