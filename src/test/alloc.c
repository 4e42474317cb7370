/* SPDX-License-Identifier: MIT */
/*
 * The twin in which memory and pages run out: alloc IMAGE... does a whole piece of work (open, find the system, decode
 * every record) again and again, with the n-th allocation failing, then with every one from the n-th on, then with the
 * n-th read of the image failing, then with one page missing all the time. Nothing may crash or leak (the developer
 * build has ASan), and what is said must be sane: exhausted memory is never reported as a broken image.
 *
 * The linker's --wrap puts the functions below between the library and the real ones; see src/test/meson.build.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <stasis/stasis.h>

#define SECONDS 5 /* for each image and each way of failing */
#define PAGES_MAX (1 << 20)

enum way { WAY_NONE, WAY_ALLOC, WAY_ALLOC_ON, WAY_READ, WAY_PAGE, WAY_COUNT };
static const char *const way_name[] = { "nothing fails", "one allocation fails", "all allocations from one on fail",
                                        "one read fails", "one page is missing" };

static enum way way;
static size_t allocs, reads, nth; /* nth: 1.. for allocations and reads, a page number for WAY_PAGE */
static bool struck;               /* whether something was made to fail */
static uint8_t seen_page[PAGES_MAX / 8];

static bool strike(bool now)
{
        struck |= now;
        return now;
}

static bool alloc_fails(void)
{
        allocs++;
        return strike((way == WAY_ALLOC && allocs == nth) || (way == WAY_ALLOC_ON && allocs >= nth));
}

static bool read_fails(uint64_t pa, size_t len)
{
        uint64_t page = pa >> 12, last = (pa + (len ? len - 1 : 0)) >> 12;
        reads++;
        for (uint64_t p = page; way == WAY_NONE && p <= last && p < PAGES_MAX && p < page + 4; p++)
                seen_page[p / 8] |= (uint8_t)(1u << p % 8);
        return strike((way == WAY_READ && reads == nth) || (way == WAY_PAGE && page <= nth && nth <= last));
}

/* ---- between the library and the C library */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t count, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
void *__real_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t count, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);

static bool no_memory(void)
{
        if (!alloc_fails())
                return false;
        errno = ENOMEM;
        return true;
}

void *__wrap_malloc(size_t size) { return no_memory() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t count, size_t size) { return no_memory() ? NULL : __real_calloc(count, size); }
void *__wrap_realloc(void *old, size_t size) { return no_memory() ? NULL : __real_realloc(old, size); }
void *__wrap_reallocarray(void *old, size_t count, size_t size)
{
        return no_memory() ? NULL : __real_reallocarray(old, count, size);
}
char *__wrap_strdup(const char *text) { return no_memory() ? NULL : __real_strdup(text); }
char *__wrap_strndup(const char *text, size_t len) { return no_memory() ? NULL : __real_strndup(text, len); }
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off)
{
        return no_memory() ? MAP_FAILED : __real_mmap(at, len, prot, flags, fd, off);
}

/* ---- between the layers and the image */

enum stasis_status __real_stasis_image_read(const struct stasis_image *image, uint64_t pa, void *buf, size_t len);
struct stasis_bytes __real_stasis_image_view(const struct stasis_image *image, uint64_t pa, size_t len);
enum stasis_status __wrap_stasis_image_read(const struct stasis_image *image, uint64_t pa, void *buf, size_t len);
struct stasis_bytes __wrap_stasis_image_view(const struct stasis_image *image, uint64_t pa, size_t len);

enum stasis_status __wrap_stasis_image_read(const struct stasis_image *image, uint64_t pa, void *buf, size_t len)
{
        return read_fails(pa, len) ? STASIS_ABSENT : __real_stasis_image_read(image, pa, buf, len);
}
struct stasis_bytes __wrap_stasis_image_view(const struct stasis_image *image, uint64_t pa, size_t len)
{
        return read_fails(pa, 1) ? (struct stasis_bytes){ 0 } : __real_stasis_image_view(image, pa, len);
}

/* ---- the work */

static int bad;

static void complain(const char *what, enum stasis_status status, const struct stasis_error *err)
{
        fprintf(stderr, "%s, %s %zu: %s: %s: %.255s\n", "alloc", way_name[way], nth, what, stasis_status_name(status),
                err->text);
        bad++;
}

/* Memory that ran out is out of memory, never a verdict about the image. */
static void judge(const char *what, enum stasis_status status, const struct stasis_error *err)
{
        bool memory = way == WAY_ALLOC || way == WAY_ALLOC_ON;
        if (status == STASIS_OK)
                return;
        if (memory ? status != STASIS_NOMEM : status == STASIS_NOMEM || status == STASIS_USAGE)
                complain(what, status, err);
        if (!memchr(err->text, 0, sizeof err->text) || !*err->text)
                complain("no error text", status, err);
        if (!struck)
                complain("failed without a cause", status, err);
}

