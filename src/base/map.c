/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"
#include "guard.h"
#include "map.h"

/*
 * One touch of a page that lies in the page cache maps its neighbours too (Linux' fault-around, 64 KiB by default;
 * MADV_RANDOM stops read-ahead from the disk and not this). Residency is therefore counted in such windows.
 */
enum { PAGE_SHIFT = 12, WINDOW_SHIFT = 16, WINDOWS_MAX = 256 /* 16 MiB */, READ_AHEAD = 64 << 10 };

static enum stasis_status size_of(int fd, const char *path, uint64_t *ret_size, struct stasis_error *err)
{
        struct stat st;
        if (fstat(fd, &st) < 0)
                return stasis_fail(err, STASIS_IO, "%s: %s", path, strerror(errno));
        switch (st.st_mode & S_IFMT) {
        case S_IFREG: *ret_size = (uint64_t)st.st_size; break;
        case S_IFBLK:
                if (ioctl(fd, BLKGETSIZE64, ret_size) < 0)
                        return stasis_fail(err, STASIS_IO, "%s: size of the device: %s", path, strerror(errno));
                break;
        case S_IFDIR: return stasis_fail(err, STASIS_IO, "%s: is a directory, not a memory image", path);
        case S_IFIFO:
                return stasis_fail(err, STASIS_IO, "%s: is a pipe; an image is read out of order: save it to a file",
                                   path);
        default: return stasis_fail(err, STASIS_IO, "%s: neither a file nor a block device", path);
        }
        if (*ret_size == 0)
                return stasis_fail(err, STASIS_CORRUPT, "%s: is empty", path);
        if (*ret_size > SIZE_MAX / 2)
                return stasis_fail(err, STASIS_LIMIT, "%s: too large for this system's address space", path);
        return STASIS_OK;
}

/* calloc of something large is fresh zero pages of the system: the tables cost what is touched of them. */
static bool make_tables(struct stasis_map *map, size_t len, bool owned)
{
        map->touched_len = ((len >> PAGE_SHIFT) / 64 + 1) * sizeof *map->touched;
        map->touched = calloc(map->touched_len, 1);
        map->window = owned ? calloc((len >> WINDOW_SHIFT) + 1, 1) : NULL;
        atomic_init(&map->touched_count, 0);
        atomic_init(&map->generation, 1);
        atomic_init(&map->fresh, 0);
        if (map->touched && (map->window || !owned))
                return true;
        free((void *)map->touched);
        free((void *)map->window);
        map->touched = NULL;
        map->window = NULL;
        return false;
}

enum stasis_status stasis_map_open_fd(int opened, const char *name, struct stasis_map *ret_map,
                                      struct stasis_error *err)
{
        _cleanup_fd_ int fd = opened;
        uint64_t size = 0;
        enum stasis_status status = size_of(fd, name, &size, err);
        if (status != STASIS_OK)
                return status;
        size_t len = (size_t)size;
        void *at = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
        if (at == MAP_FAILED)
                return stasis_fail(err, STASIS_IO, "%s: cannot be mapped: %s", name, strerror(errno));
        (void)madvise(at, len, MADV_RANDOM);
        if (!make_tables(ret_map, len, true)) {
                munmap(at, len);
                return stasis_fail(err, STASIS_NOMEM, "%s: out of memory", name);
        }
        ret_map->fd = fd;
        fd = -1; /* the map's now */
        ret_map->blocks = NULL;
        ret_map->whole = ret_map->bytes = (struct stasis_bytes){ at, len };
        ret_map->owned = true;
        return STASIS_OK;
}

enum stasis_status stasis_map_open(const char *path, struct stasis_map *ret_map, struct stasis_error *err)
{
        /* O_NONBLOCK: opening a pipe must not wait for a writer. */
        int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                return stasis_fail(err, STASIS_IO, "%s: %s", path, strerror(errno));
        return stasis_map_open_fd(fd, path, ret_map, err);
}

enum stasis_status stasis_map_narrow(struct stasis_map *map, uint64_t off, uint64_t len, struct stasis_error *err)
{
        void *touched = (void *)map->touched, *window = (void *)map->window;
        if (!make_tables(map, (size_t)len, map->owned)) {
                map->touched = touched;
                map->window = window;
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        }
        free(touched);
        free(window);
        map->bytes = (struct stasis_bytes){ map->bytes.at + off, (size_t)len };
        return STASIS_OK;
}

enum stasis_status stasis_map_open_blocks(const struct stasis_map *map, uint64_t limit, struct blocks **ret_blocks,
                                          struct stasis_error *err)
{
        if (!map->owned)
                return stasis_fail(err, STASIS_ABSENT, "it is in memory");
        enum stasis_status status =
                blocks_open(map->fd, (uint64_t)(map->bytes.at - map->whole.at), map->bytes, limit, ret_blocks, err);
        stasis_map_release(map);
        return status;
}

enum stasis_status stasis_map_use_blocks(struct stasis_map *map, struct blocks *blocks, struct stasis_error *err)
{
        void *touched = (void *)map->touched, *window = (void *)map->window;
        if (!make_tables(map, (size_t)blocks_len(blocks), false)) {
                map->touched = touched;
                map->window = window;
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        }
        free(touched);
        free(window);
        map->blocks = blocks;
        map->bytes = (struct stasis_bytes){ NULL, (size_t)blocks_len(blocks) };
        return STASIS_OK;
}

void stasis_map_release(const struct stasis_map *map)
{
        if (map->owned)
                (void)madvise((void *)map->whole.at, map->whole.len, MADV_DONTNEED);
}

