/* SPDX-License-Identifier: MIT */
#include "double.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct double_case double_case;

void double_reset(void)
{
        double_case = (struct double_case){ .thread_count = 3, .process = "smss.exe", .noted = true };
}

static enum stasis_status fail(struct stasis_error *err, enum stasis_status status, const char *text)
{
        if (err) {
                err->status = status;
                snprintf(err->text, sizeof(err->text), "%s", text);
        }
        return status;
}

const char *stasis_status_name(enum stasis_status status) { return status == STASIS_LIMIT ? "limit" : "other"; }

/* ---- image */

struct stasis_image {
        char path[256];
        struct stasis_hints hints;
};

static const struct stasis_run runs[] = { { 0x1000, 0x3000, 0x200 }, { 0x8000, 0x1000, 0x3200 } };
static const struct stasis_gap gaps[] = { { 0x9000, 0x2000, "cut off: the file ends", false } };
static const char *const remarks[] = { "size is not a multiple of 4 KiB" };
static const struct stasis_cpu cpus[] = { { .known = STASIS_CPU_CONTROL | STASIS_CPU_GPR,
                                            .rip = 0x80401234,
                                            .cr = { 0, 0, 0, 0x39000, 0x20 },
                                            .origin = "test note" } };
static uint8_t memory[0x9000];

enum stasis_status stasis_image_open_files(const char *const *paths, size_t count,
                                           const struct stasis_image_options *options, struct stasis_image **ret_image,
                                           struct stasis_error *err)
{
        if (count > 1)
                return fail(err, STASIS_UNSUPPORTED, paths[count - 1]);
        if (options->format && strcmp(options->format, "raw"))
                return fail(err, STASIS_USAGE, "no such reader");
        if (double_case.image)
                return fail(err, double_case.image, "bad header: e_phoff is past the end");
        struct stasis_image *image = calloc(1, sizeof(*image));
        if (!image)
                abort();
        snprintf(image->path, sizeof(image->path), "%s", paths[0]);
        image->hints = (struct stasis_hints){ .known = double_case.hints,
                                              .machine = STASIS_MACHINE_X86,
                                              .root = 0x39000,
                                              .cpu = cpus,
                                              .cpu_count = double_case.hints ? 1 : 0 };
        for (size_t i = 0; i < sizeof(memory); i++)
                memory[i] = (uint8_t)(i >> 4);
        *ret_image = image;
        return STASIS_OK;
}

enum stasis_status stasis_image_open_fds(const struct stasis_file *files, size_t count,
                                         const struct stasis_image_options *options, struct stasis_image **ret_image,
                                         struct stasis_error *err)
{
        const char *path = files[0].name;

        for (size_t i = 0; i < count; i++)
                close(files[i].fd);
        if (options->contents) {
                options->contents(options->contents_ctx, memory, sizeof(memory));
                options->contents(options->contents_ctx, NULL, 0);
        }
        return stasis_image_open_files(&path, count, options, ret_image, err);
}

enum stasis_status stasis_archive_members(const struct stasis_file *file, const struct stasis_image_options *options,
                                          bool (*seen)(void *ctx, const char *name, uint64_t len), void *ctx,
                                          struct stasis_error *err)
{
        (void)options, (void)seen, (void)ctx;
        close(file->fd);
        return fail(err, STASIS_ABSENT, "is no archive");
}

void stasis_image_close(struct stasis_image *image) { free(image); }

const char *stasis_image_path(const struct stasis_image *image) { return image->path; }

const char *stasis_image_file_at(const struct stasis_image *image, size_t index) { return index ? NULL : image->path; }

const struct stasis_container *stasis_image_container_at(const struct stasis_image *image, size_t index)
{
        (void)image;
        (void)index;
        return NULL;
}

const char *stasis_image_format(const struct stasis_image *image)
{
        (void)image;
        return "raw";
}

const char *stasis_image_format_title(const struct stasis_image *image)
{
        (void)image;
        return "raw memory";
}

uint64_t stasis_image_file_size(const struct stasis_image *image)
{
        (void)image;
        return 0x4200;
}

const struct stasis_run *stasis_image_runs(const struct stasis_image *image, size_t *ret_count)
{
        (void)image;
        *ret_count = 2;
        return runs;
}