static uint64_t decode_all(struct stasis_system *system, enum stasis_what what)
{
        struct stasis_error err = { 0 };
        const struct stasis_record *record;
        size_t count = 0;
        uint64_t present = 0;
        char text[512];
        enum stasis_status status = stasis_system_count(system, what, &count, &err);
        judge("count", status, &err);
        for (size_t i = 0; status == STASIS_OK && i < count; i++) {
                status = stasis_system_record(system, what, i, &record, &err);
                judge("record", status, &err);
                for (size_t k = 0; status == STASIS_OK && k < record->count; k++) {
                        present += record->fact[k].absence == STASIS_PRESENT;
                        stasis_fact_text(&record->column[k], &record->fact[k], text, sizeof text);
                }
        }
        return present;
}

static uint64_t work(const void *bytes, size_t len)
{
        struct stasis_error err = { 0 };
        struct stasis_image *image = NULL;
        struct stasis_system *system = NULL;
        uint64_t present = 0;
        size_t count;
        allocs = reads = 0;
        struck = false;
        enum stasis_status status = stasis_image_open_memory(bytes, len, "alloc", NULL, &image, &err);
        judge("image", status, &err);
        if (status != STASIS_OK)
                return 0;
        static const uint8_t page[4096];
        const struct stasis_pagefile pagefile = { .number = 0, .bytes = page, .len = sizeof page };
        const struct stasis_system_options options = { .pagefile = &pagefile, .pagefile_count = 1 };
        status = stasis_system_open(image, &options, &system, &err);
        judge("system", status, &err);
        if (system)
                stasis_system_trace(system, &count), stasis_system_notes(system, &count);
        for (int what = STASIS_PROCESSES; status == STASIS_OK && what <= STASIS_MODULES; what++)
                present += decode_all(system, (enum stasis_what)what);
        stasis_system_close(system);
        stasis_image_close(image);
        return present;
}

static double now(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* n = 1, 2, ... up to total; in larger and larger steps where all of them would take too long. */
static void every_nth(enum way how, const void *bytes, size_t len, size_t total)
{
        double start = now();
        size_t tried = 0;
        way = how;
        for (nth = 1; nth <= total + 1; tried++) {
                work(bytes, len);
                double each = (now() - start) / (double)(tried + 1), left = SECONDS - (now() - start);
                double steps = left > each ? left / each : 1;
                size_t step = (size_t)((double)(total - (nth < total ? nth : total)) / steps) + 1;
                nth += tried < 200 ? 1 : step; /* the first ones are where handles are half made */
                if (left < 0 && nth <= total)
                        nth = total + 1; /* the run in which nothing fails any more always comes */
        }
        printf("  %s: %zu of %zu tried\n", way_name[how], tried, total + 1);
}

static void every_page(const void *bytes, size_t len)
{
        double start = now();
        size_t tried = 0, total = 0, index = 0;
        for (size_t p = 0; p < PAGES_MAX; p++)
                total += (seen_page[p / 8] >> p % 8) & 1;
        way = WAY_PAGE;
        for (nth = 0; nth < PAGES_MAX; nth++) {
                if (!((seen_page[nth / 8] >> nth % 8) & 1))
                        continue;
                if ((now() - start) * (double)total > SECONDS * (double)index++)
                        if (index > 1)
                                continue; /* behind schedule: skip this one */
                work(bytes, len);
                tried++;
        }
        printf("  %s: %zu of %zu tried\n", way_name[WAY_PAGE], tried, total);
}

static int torture(const char *path)
{
        struct stasis_error err = { 0 };
        FILE *file = fopen(path, "rb");
        if (!file || fseek(file, 0, SEEK_END) < 0) {
                perror(path);
                return 1;
        }
        size_t len = (size_t)ftell(file);
        void *bytes = __real_mmap(NULL, len, PROT_READ, MAP_PRIVATE, fileno(file), 0);
        fclose(file);
        if (bytes == MAP_FAILED) {
                perror(path);
                return 1;
        }
        way = WAY_NONE;
        nth = 0;
        memset(seen_page, 0, sizeof seen_page);
        uint64_t present = work(bytes, len);
        printf("%s: %llu facts, %zu allocations, %zu reads\n", path, (unsigned long long)present, allocs, reads);
        if (present == 0)
                complain("nothing was decoded", STASIS_OK, &err);
        size_t all_allocs = allocs, all_reads = reads;
        every_nth(WAY_ALLOC, bytes, len, all_allocs);
        every_nth(WAY_ALLOC_ON, bytes, len, all_allocs);
        every_nth(WAY_READ, bytes, len, all_reads);
        every_page(bytes, len);
        munmap(bytes, len);
        return bad != 0;
}

int main(int argc, char **argv)
{
        int failed = argc < 2;
        for (int i = 1; i < argc; i++)
                failed |= torture(argv[i]);
        return failed;
}
