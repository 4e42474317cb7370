/* SPDX-License-Identifier: MIT */
/*
 * Files that were given (--symbols), against the image: a file of another build would answer every question, and every
 * answer would be wrong. Its width, its build id, its symbols and its types are held against what the image says of
 * itself: VMCOREINFO, kallsyms, BTF, init_task. What contradicts is refused; what only looks doubtful is noted.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../../base/error.h"
#include "../layout_symbols.h"
#include "given.h"

#define SAMPLES 1024         /* of kallsyms */
#define COMPARED_MIN 8       /* fewer prove nothing */
#define PERCPU_MAX 0x1000000 /* what lies below is a place in a CPU's area */

static enum stasis_status refuse(struct linux_system *l, const char *path, const char *why, struct stasis_error *err)
{
        system_trace(l->system, "symbols", false, "%s is of another kernel: %s", path, why);
        return stasis_fail(err, STASIS_UNSUPPORTED, "%s: of another kernel than the image's (%s): %s", path,
                           l->release ? l->release : "unknown release", why);
}

/* ---------------------------------------------------------------- the build id */

static int digit(uint8_t c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* VMCOREINFO has it since 5.14, as hexadecimal digits. Returns how it compares: 0 cannot be told, 1 equal, -1 not. */
static int same_build(const struct linux_system *l, struct stasis_bytes id)
{
        struct stasis_bytes line = vmcoreinfo_line(l->vmcoreinfo, "BUILD-ID");
        if (!id.len || line.len != 2 * id.len)
                return 0;
        for (size_t i = 0; i < line.len; i++)
                if (digit(line.at[i]) != (i % 2 ? id.at[i / 2] & 15 : id.at[i / 2] >> 4))
                        return -1;
        return 1;
}

/* ---------------------------------------------------------------- symbols */

struct tally {
        size_t agreed, compared;
};

static void compare(const struct linux_system *l, const struct stasis_layout *file, uint64_t stext, const char *name,
                    uint64_t va, struct tally *tally)
{
        uint64_t told, mask = l->is64 ? UINT64_MAX : UINT32_MAX;
        if (va < PERCPU_MAX || strcmp(name, "_stext") == 0 || !stasis_layout_symbol(file, name, &told) ||
            told < PERCPU_MAX)
                return;
        tally->compared++;
        tally->agreed += ((told - stext) & mask) == ((va - l->stext) & mask);
}

/* kallsyms', a sample; of several of one name both sides tell the first. */
static void compare_kallsyms(struct linux_system *l, const struct stasis_layout *file, uint64_t stext,
                             struct tally *tally)
{
        uint32_t count = l->kallsyms ? kallsyms_count(l->kallsyms) : 0, step = count / SAMPLES + 1;
        for (uint32_t i = 0; i < count; i += step) {
                char name[KALLSYMS_NAME_MAX];
                uint64_t va;
                if (kallsyms_name(l->kallsyms, i, name, sizeof name) && kallsyms_find(l->kallsyms, name, &va))
                        compare(l, file, stext, name, va, tally);
        }
}

/* VMCOREINFO's lines of this kind one after the other: "SYMBOL(init_uts_ns)=..." gives init_uts_ns. */
static bool next_key(struct stasis_bytes *left, const char *kind, char *name, size_t len)
{
        size_t want = strlen(kind);
        while (left->len) {
                const uint8_t *line = left->at, *end = memchr(line, '\n', left->len);
                size_t whole = end ? (size_t)(end - line) : left->len;
                const uint8_t *close = memchr(line, ')', whole);
                left->at += whole + (end != NULL);
                left->len -= whole + (end != NULL);
                if (whole <= want + 1 || memcmp(line, kind, want) != 0 || line[want] != '(' || !close)
                        continue;
                size_t part = (size_t)(close - line) - want - 1;
                if (part == 0 || part >= len)
                        continue;
                memcpy(name, line + want + 1, part);
                name[part] = '\0';
                return true;
        }
        return false;
}

static void compare_vmcoreinfo(struct linux_system *l, const struct stasis_layout *file, uint64_t stext,
                               struct tally *tally)
{
        struct stasis_bytes left = l->vmcoreinfo;
        char name[128];
        uint64_t va;
        while (next_key(&left, "SYMBOL", name, sizeof name))
                if (vmcoreinfo_symbol(l->vmcoreinfo, name, &va))
                        compare(l, file, stext, name, va, tally);
}

static enum stasis_status check_symbols(struct linux_system *l, const char *path, const struct stasis_layout *file,
                                        struct stasis_error *err)
{
        struct tally tally = { 0, 0 };
        uint64_t stext;
        char why[160];
        if (!l->stext || !stasis_layout_symbol(file, "_stext", &stext)) {
                const char *whose = l->stext ? "the file" : "the image";
                system_trace(l->system, "symbols", false, "%s: %s tells no _stext", path, whose);
                system_note(l->system, STASIS_NOTE_WARNING, "symbols-unused", 0, -1, -1,
                            "the symbols of %s are not used: %s tells no _stext, by which they would be moved to where "
                            "the kernel ran",
                            path, whose);
                return STASIS_OK;
        }
        compare_kallsyms(l, file, stext, &tally);
        compare_vmcoreinfo(l, file, stext, &tally);
        if (tally.compared < COMPARED_MIN)
                return STASIS_OK;
        snprintf(why, sizeof why, "of %zu symbols that both know, %zu lie where the image has them", tally.compared,
                 tally.agreed);
        if (tally.agreed < tally.compared / 2)
                return refuse(l, path, why, err);
        bool good = tally.agreed >= tally.compared - tally.compared / 10;
        system_trace(l->system, "symbols", good, "%s: %s", path, why);
        if (!good)
                system_note(l->system, STASIS_NOTE_WARNING, "symbols-doubtful", 0, -1, -1,
                            "%s may be of another kernel than the image's: %s", path, why);
        return STASIS_OK;
}

/* ---------------------------------------------------------------- types */

/* VMCOREINFO's sizes and offsets: each that the file has too must be the same. false: why tells. */
static bool vmcoreinfo_agrees(const struct linux_system *l, const struct stasis_layout *types, char *why, size_t len)
{
        static const char *const kinds[] = { "SIZE", "OFFSET" };
        char name[128];
        for (size_t i = 0; i < 2; i++) {
                struct stasis_bytes left = l->vmcoreinfo;
                while (next_key(&left, kinds[i], name, sizeof name)) {
                        struct stasis_member m = { .size = stasis_layout_sizeof(types, name) };
                        uint64_t want, is = m.size;
                        if (i == 0 ? m.size == 0 || !vmcoreinfo_size(l->vmcoreinfo, name, &want)
                                   : !stasis_layout_member(types, name, &m) ||
                                             !vmcoreinfo_offset(l->vmcoreinfo, name, &want))
                                continue;
                        is = i == 0 ? is : m.offset;
                        if (is == want)
                                continue;
                        snprintf(why, len, "%s(%s) is %" PRIu64 " in the image's VMCOREINFO, %" PRIu64 " in the file",
                                 kinds[i], name, want, is);
                        return false;
                }
        }
        return true;
}

/* The image's own types, where it has any. */
static bool btf_agrees(const struct stasis_layout *own, const struct stasis_layout *types, char *why, size_t len)
{
        static const char *const members[] = { "task_struct.tasks", "task_struct.pid",   "task_struct.comm",
                                               "task_struct.stack", "task_struct.mm",    "task_struct.cred",
                                               "mm_struct.pgd",     "mm_struct.exe_file" };
        for (size_t i = 0; own && i < sizeof members / sizeof *members; i++) {
                struct stasis_member a, b;
                if (!stasis_layout_member(own, members[i], &a) || !stasis_layout_member(types, members[i], &b) ||
                    a.offset == b.offset)
                        continue;
                snprintf(why, len, "%s lies at %u in the image's own BTF, at %u in the file", members[i], a.offset,
                         b.offset);
                return false;
        }
        return true;
}

/* pgprotval_t is as wide as an entry of the page tables (arch/x86/include/asm/pgtable-2level_types.h, -3level_types.h).
 */
static bool paging_agrees(const struct linux_system *l, const struct stasis_layout *types, char *why, size_t len)
{
        struct stasis_member m;
        if (!stasis_layout_member(types, "vm_area_struct.vm_page_prot.pgprot", &m) ||
            m.size == l->kernel->paging->entry_size)
                return true;
        snprintf(why, len, "entries of its page tables have %u bytes, those of the image's %u", m.size,
                 l->kernel->paging->entry_size);
        return false;
}

static bool types_agree(const struct linux_system *l, const struct stasis_layout *types, char *why, size_t len)
{
        return vmcoreinfo_agrees(l, types, why, len) && btf_agrees(l->types, types, why, len) &&
               paging_agrees(l, types, why, len);
}

/* ---------------------------------------------------------------- all of them */

enum stasis_status linux_given_check(struct linux_system *l, struct stasis_error *err)
{
        struct layout_file file;
        char why[320];
        for (size_t i = 0; layout_symbols_file(l->given, i, &file); i++) {
                const struct stasis_layout *any = file.types ? file.types : file.symbols;
                int build = same_build(l, file.build_id);
                snprintf(why, sizeof why, "it is of %u bits", stasis_layout_pointer_size(any) * 8u);
                if (stasis_layout_pointer_size(any) != l->pointer_size)
                        return refuse(l, file.path, why, err);
                if (build < 0)
                        return refuse(l, file.path, "its build id is not that of the image's VMCOREINFO", err);
                if (build > 0) {
                        system_trace(l->system, "symbols", true, "%s has the build id of the image's kernel",
                                     file.path);
                        continue;
                }
                enum stasis_status status = file.symbols ? check_symbols(l, file.path, file.symbols, err) : STASIS_OK;
                if (status != STASIS_OK)
                        return status;
                if (file.types && !types_agree(l, file.types, why, sizeof why))
                        return refuse(l, file.path, why, err);
        }
        return STASIS_OK;
}

enum stasis_status linux_given_fits(struct linux_system *l, struct stasis_error *err)
{
        uint8_t comm[LINUX_COMM_LEN];
        uint64_t pid;
        if (!l->at.comm.has || !l->at.pid.has)
                return STASIS_OK;
        if (l->init_task &&
            (stasis_space_read(l->kernel, l->init_task + l->at.comm.offset, comm, sizeof comm) != STASIS_OK ||
             read_place(l->kernel, l->init_task, &l->at.pid, &pid) != STASIS_OK))
                return STASIS_OK; /* not in the image: nothing is proved */
        if (l->init_task && memcmp(comm, "swapper", 7) == 0 && pid == 0)
                return STASIS_OK;
        return refuse(l, stasis_layout_name(l->given),
                      l->init_task ? "init_task is not called swapper where its types say"
                                   : "no task is called swapper where its types say",
                      err);
}