const struct stasis_gap *stasis_image_gaps(const struct stasis_image *image, size_t *ret_count)
{
        (void)image;
        *ret_count = double_case.gap ? 1 : 0;
        return gaps;
}

const struct stasis_hints *stasis_image_hints(const struct stasis_image *image) { return &image->hints; }

const char *const *stasis_image_remarks(const struct stasis_image *image, size_t *ret_count)
{
        (void)image;
        *ret_count = 1;
        return remarks;
}

const struct stasis_blob *stasis_image_blobs(const struct stasis_image *image, size_t *ret_count)
{
        static const struct stasis_blob blobs[] = { { .guid = { 0xdc, 0x97, 0x22, 0xbf, 0xba, 0x34, 0xdc, 0x11, 0x86,
                                                                0x8a, 0xe1, 0x91, 0x55, 0xd8, 0x95, 0x93 },
                                                      .off = 0x4000,
                                                      .len = 0x44 } };
        (void)image;
        *ret_count = double_case.gap ? 1 : 0;
        return blobs;
}

struct stasis_bytes stasis_image_view(const struct stasis_image *image, uint64_t pa, size_t len)
{
        (void)image;
        for (size_t i = 0; i < 2; i++) {
                uint64_t left = pa - runs[i].pa < runs[i].len ? runs[i].len - (pa - runs[i].pa) : 0;
                if (left)
                        return (struct stasis_bytes){ memory + pa, left < len ? (size_t)left : len };
        }
        return (struct stasis_bytes){ NULL, 0 };
}

enum stasis_status stasis_image_read(const struct stasis_image *image, uint64_t pa, void *buf, size_t len)
{
        struct stasis_bytes view = stasis_image_view(image, pa, len);

        if (view.len < len)
                return STASIS_ABSENT;
        memcpy(buf, view.at, len);
        return STASIS_OK;
}

bool stasis_image_is_packed(const struct stasis_image *image)
{
        (void)image;
        return false;
}

bool stasis_image_is_virtual(const struct stasis_image *image)
{
        (void)image;
        return false;
}

enum stasis_status stasis_image_offset(const struct stasis_image *image, uint64_t pa, uint64_t *ret_off)
{
        (void)image;
        for (size_t i = 0; i < 2; i++) {
                if (pa - runs[i].pa >= runs[i].len)
                        continue;
                *ret_off = runs[i].off + (pa - runs[i].pa);
                return STASIS_OK;
        }
        return STASIS_ABSENT;
}

const char *stasis_format_name_at(size_t index, const char **ret_title)
{
        *ret_title = "raw memory";
        return index == 0 ? "raw" : NULL;
}

/* ---- translation */

struct stasis_space {
        char mode[8];
        uint64_t root;
};

static struct stasis_space kernel_space = { "pae", 0x7000 }, process_space = { "pae", 0x7720 };

enum stasis_status stasis_space_open(const struct stasis_image *image, const char *mode, uint64_t root,
                                     struct stasis_space **ret_space, struct stasis_error *err)
{
        (void)image;
        (void)err;
        struct stasis_space *space = calloc(1, sizeof(*space));
        if (!space)
                abort();
        snprintf(space->mode, sizeof(space->mode), "%s", mode);
        space->root = root;
        *ret_space = space;
        return STASIS_OK;
}

void stasis_space_close(struct stasis_space *space) { free(space); }

const char *stasis_space_mode(const struct stasis_space *space) { return space->mode; }

uint64_t stasis_space_root(const struct stasis_space *space) { return space->root; }

enum stasis_status stasis_space_walk(struct stasis_space *space, uint64_t va, struct stasis_walk *ret_walk)
{
        *ret_walk = (struct stasis_walk){ .va = va, .depth = 2 };
        ret_walk->entry[0].pa = space->root + 8;
        ret_walk->entry[0].value = 0x8067;
        ret_walk->entry[1].pa = 0x8000 + (va >> 12) * 8 % 4096;
        if (va >> 47) {
                ret_walk->depth = 0;
                return STASIS_CORRUPT;
        }
        if (va >= 0x30000)
                return STASIS_IO;
        if ((va < 0x10000 || va >= 0x14000) && va >> 12 != 0x18)
                return STASIS_ABSENT;
        ret_walk->pa = va >= 0x18000 ? va - 0x10000 : va - 0x10000 + 0x1000;
        ret_walk->page_size = 4096;
        ret_walk->entry[1].value = UINT64_C(0x8000000000000063) | (ret_walk->pa & ~UINT64_C(0xfff));
        return STASIS_OK;
}

