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
        MADE("image_path", "Image path, its own", IDENTITY, TEXT, derive_image_path,
             "from the process's own memory: it may lie"),
        MADE("command_line", "Command line", IDENTITY, TEXT, derive_command_line,
             "from the process's own memory: it may lie"),
        MADE("command_line32", "Command line (32-bit)", IDENTITY, TEXT, derive_command_line32,
             "that of the 32-bit half of a WoW64 process"),
        MADE("current_directory", "Current directory", IDENTITY, TEXT, derive_current_directory, "likewise"),
        MADE("window_title", "Window title", IDENTITY, TEXT, derive_window_title, "as given at creation; likewise"),
        MADE("desktop", "Desktop", IDENTITY, TEXT, derive_desktop, "window station and desktop; likewise"),
        MADE("parent", "Parent", IDENTITY, TEXT, derive_parent,
             "name of the process with the parent's id, if it is older than this one"),
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
        MADE_COSTLY("handles", "Handles", LIFE, NUMBER, derive_handles, "in use, counted in its handle table"),
        ROW_D("job", "Job", LIFE, ADDRESS, ON_OBJECT, derive_zero_is_none, "", "_EPROCESS.Job"),
        ROW_N("protection", "Protection", LIFE, FLAGS, ON_OBJECT, names_protection, "since 8.1",
              "_EPROCESS.Protection.Level", "_EPROCESS.Protection"),
        ROW_D("debug_port", "Debug port", LIFE, ADDRESS, ON_OBJECT, derive_zero_is_none, "a debugger is attached",
              "_EPROCESS.DebugPort"),
        MADE("being_debugged", "Being debugged", LIFE, BOOL, derive_being_debugged, "PEB.BeingDebugged"),
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