enum stasis_status stasis_map_borrow(const void *bytes, size_t len, struct stasis_map *ret_map,
                                     struct stasis_error *err)
{
        if (!bytes || len == 0)
                return stasis_fail(err, STASIS_CORRUPT, "is empty");
        if (!make_tables(ret_map, len, false))
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        ret_map->bytes = (struct stasis_bytes){ bytes, len };
        ret_map->owned = false;
        ret_map->fd = -1;
        ret_map->blocks = NULL;
        return STASIS_OK;
}

void stasis_map_close(struct stasis_map *map)
{
        if (map->owned && map->whole.at) {
                munmap((void *)map->whole.at, map->whole.len);
                close(map->fd);
        }
        blocks_close(map->blocks);
        free((void *)map->touched);
        free((void *)map->window);
        memset(map, 0, sizeof *map);
}

static void count_page(struct stasis_map *map, uint64_t page)
{
        _Atomic uint64_t *word = &map->touched[page / 64];
        uint64_t bit = UINT64_C(1) << page % 64;
        if (atomic_load_explicit(word, memory_order_relaxed) & bit)
                return;
        if (!(atomic_fetch_or_explicit(word, bit, memory_order_relaxed) & bit))
                atomic_fetch_add_explicit(&map->touched_count, 1, memory_order_relaxed);
}

/*
 * Threads may race here: then a window is counted twice or not at all, which moves the moment of the release a little
 * and nothing else. A thread that reads while another one releases faults the page in again.
 */
static void count_window(struct stasis_map *map, uint64_t window)
{
        uint8_t now = atomic_load_explicit(&map->generation, memory_order_relaxed);
        if (atomic_load_explicit(&map->window[window], memory_order_relaxed) == now)
                return;
        atomic_store_explicit(&map->window[window], now, memory_order_relaxed);
        if (atomic_fetch_add_explicit(&map->fresh, 1, memory_order_relaxed) + 1 != WINDOWS_MAX)
                return;
        stasis_map_release(map);
        uint8_t next = now == UINT8_MAX ? 1 : (uint8_t)(now + 1);
        atomic_store_explicit(&map->window[window], next, memory_order_relaxed);
        atomic_store_explicit(&map->generation, next, memory_order_relaxed);
        atomic_store_explicit(&map->fresh, 1, memory_order_relaxed);
}

/* Who touches much at once reads it from end to end: one request to the disk instead of one a page. */
static void read_ahead(const struct stasis_map *map, uint64_t off, uint64_t len)
{
        uint64_t first = off & ~(uint64_t)((1 << PAGE_SHIFT) - 1);
        if (map->owned && !map->blocks && len >= READ_AHEAD)
                (void)madvise((void *)(map->bytes.at + first), (size_t)(off - first + len), MADV_WILLNEED);
}

void stasis_map_touch(struct stasis_map *map, uint64_t off, uint64_t len)
{
        if (off >= map->bytes.len || len == 0)
                return;
        if (len > map->bytes.len - off)
                len = map->bytes.len - off;
        uint64_t last = off + len - 1;
        read_ahead(map, off, len);
        for (uint64_t page = off >> PAGE_SHIFT; page <= last >> PAGE_SHIFT; page++)
                count_page(map, page);
        if (!map->window)
                return;
        for (uint64_t window = off >> WINDOW_SHIFT; window <= last >> WINDOW_SHIFT; window++)
                count_window(map, window);
}

struct stasis_bytes stasis_map_bytes(struct stasis_map *map, uint64_t off, size_t len, void *buf)
{
        const struct stasis_bytes nothing = { NULL, 0 };
        if (off > map->bytes.len || len > map->bytes.len - off || (map->blocks && !buf))
                return nothing;
        stasis_map_touch(map, off, len);
        if (!map->blocks)
                return (struct stasis_bytes){ map->bytes.at + off, len };
        return blocks_read(map->blocks, off, buf, len) == STASIS_OK ? (struct stasis_bytes){ buf, len } : nothing;
}

struct stasis_bytes stasis_map_stream(struct stasis_map *map, uint64_t off, void *buf, size_t len)
{
        if (off >= map->bytes.len || len == 0)
                return (struct stasis_bytes){ NULL, 0 };
        len = len < map->bytes.len - off ? len : (size_t)(map->bytes.len - off);
        if (map->blocks)
                return stasis_map_bytes(map, off, len, buf);
        size_t done = map->owned ? 0 : len;
        while (done < len) {
                off_t at = (off_t)((uint64_t)(map->bytes.at - map->whole.at) + off + done);
                ssize_t n = pread(map->fd, (uint8_t *)buf + done, len - done, at);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        break;
                done += (size_t)n;
        }
        if (!done)
                return (struct stasis_bytes){ NULL, 0 };
        for (uint64_t page = off >> PAGE_SHIFT; page <= (off + done - 1) >> PAGE_SHIFT; page++)
                count_page(map, page);
        return (struct stasis_bytes){ map->owned ? buf : map->bytes.at + off, done };
}

uint64_t stasis_map_next_data(const struct stasis_map *map, uint64_t off)
{
        if (!map->owned || map->blocks || off >= map->bytes.len)
                return off;
        uint64_t before = (uint64_t)(map->bytes.at - map->whole.at);
        off_t data = lseek(map->fd, (off_t)(before + off), SEEK_DATA);
        if (data >= 0)
                return (uint64_t)data - before < map->bytes.len ? (uint64_t)data - before : map->bytes.len;
        return errno == ENXIO ? map->bytes.len : off; /* ENXIO: nothing but a hole to the end */
}