const char *stasis_verdict_name(enum stasis_verdict verdict)
{
        switch (verdict) {
        case STASIS_VERDICT_PRESENT: return "present";
        case STASIS_VERDICT_PAGED_OUT: return "paged out";
        case STASIS_VERDICT_NOT_CAPTURED: return "not captured";
        case STASIS_VERDICT_INVALID: return "invalid";
        default: return "not present";
        }
}

/* Pages 0x20 .. 0x23 are in page files: 0x20 in number 1, which was given, the others in 2, which was not. */
static void examine_paged_out(uint64_t va, struct stasis_address *address)
{
        bool given = va >> 12 == 0x20;
        address->walk.entry[1].value = 0x120;
        address->verdict = STASIS_VERDICT_PAGED_OUT;
        address->status = given ? STASIS_OK : STASIS_ABSENT;
        address->why = given ? NULL : "that page file was not given";
        address->backing = STASIS_BACKING_PAGEFILE;
        address->pagefile = given ? 1 : 2;
        address->off = va;
        address->vad = 0x81234560;
        address->pte_count = 1;
        address->pte[0] = (struct stasis_pte){
                .va = 0xe1001230, .pa = 0x1230, .value = 0x120, .form = "_MMPTE_SOFTWARE", .member_count = 1
        };
        address->pte[0].member[0].name = "PageFileHigh";
        address->pte[0].member[0].value = va >> 12;
}

void stasis_space_examine(struct stasis_space *space, uint64_t va, struct stasis_address *ret_address)
{
        uint64_t off;
        *ret_address = (struct stasis_address){ .verdict = STASIS_VERDICT_NOT_PRESENT, .pa = STASIS_NOWHERE };
        ret_address->status = stasis_space_walk(space, va, &ret_address->walk);
        switch (ret_address->status) {
        case STASIS_OK:
                ret_address->pa = ret_address->walk.pa;
                ret_address->verdict = STASIS_VERDICT_PRESENT;
                if (stasis_image_offset(NULL, ret_address->pa, &off) == STASIS_OK)
                        return;
                ret_address->verdict = STASIS_VERDICT_NOT_CAPTURED;
                ret_address->status = STASIS_IO;
                return;
        case STASIS_IO: ret_address->verdict = STASIS_VERDICT_NOT_CAPTURED; return;
        case STASIS_CORRUPT: ret_address->verdict = STASIS_VERDICT_INVALID; return;
        default: break;
        }
        if (va >> 14 == 0x20 >> 2)
                examine_paged_out(va, ret_address);
}

enum stasis_status stasis_space_read(struct stasis_space *space, uint64_t va, void *buf, size_t len)
{
        (void)space;
        if (va >> 12 != 0x20)
                return STASIS_ABSENT;
        memset(buf, 'P', len);
        return STASIS_OK;
}

/* ---- facts */

static const struct stasis_name states[] = { { "Ready", 1, 0, 0 }, { "Waiting", 5, 0, 0 } };
static const struct stasis_name flags[] = { { "Terminated", 0, 0, 1 }, { "Priority", 0, 1, 3 }, { "Last", 0, 63, 1 } };

#define COLUMN(k, t, g, as) .key = (k), .title = (t), .group = (g), .help = "", .kind = STASIS_KIND_##as

/* What the rows of a list have, and the list itself: its last fact is absent, and was read. */
static const struct stasis_column wait_columns[] = {
        { COLUMN("object", "Object", "", ADDRESS) },
        { COLUMN("type", "Type", "", ENUM) },
        { COLUMN("key", "Key", "", NUMBER) },
};
#define WAIT_COLUMNS (sizeof(wait_columns) / sizeof(wait_columns[0]))

