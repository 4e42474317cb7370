/* SPDX-License-Identifier: MIT */
/*
 * bench-scan FILE: the scan of physical memory for threads against summing the same file's bytes from a mapping, both
 * in as many threads as this process may use, in turn. FILE is made where it is not there: 1 GiB without holes, of zero
 * pages, random ones, pointers and small numbers. Prints the rates and their ratio; exit status 1 where it is below
 * 0.8.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../os/windows/scan.h"
#include "../os/windows/thread_shape.h"

#define LEN (UINT64_C(1) << 30)
#define ROUNDS 9
#define JOBS_MAX 64
#define RATIO_MIN 0.8

static double now(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static unsigned cpus(void)
{
        cpu_set_t set;
        unsigned count = sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
        return count < JOBS_MAX ? count : JOBS_MAX;
}

/* ---------------------------------------------------------------- the file */

static void fill(uint64_t *page, uint64_t number, uint64_t *state)
{
        for (size_t i = 0; i < 512; i++) {
                *state ^= *state << 13;
                *state ^= *state >> 7;
                *state ^= *state << 17;
                page[i] = number % 4 == 0   ? 0
                          : number % 4 == 1 ? *state
                          : number % 4 == 2 ? UINT64_C(0xffffc60000000000) | (*state & 0xfffffff0)
                                            : *state & 0xff;
        }
}

static bool make(const char *path)
{
        uint64_t page[512], state = 88172645463325252u;
        if (access(path, R_OK) == 0)
                return true;
        FILE *f = fopen(path, "wb");
        bool ok = f != NULL;
        for (uint64_t n = 0; ok && n < LEN / sizeof page; n++) {
                fill(page, n, &state);
                ok = fwrite(page, sizeof page, 1, f) == 1;
        }
        return f && fclose(f) == 0 && ok;
}

/* ---------------------------------------------------------------- the sum */

struct sum {
        const uint8_t *at;
        uint64_t len;
        atomic_size_t next;
        atomic_uint_fast64_t total;
};

static void *sum_pieces(void *ctx)
{
        struct sum *s = ctx;
        uint64_t total = 0;
        for (;;) {
                uint64_t from = (uint64_t)atomic_fetch_add(&s->next, 1) * SCAN_PIECE;
                if (from >= s->len)
                        break;
                uint64_t len = s->len - from < SCAN_PIECE ? s->len - from : SCAN_PIECE;
                const uint64_t *word = (const uint64_t *)(const void *)(s->at + from);
                for (uint64_t i = 0; i < len / 8; i++)
                        total += word[i];
        }
        atomic_fetch_add(&s->total, total);
        return NULL;
}

static double sum_file(const char *path, unsigned jobs)
{
        pthread_t thread[JOBS_MAX];
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
        double start = now();
        void *at = size > 0 ? mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
        if (at == MAP_FAILED)
                return 0;
        struct sum s = { .at = at, .len = (uint64_t)size };
        for (unsigned i = 1; i < jobs; i++)
                if (pthread_create(&thread[i], NULL, sum_pieces, &s) != 0)
                        return 0;
        sum_pieces(&s);
        for (unsigned i = 1; i < jobs; i++)
                pthread_join(thread[i], NULL);
        double took = now() - start;
        munmap(at, (size_t)size);
        close(fd);
        return (double)size / took;
}

/* ---------------------------------------------------------------- the scan */

static bool accept(const void *ctx, uint32_t pattern, struct stasis_bytes page, size_t at, struct scan_hit *hit)
{
        const struct thread_shape *shape = ctx;
        if (pattern == 1)
                return true;
        struct shape_score score = thread_shape_score(shape, (struct stasis_bytes){ page.at + at, page.len - at },
                                                      (uint32_t)(hit->pa & 0xfff));
        return !score.refused && score.bits >= SHAPE_BITS_PAGE_64;
}

static double scan_file(const char *path, unsigned jobs, size_t *ret_hits)
{
        struct stasis_error err;
        struct stasis_image *image;
        struct thread_shape shape;
        struct scan_result result;
        struct stasis_image_options options = { .format = "raw" };
        thread_shape_bind(stasis_layout_by_name("10.0.19041.1237-x64"), UINT64_C(0xffff800000000000), &shape);
        double start = now();
        if (stasis_image_open(path, &options, &image, &err) != STASIS_OK)
                return 0;
        struct scan scan = { .image = image,
                             .align = shape.align,
                             .pattern = { { SHAPE_HEADER_MASK, SHAPE_HEADER },
                                          { UINT64_C(0x7fffffff) << 32, UINT64_C(0x65726854) << 32 } },
                             .accept = accept,
                             .ctx = &shape,
                             .jobs = jobs };
        bool ok = scan_run(&scan, &result) == STASIS_OK;
        double took = now() - start;
        stasis_image_close(image);
        if (!ok)
                return 0;
        *ret_hits = result.count;
        free(result.hit);
        return (double)result.bytes / took;
}

static int by_value(const void *a, const void *b)
{
        return (*(const double *)a > *(const double *)b) - (*(const double *)a < *(const double *)b);
}

static double median(double *value)
{
        qsort(value, ROUNDS, sizeof *value, by_value);
        return value[ROUNDS / 2];
}

int main(int argc, char **argv)
{
        double sum[ROUNDS], scan[ROUNDS], ratio[ROUNDS];
        size_t hits = 0;
        if (argc != 2 || !make(argv[1])) {
                fprintf(stderr, "bench-scan FILE: cannot be made\n");
                return 2;
        }
        unsigned jobs = cpus();
        (void)sum_file(argv[1], jobs);     /* the page cache is warm for both */
        for (int i = 0; i < ROUNDS; i++) { /* interleaved, so that a slow moment of the machine meets both */
                sum[i] = sum_file(argv[1], jobs);
                scan[i] = scan_file(argv[1], jobs, &hits);
                if (sum[i] <= 0 || scan[i] <= 0)
                        return 2;
                ratio[i] = scan[i] / sum[i];
        }
        double middle = median(ratio);
        printf("scan for threads: %u threads, %.2f GB/s summed, %.2f GB/s scanned: ratio %.2f (at least %.2f), %zu "
               "hits\n",
               jobs, median(sum) / 1e9, median(scan) / 1e9, middle, RATIO_MIN, hits);
        return middle >= RATIO_MIN ? 0 : 1;
}
