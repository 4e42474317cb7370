/* SPDX-License-Identifier: MIT */
/* Which addresses of which process map a physical page: the kernel's tables once, then what each process has beside. */
#include "../mem/reverse.h"

#include "../base/error.h"
#include "system.h"

struct reverse_system {
        struct stasis_system *system;
        struct reverse *reverse;
        const struct stasis_paging *paging;
        uint64_t kernel; /* root of the kernel's tables */
        size_t count;    /* processes */
};

/* Whose the lower half of the kernel's own tables is: the process that has the same root (System). */
static struct stasis_mapping owner_of_root(struct reverse_system *r, uint64_t root)
{
        const struct stasis_mapping nobody = { .pid = -1 };
        struct os_root each;
        for (size_t i = 0; i < r->count; i++)
                if (r->system->os->process_root(r->system->priv, i, &each) &&
                    (each.root & r->paging->root_mask) == root)
                        return each.like;
        return nobody;
}

static enum stasis_status pass_kernel(struct reverse_system *r)
{
        struct stasis_mapping like = owner_of_root(r, r->kernel);
        like.kernel = true;
        return reverse_pass(r->reverse, r->paging, r->kernel, STASIS_NOWHERE, &like);
}

static enum stasis_status pass_processes(struct reverse_system *r, const uint64_t *pid, bool *ret_seen)
{
        enum stasis_status status = STASIS_OK;
        struct os_root each;
        for (size_t i = 0; i < r->count && status == STASIS_OK; i++) {
                if (!r->system->os->process_root(r->system->priv, i, &each) || (pid && each.like.pid != (int64_t)*pid))
                        continue;
                *ret_seen = true;
                uint64_t root = each.root & r->paging->root_mask;
                system_progress(r->system, "page tables", i, r->count);
                if (root && root != r->kernel)
                        status = reverse_pass(r->reverse, r->paging, root, r->kernel, &each.like);
                else if (root && pid)
                        status = pass_kernel(r);
        }
        return status;
}

static enum stasis_status pass_all(struct reverse_system *r, const uint64_t *pid, struct stasis_error *err)
{
        bool seen = !pid;
        enum stasis_status status = pid ? STASIS_OK : pass_kernel(r);
        if (status == STASIS_OK)
                status = pass_processes(r, pid, &seen);
        if (!seen)
                return stasis_fail(err, STASIS_ABSENT, "no process with id %llu was found", (unsigned long long)*pid);
        if (status == STASIS_LIMIT)
                return stasis_fail(err, STASIS_LIMIT,
                                   "the page tables go on without end: given up after as many entries as the image can "
                                   "hold, and more");
        return status == STASIS_ABSENT ? STASIS_OK : status;
}

enum stasis_status stasis_system_reverse(struct stasis_system *system, const uint64_t *pid, const uint64_t *pa,
                                         size_t count, stasis_found *found, void *ctx, uint64_t *ret_unreadable,
                                         struct stasis_error *err)
{
        struct reverse_system r = { .system = system };
        if (!system->os)
                return stasis_fail(err, STASIS_USAGE, "the system was not understood");
        if (!system->os->process_root)
                return stasis_fail(
                        err, STASIS_UNSUPPORTED,
                        "the page tables of this system's processes cannot be gone through all at once: give "
                        "one with --root");
        const struct stasis_space *space = system->os->space(system->priv);
        if (!space->paging->levels)
                return stasis_fail(err, STASIS_USAGE, "this file holds virtual memory only: it has no page tables");
        enum stasis_status status = system->os->count(system->priv, STASIS_PROCESSES, &r.count, err);
        if (status != STASIS_OK)
                return status;
        r.paging = space->paging;
        r.kernel = space->root;
        r.reverse = reverse_new(system->image, pa, count, found, ctx);
        if (!r.reverse)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        status = pass_all(&r, pid, err);
        if (ret_unreadable)
                *ret_unreadable = reverse_unreadable(r.reverse);
        reverse_free(r.reverse);
        return status;
}