static const struct stasis_column thread_columns[] = {
        { COLUMN("object", "Object", "identity", ADDRESS) },
        { COLUMN("object_pa", "Object, physical", "identity", PHYSICAL) },
        { COLUMN("pid", "Process id", "identity", NUMBER), .member = "_ETHREAD.Cid.UniqueProcess" },
        { COLUMN("tid", "Thread id", "identity", NUMBER), .member = "_ETHREAD.Cid.UniqueThread" },
        { COLUMN("process", "Process", "identity", TEXT) },
        { COLUMN("sources", "Seen by", "identity", TEXTS) },
        { COLUMN("state", "State", "scheduling", ENUM), .member = "_KTHREAD.State", .names = states, .name_count = 2 },
        { COLUMN("wait_reason", "Wait reason", "scheduling", ENUM), .member = "_KTHREAD.WaitReason" },
        { COLUMN("priority", "Priority", "scheduling", SIGNED), .member = "_KTHREAD.Priority" },
        { COLUMN("alertable", "Alertable", "scheduling", BOOL), .member = "_KTHREAD.Alertable" },
        { COLUMN("exit_status", "Exit status", "life", HEX), .member = "_ETHREAD.ExitStatus" },
        { COLUMN("create_time", "Created", "life", TIME), .member = "_ETHREAD.CreateTime" },
        { COLUMN("flags", "Flags", "life", FLAGS), .member = "_ETHREAD.CrossThreadFlags", .names = flags,
          .name_count = 3 },
        { COLUMN("start_address", "Start address", "start", CODE), .member = "_ETHREAD.StartAddress" },
        { COLUMN("win32_start_address", "Win32 start address", "start", CODE) },
        { COLUMN("teb", "TEB", "TEB", ADDRESS), .member = "_KTHREAD.Teb" },
        { COLUMN("stack_base", "Stack base", "stacks", ADDRESS), .member = "_KTHREAD.StackBase" },
        { COLUMN("waits", "Waits", "stacks", LIST) },
        { COLUMN("stack", "Kernel stack", "stacks", STACK) },
        { COLUMN("user_stack", "User stack", "stacks", STACK) },
        { COLUMN("hidden", "Hidden", "identity", TEXT) },
        { COLUMN("unseen_by", "Unseen by", "identity", TEXTS) },
};

#define THREAD_COLUMNS (sizeof(thread_columns) / sizeof(thread_columns[0]))
/* The last four are there where the case says so. */
static size_t thread_columns_here(void) { return THREAD_COLUMNS - (double_case.ways ? 0 : double_case.stacks ? 2 : 4); }
#define DERIVED STASIS_NOWHERE, STASIS_NOWHERE
/* A fact of physical memory, or of none. */
#define FACT(...) \
        { \
                __VA_ARGS__, 0, 0, 0, { NULL } \
        }

static struct stasis_fact thread_facts[THREAD_COLUMNS];
static const struct stasis_fact wait_facts[2 * WAIT_COLUMNS] = {
        FACT(0x81111110, 0, 0x81230300, 0x1300, NULL, 0, 0),
        FACT(2, 0, DERIVED, "Mutant", 0, 0),
        FACT(1, 0, DERIVED, NULL, 0, 0),
        FACT(0x82222220, 0, 0x81230318, 0x1318, NULL, 0, 0),
        FACT(5, 0, DERIVED, "Semaphore", 0, 0),
        FACT(0, 0, 0x8123031c, 0x6000, NULL, STASIS_PAGED_OUT, 0),
};
static const struct stasis_list waits = { wait_columns, WAIT_COLUMNS, wait_facts, 2 };
static const struct stasis_frame kernel_frames[] = {
        { .pc = 0x80401010,
          .sp = 0xf8001000,
          .slot = STASIS_NOWHERE,
          .module = "nt",
          .symbol = "Swap",
          .offset = 0x10 },
        { .pc = 0x80402020,
          .sp = 0xf8001010,
          .slot = 0xf800100c,
          .module = "nt",
          .symbol = "Wait",
          .offset = 0x20,
          .how = STASIS_HOW_SCAN },
};
/* The same place of a library that lies elsewhere in another process. */
static const struct stasis_frame user_frames[] = {
        { .pc = 0x77001004, .slot = STASIS_NOWHERE, .module = "ntdll", .symbol = "Wait", .offset = 4 },
        { .pc = 0x76001004, .slot = STASIS_NOWHERE, .module = "ntdll", .symbol = "Wait", .offset = 4 },
};

