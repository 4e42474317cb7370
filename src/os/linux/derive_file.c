/* SPDX-License-Identifier: MIT */
/* Facts at the end of chains of pointers: the executable's path, the command line, the namespaces. */
#include <stdlib.h>
#include <string.h>

#include "fields.h"

#define PATH_PARTS_MAX 256 /* of directories and mounts */
#define PATH_MAX_LEN 4096
#define COMMAND_LINE_MAX 4096

/* ---------------------------------------------------------------- the executable */

/* A path grows from its end: text[at..PATH_MAX_LEN) holds what is known of it. */
struct path {
        const struct linux_system *l;
        uint8_t text[PATH_MAX_LEN];
        size_t at;
};

static bool prepend(struct path *p, uint64_t dentry)
{
        uint64_t name, len;
        if (read_place(p->l->kernel, dentry, &p->l->at.d_name, &name) != STASIS_OK ||
            read_place(p->l->kernel, dentry, &p->l->at.d_len, &len) != STASIS_OK || len == 0 || len > 255 ||
            len + 1 > p->at)
                return false;
        p->at -= (size_t)len;
        if (stasis_space_read(p->l->kernel, name, p->text + p->at, (size_t)len) != STASIS_OK)
                return false;
        p->text[--p->at] = '/';
        return true;
}

/* From the file's own place up to the root of its mount, then from where that is mounted (fs/d_path.c). */
static bool climb(struct path *p, uint64_t mnt, uint64_t dentry)
{
        const struct linux_places *at = &p->l->at;
        struct stasis_space *s = p->l->kernel;
        for (unsigned i = 0; i < PATH_PARTS_MAX; i++) {
                uint64_t root, parent, mount = mnt - at->mount_mnt.offset, above;
                if (read_place(s, mnt, &at->mnt_root, &root) != STASIS_OK ||
                    read_place(s, dentry, &at->d_parent, &parent) != STASIS_OK)
                        return false;
                if (dentry != root && dentry != parent) {
                        if (!prepend(p, dentry))
                                return false;
                        dentry = parent;
                        continue;
                }
                if (read_place(s, mount, &at->mnt_parent, &above) != STASIS_OK)
                        return false;
                if (above == mount || dentry != root) /* the top, or a file that was unlinked or never mounted */
                        return true;
                if (read_place(s, mount, &at->mnt_mountpoint, &dentry) != STASIS_OK)
                        return false;
                mnt = above + at->mount_mnt.offset;
        }
        return false;
}

void linux_derive_path(struct decode *d, struct stasis_fact *fact)
{
        const struct linux_places *at = &d->l->at;
        uint64_t mm, mnt, dentry;
        struct path p = { .l = d->l, .at = PATH_MAX_LEN };
        enum stasis_absence why = linux_base_of(d, ON_MM, &mm);
        *fact = fact_absent(why);
        if (why != STASIS_PRESENT)
                return;
        *fact = load_place_of(d->l->kernel, mm, &at->exe_file);
        if (fact->absence == STASIS_NOT_IN_VERSION)
                fact->absence = STASIS_NOT_KNOWN;
        linux_derive_zero_is_none(d, fact);
        if (!fact_is(fact))
                return;
        fact->absence = STASIS_NOT_KNOWN;
        if (read_place(d->l->kernel, fact->value, &at->file_mnt, &mnt) != STASIS_OK ||
            read_place(d->l->kernel, fact->value, &at->file_dentry, &dentry) != STASIS_OK || !climb(&p, mnt, dentry))
                return;
        fact->text = p.at < PATH_MAX_LEN ? text_from_utf8(d->arena, p.text + p.at, PATH_MAX_LEN - p.at) : "/";
        fact->absence = fact->text ? STASIS_PRESENT : STASIS_NOT_KNOWN;
}

/* ---------------------------------------------------------------- the command line */

struct stasis_space *linux_user_space(struct linux_system *l, uint64_t mm)
{
        uint64_t pgd, pa;
        if (l->user_mm == mm && mm)
                return l->user;
        if (!mm || read_place(l->kernel, mm, &l->at.pgd, &pgd) != STASIS_OK ||
            stasis_space_pa(l->kernel, pgd, &pa) != STASIS_OK)
                return NULL;
        stasis_space_init(l->user, l->image, l->kernel->paging, pa);
        l->user->soft_fault = linux_soft_fault;
        l->user->soft_fault_ctx = l;
        l->user_mm = mm;
        return l->user;
}