static void decode_thread(size_t i)
{
        struct stasis_fact facts[THREAD_COLUMNS] = {
                FACT(0x81230000 + i * 0x400, 0, DERIVED, NULL, 0, 0),
                FACT(0x1230000 + i * 0x400, 0, DERIVED, NULL, 0, 0),
                FACT(i < 2 ? 4 : 264, 0, 0x812301ec, 0x11ec, NULL, 0, STASIS_ORIGIN_LINK),
                FACT(8 + 4 * i, 0, 0x812301f0, 0x11f0, NULL, 0, STASIS_ORIGIN_LINK),
                FACT(0, 0, DERIVED, i == 0 ? double_case.process : "System", 0, 0),
                FACT(0, 0, DERIVED, double_case.ways && i == 1 ? "cid-table" : "process-list\ncid-table", 0, 0),
                FACT(i == 1 ? 1 : 5, 0, 0x8123002d, 0x102d, i == 1 ? "Ready" : "Waiting", 0, STASIS_ORIGIN_LINK),
                FACT(6, 0, 0x8123002e, 0x102e, "UserRequest", 0, STASIS_ORIGIN_LINK),
                FACT((uint64_t)(i == 1 ? -15 : 9), 0, 0x81230033, 0x1033, NULL, 0, 0),
                FACT(i == 1, 0, 0x81230164, 0x1164, NULL, 0, 0),
                FACT(0x103, 0, 0x81230240, 0x6000, NULL, 0, 0),
                FACT(UINT64_C(127487088001234567), 0, 0x812301c0, 0x11c0, NULL, 0, 0),
                FACT(i == 1 ? UINT64_C(0x800000000000000b) : 0, 0, 0x81230248, 0x1248, NULL, 0, 0),
                FACT(0x804d9000, 0x2000, 0x81230224, 0x1224, "nt", 0, 0),
                FACT(i == 2 ? 0 : 0x7c810659, 0, 0x81230228, 0x1228, NULL, 0, 0),
                FACT(0, 0, DERIVED, NULL, STASIS_NOT_APPLICABLE, 0),
                FACT(0, 0, 0x81230168, STASIS_NOWHERE, NULL, STASIS_PAGED_OUT, 0),
                FACT(2, 0, DERIVED, NULL, i == 1 ? 0 : STASIS_NOT_APPLICABLE, 0),
                FACT(2, 0, DERIVED, "nt!Swap+0x10 (register)\nnt!Wait+0x20 (scan)", i == 1 ? STASIS_NOT_IN_IMAGE : 0,
                     0),
                FACT(1, 0, DERIVED, "nt\033dll!Wait+0x4 (register)", i == 1 ? STASIS_NOT_APPLICABLE : 0, 0),
                FACT(0, 0, DERIVED, i == 1 ? "cid-only" : NULL, i == 1 ? 0 : STASIS_NOT_APPLICABLE, 0),
                FACT(0, 0, DERIVED, i == 1 ? "process-list" : NULL, i == 1 ? 0 : STASIS_NOT_APPLICABLE, 0),
        };
        facts[THREAD_COLUMNS - 5].list = &waits;
        memcpy(thread_facts, facts, sizeof(facts));
        thread_facts[THREAD_COLUMNS - 4].frame = kernel_frames;
        thread_facts[THREAD_COLUMNS - 3].frame = &user_frames[i == 2];
}

static const struct stasis_column other_columns[] = {
        { COLUMN("base", "Base", "module", ADDRESS) },
        { COLUMN("name", "Name", "module", TEXT) },
};
static const struct stasis_fact other_facts[] = {
        FACT(0x804d7000, 0, DERIVED, NULL, 0, 0),
        FACT(0, 0, DERIVED, "ntoskrnl.exe", 0, 0),
};
static const struct stasis_column system_columns[] = {
        { COLUMN("name", "System", "system", TEXT) },
        { COLUMN("build", "Build", "system", NUMBER) },
        { COLUMN("kernel_base", "Kernel base", "system", ADDRESS) },
};
static const struct stasis_fact system_facts[] = {
        FACT(0, 0, DERIVED, "Windows XP", 0, 0),
        FACT(2600, 0, 0xffdf0000, 0x1000, NULL, 0, 0),
        FACT(0, 0, DERIVED, NULL, STASIS_NOT_KNOWN, 0),
};

const char *stasis_absence_name(enum stasis_absence absence)
{
        static const char *const names[] = { "present",       "not in this version", "not in this image", "paged out",
                                             "contradictory", "not applicable",      "not known",         "demand zero",
                                             "compressed",    "in a mapped file",    "not mapped" };
        return names[absence];
}

size_t stasis_fact_text(const struct stasis_column *column, const struct stasis_fact *fact, char *buf, size_t len)
{
        if (fact->absence)
                return (size_t)snprintf(buf, len, "<%s>", stasis_absence_name(fact->absence));
        if (column->kind == STASIS_KIND_LIST)
                return (size_t)snprintf(buf, len, "object 0x%llx", (unsigned long long)fact->list->fact->value);
        if (fact->text)
                return (size_t)snprintf(buf, len, "%s", fact->text);
        return (size_t)snprintf(buf, len, column->kind == STASIS_KIND_NUMBER ? "%llu" : "0x%llx",
                                (unsigned long long)fact->value);
}

const struct stasis_fact *stasis_record_fact(const struct stasis_record *record, const char *key)
{
        for (size_t i = 0; i < record->count; i++)
                if (strcmp(record->column[i].key, key) == 0)
                        return &record->fact[i];
        return NULL;
}

/* ---- the system */

struct stasis_system {
        bool failed;
};

enum stasis_status stasis_system_open(const struct stasis_image *image, const struct stasis_system_options *options,
                                      struct stasis_system **ret_system, struct stasis_error *err)
{
        (void)image;
        struct stasis_system *system = calloc(1, sizeof(*system));
        if (!system)
                abort();
        snprintf(double_case.layout, sizeof(double_case.layout), "%s",
                 options->infer_layout  ? "(inferred)"
                 : options->layout_path ? options->layout_path
                                        : "");
        double_case.symbols[0] = '\0';
        for (size_t i = 0; i < options->symbol_count; i++) {
                size_t len = strlen(double_case.symbols);
                snprintf(double_case.symbols + len, sizeof(double_case.symbols) - len, "%s%s", len ? "|" : "",
                         options->symbols[i]);
        }
        double_case.pagefiles[0] = '\0';
        for (size_t i = 0; i < options->pagefile_count; i++) {
                size_t len = strlen(double_case.pagefiles);
                snprintf(double_case.pagefiles + len, sizeof(double_case.pagefiles) - len, "%s%u=%s", len ? "|" : "",
                         options->pagefile[i].number, options->pagefile[i].path);
        }
        *ret_system = system;
        system->failed = double_case.system != STASIS_OK;
        return system->failed ? fail(err, double_case.system, "no Windows kernel was found") : STASIS_OK;
}

void stasis_system_close(struct stasis_system *system) { free(system); }

const struct stasis_record *stasis_system_facts(const struct stasis_system *system)
{
        static const struct stasis_record record = { 0, 0, system_columns, system_facts, 3 };

        if (system->failed)
                abort(); /* the contract: only trace and notes may be asked */
        return &record;
}

const struct stasis_trace *stasis_system_trace(const struct stasis_system *system, size_t *ret_count)
{
        static const struct stasis_trace trace[] = { { "root", "low stub: nothing in the first MiB", false },
                                                     { "root", "self-map: 0x39000", true } };
        (void)system;
        *ret_count = 2;
        return trace;
}

const struct stasis_inference *stasis_system_inferred(const struct stasis_system *system, size_t *ret_count)
{
        static const struct stasis_inference inference[] = {
                { "_KTHREAD.Teb", "found", "NtTib.Self", 0xa8, 0, 40, 41, true },
                { "_KTHREAD.State", "ambiguous", "in range", 0x68, 0x6c, 0, 0, false },
                { "_KTHREAD.WaitReason", "thin", "in range", 0, 0, 0, 0, false },
        };
        (void)system;
        *ret_count = 3;
        return inference;
}

const struct stasis_note *stasis_system_notes(const struct stasis_system *system, size_t *ret_count)
{
        static struct stasis_note note = {
                STASIS_NOTE_INFO, "list-torn", "the list \x1b[2J is torn", 0x81230000, 4, -1
        };

        (void)system;
        note.severity = double_case.severity;
        *ret_count = double_case.noted ? 1 : 0;
        return &note;
}

enum stasis_status stasis_system_count(struct stasis_system *system, enum stasis_what what, size_t *ret_count,
                                       struct stasis_error *err)
{
        (void)system;
        (void)err;
        *ret_count = what == STASIS_THREADS ? double_case.thread_count : 1;
        return STASIS_OK;
}