void linux_derive_command_line(struct decode *d, struct stasis_fact *fact)
{
        const struct linux_places *at = &d->l->at;
        uint64_t mm, start, end;
        enum stasis_absence why = linux_base_of(d, ON_MM, &mm);
        *fact = fact_absent(why);
        if (why != STASIS_PRESENT)
                return;
        fact->absence = STASIS_NOT_KNOWN;
        struct stasis_space *space = linux_user_space(d->l, mm);
        if (!space || read_place(d->l->kernel, mm, &at->arg_start, &start) != STASIS_OK ||
            read_place(d->l->kernel, mm, &at->arg_end, &end) != STASIS_OK)
                return;
        fact->absence = end > start ? STASIS_CONTRADICTORY : STASIS_NOT_APPLICABLE;
        if (end <= start || end - start > (1u << 30))
                return;
        size_t len = end - start < COMMAND_LINE_MAX ? (size_t)(end - start) : COMMAND_LINE_MAX;
        uint8_t text[COMMAND_LINE_MAX];
        *fact = load_at(space, start, 1);
        if (!fact_is(fact))
                return;
        enum stasis_status status = stasis_space_read(space, start, text, len);
        while (len && text[len - 1] == 0)
                len--;
        for (size_t i = 0; i < len; i++)
                if (text[i] == 0)
                        text[i] = ' ';
        fact->value = 0;
        fact->text = status == STASIS_OK ? text_from_utf8(d->arena, text, len) : NULL;
        fact->absence = fact->text ? STASIS_PRESENT : (uint8_t)absence_of(status);
}

/* ---------------------------------------------------------------- namespaces */

static void inode_of(struct decode *d, struct stasis_fact *fact, const struct place *inum)
{
        linux_derive_zero_is_none(d, fact);
        if (fact_is(fact))
                *fact = load_place_of(d->l->kernel, fact->value, inum);
}

void linux_derive_namespace(struct decode *d, struct stasis_fact *fact)
{
        const struct linux_places *at = &d->l->at;
        const struct {
                const char *key;
                const struct place *inum;
        } kinds[] = { { "ns_mnt", &at->mnt_inum }, { "ns_uts", &at->uts_inum },       { "ns_ipc", &at->ipc_inum },
                      { "ns_net", &at->net_inum }, { "ns_cgroup", &at->cgroup_inum }, { "ns_time", &at->time_inum } };
        const char *key = d->set->column[fact - d->set->fact].key;
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
                if (strcmp(kinds[i].key, key) == 0)
                        inode_of(d, fact, kinds[i].inum);
}

void linux_derive_user_namespace(struct decode *d, struct stasis_fact *fact) { inode_of(d, fact, &d->l->at.user_inum); }

/* numbers[level] of its struct pid: the innermost namespace that knows it. */
void linux_derive_pid_namespace(struct decode *d, struct stasis_fact *fact)
{
        const struct linux_places *at = &d->l->at;
        struct stasis_member upid;
        uint64_t level;
        struct stasis_member links;
        *fact = load_place_of(d->l->kernel, d->object, &at->thread_pid);
        if (fact->absence == STASIS_NOT_IN_VERSION && at->pid_link.has &&
            stasis_layout_member(d->l->layout, "task_struct.pids", &links)) /* the first is of its own id */
                *fact = load_place_of(d->l->kernel, d->object + links.offset, &at->pid_link);
        if (fact->absence == STASIS_NOT_IN_VERSION)
                fact->absence = STASIS_NOT_KNOWN;
        linux_derive_zero_is_none(d, fact);
        if (!fact_is(fact))
                return;
        if (read_place(d->l->kernel, fact->value, &at->pid_level, &level) != STASIS_OK || level > 32 ||
            !stasis_layout_member(d->l->layout, "pid.numbers", &upid)) {
                *fact = fact_absent(STASIS_NOT_KNOWN);
                return;
        }
        uint32_t size = stasis_layout_sizeof(d->l->layout, "upid");
        *fact = load_place_of(d->l->kernel, fact->value + upid.offset + level * size, &at->upid_ns);
        inode_of(d, fact, &at->pid_inum);
}