static const struct stasis_record *thread_record(size_t index)
{
        static struct stasis_record record = { STASIS_THREADS, 0, thread_columns, thread_facts, THREAD_COLUMNS };

        decode_thread(index);
        record.object = thread_facts[0].value;
        record.count = thread_columns_here();
        return &record;
}

enum stasis_status stasis_system_record(struct stasis_system *system, enum stasis_what what, size_t index,
                                        const struct stasis_record **ret_record, struct stasis_error *err)
{
        static const struct stasis_record record = { STASIS_MODULES, 0x804d7000, other_columns, other_facts, 2 };

        (void)system;
        (void)err;
        *ret_record = what == STASIS_THREADS ? thread_record(index) : &record;
        return STASIS_OK;
}

void stasis_system_choose(struct stasis_system *system, enum stasis_what what, const char *const *keys, size_t count)
{
        (void)system;
        (void)what;
        (void)keys;
        (void)count;
}

/*
 * Thread 0 waits for thread 1 alone and for a time, and thread 1 for thread 0: a deadlock; thread 2 for thread 0, or
 * for something else.
 */
enum stasis_status stasis_system_waits(struct stasis_system *system, const struct stasis_waits **ret_waits,
                                       struct stasis_error *err)
{
        static const size_t owner[] = { 1, 0 };
        static const struct stasis_wait wait[] = {
                { .thread = 0,
                  .object = 0x81111110,
                  .what = "object",
                  .kind = "MutantObject",
                  .type = "Mutant",
                  .name = "\\a\"\x1b",
                  .from = "_KMUTANT.OwnerThread",
                  .owner = &owner[0],
                  .owner_count = 1,
                  .process = SIZE_MAX,
                  .alone = true,
                  .timed = true },
                { .thread = 1,
                  .object = 0x82222220,
                  .what = "resource, shared",
                  .container = 0x83333330,
                  .owner = &owner[1],
                  .owner_count = 1,
                  .process = SIZE_MAX,
                  .alone = true },
                { .thread = 2,
                  .object = 0x81230000,
                  .what = "object",
                  .kind = "ThreadObject",
                  .owner = &owner[1],
                  .owner_count = 1,
                  .process = SIZE_MAX },
        };
        static const struct stasis_wait_step cycle[] = { { 0, 0, 0 }, { 1, 0, 1 } },
                                             steps[] = { { 2, 0, 2 }, { 0, 0, SIZE_MAX } };
        static const size_t both[] = { 0, 1 };
        static const struct stasis_deadlock deadlock = { cycle, 2, both, 2, true };
        static const struct stasis_wait_chain chain = { steps, 2, 3, 0, SIZE_MAX };
        static const struct stasis_waits all = { wait, 3, &chain, 1, &deadlock, 1, 3, false };

        (void)system;
        if (double_case.stacks) { /* as of a system that does not keep it */
                if (err)
                        snprintf(err->text, sizeof(err->text), "it does not keep who holds what");
                if (err)
                        err->status = STASIS_UNSUPPORTED;
                return STASIS_UNSUPPORTED;
        }
        *ret_waits = &all;
        return STASIS_OK;
}

const struct stasis_column *stasis_system_columns(struct stasis_system *system, enum stasis_what what,
                                                  size_t *ret_count)
{
        (void)system;
        *ret_count = what == STASIS_THREADS ? thread_columns_here() : 2;
        return what == STASIS_THREADS ? thread_columns : other_columns;
}

const char *stasis_os_name_at(size_t index, const char **ret_title)
{
        *ret_title = "Double";
        return index == 0 ? "double" : NULL;
}

const struct stasis_column *stasis_column_at(const char *os, enum stasis_what what, size_t index)
{
        (void)os;
        if (what != STASIS_THREADS)
                return index < 2 ? &other_columns[index] : NULL;
        return index < thread_columns_here() ? &thread_columns[index] : NULL;
}

enum stasis_status stasis_system_module_debug(struct stasis_system *system, size_t index,
                                              struct stasis_debug *ret_debug, struct stasis_error *err)
{
        (void)system;
        (void)index;
        (void)err;
        *ret_debug = (struct stasis_debug){ .pdb = "nt.pdb",
                                            .known = !double_case.gap,
                                            .guid = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
                                            .age = 0x1b,
                                            .found = double_case.symbols[0] ? double_case.symbols : NULL,
                                            .why = double_case.gap ? "its record, \"RSDS\", is gone" : NULL };
        return STASIS_OK;
}

enum stasis_status stasis_system_modules_of(struct stasis_system *system, uint64_t pid, struct stasis_error *err)
{
        (void)system;
        return pid == 4 ? STASIS_OK : fail(err, STASIS_ABSENT, "there is no process of that id");
}

enum stasis_status stasis_system_thread_at(struct stasis_system *system, uint64_t object,
                                           const struct stasis_record **ret_record, struct stasis_error *err)
{
        (void)system;
        if (object != 0x81230400)
                return fail(err, STASIS_ABSENT, "there is no thread object");
        *ret_record = thread_record(1);
        return STASIS_OK;
}

const struct stasis_unloaded *stasis_system_unloaded(struct stasis_system *system, size_t *ret_count)
{
        static const struct stasis_unloaded gone[] = {
                { "gone.sys", 0xf8a00000, 0xf8a08000, 127277784000000000, 0x81240000, 0x1240000 },
                { NULL, 0xf8b00000, 0xf8b01000, 0, STASIS_NOWHERE, STASIS_NOWHERE },
        };
        (void)system;
        *ret_count = 2;
        return gone;
}

const struct stasis_source *stasis_system_sources(struct stasis_system *system, size_t *ret_count)
{
        static const struct stasis_source source[] = {
                { "process-list", "LST", "the process's list of threads", NULL, 3 },
                { "cid-table", "CID", "PspCidTable, by its id", "not found", 0 },
        };
        static const struct stasis_source ways[] = {
                { "process-list", "LST", "the process's list of threads", NULL, 2 },
                { "cid-table", "CID", "PspCidTable, by its id", NULL, 3 },
                { "cid", "XYZ", "its name is the beginning of another's", NULL, 0 },
                { "pool-scan", "TAG", "the tag of its block", "not asked for", 0 },
        };

        (void)system;
        *ret_count = double_case.ways ? sizeof(ways) / sizeof(ways[0]) : sizeof(source) / sizeof(source[0]);
        return double_case.ways ? ways : source;
}

const struct stasis_processor *stasis_system_processors(struct stasis_system *system, size_t *ret_count)
{
        static const struct stasis_processor processor[] = {
                { 0, 0xffdff120, 0x81230400, 0, 0x80551d80 },
        };
        (void)system;
        *ret_count = 1;
        return processor;
}

/* One in the kernel, one in a process; a third page that nobody maps. */
static bool tell_all(const uint64_t *pa, size_t count, stasis_found *found, void *ctx, int64_t pid)
{
        struct stasis_mapping m = { .kernel = pid < 0, .pid = pid, .process = pid < 0 ? NULL : "a.exe" };
        for (size_t i = 0; i < count; i++) {
                m.walk = (struct stasis_walk){ .va = pid < 0 ? 0x80000000 : 0x10000, .pa = pa[i], .page_size = 4096 };
                if (pa[i] < 0x100000 && !found(ctx, &m))
                        return false;
        }
        return true;
}

enum stasis_status stasis_space_reverse(struct stasis_space *space, const uint64_t *pa, size_t count,
                                        stasis_found *found, void *ctx, uint64_t *ret_unreadable)
{
        (void)space;
        (void)tell_all(pa, count, found, ctx, 4);
        *ret_unreadable = 1;
        return STASIS_OK;
}

enum stasis_status stasis_system_reverse(struct stasis_system *system, const uint64_t *pid, const uint64_t *pa,
                                         size_t count, stasis_found *found, void *ctx, uint64_t *ret_unreadable,
                                         struct stasis_error *err)
{
        (void)system;
        (void)err;
        if (pid || tell_all(pa, count, found, ctx, -1))
                (void)tell_all(pa, count, found, ctx, 4);
        *ret_unreadable = 0;
        return STASIS_OK;
}

struct stasis_space *stasis_system_space(struct stasis_system *system)
{
        if (system->failed)
                abort();
        return &kernel_space;
}

enum stasis_status stasis_system_process_space(struct stasis_system *system, uint64_t pid,
                                               struct stasis_space **ret_space, struct stasis_error *err)
{
        (void)system;
        if (pid != 264)
                return fail(err, STASIS_ABSENT, "there is no process of that id");
        *ret_space = &process_space;
        return STASIS_OK;
}
