/* SPDX-License-Identifier: MIT */
/* Where the members of the kernel's structures lie: files given, the image's own BTF, or what must hold (infer.c). */
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "../../base/bytes.h"
#include "../../base/error.h"
#include "given.h"
#include "infer.h"
#include "search.h"

#define BTF_MAX (64u << 20) /* a kernel with everything built in has 20 MiB */
#define IMAGE_MAX (UINT64_C(96) << 20)

/* ---------------------------------------------------------------- BTF */

static bool take_btf(struct linux_system *l, uint64_t va, uint64_t len, const char *how)
{
        struct stasis_error err = { 0 };
        uint64_t pa;
        if (len < 24 || len > BTF_MAX || stasis_space_pa(l->kernel, va, &pa) != STASIS_OK)
                return false;
        l->btf = stasis_image_view(l->image, pa, (size_t)len);
        if (l->btf.len != len) { /* not in one piece, or compressed */
                free(l->btf_bytes);
                l->btf_bytes = malloc((size_t)len);
                if (!l->btf_bytes || stasis_space_read(l->kernel, va, l->btf_bytes, (size_t)len) != STASIS_OK) {
                        system_trace(l->system, "types", false,
                                     "BTF at 0x%" PRIx64 " (%s): not all of its %" PRIu64 " bytes are in the image", va,
                                     how, len);
                        return false;
                }
                l->btf = (struct stasis_bytes){ l->btf_bytes, (size_t)len };
        }
        enum stasis_status status = stasis_layout_open_btf(l->btf, "BTF of the image", &l->types, &err);
        l->no_memory |= status == STASIS_NOMEM;
        system_trace(l->system, "types", status == STASIS_OK, "BTF at 0x%" PRIx64 ", %" PRIu64 " bytes (%s)%s%s", va,
                     len, how, status == STASIS_OK ? "" : ": ", status == STASIS_OK ? "" : err.text);
        return status == STASIS_OK;
}

/*
 * Magic 0xeb9f, version 1, no flags, a header of 24 bytes; how much follows, the header says. Not its zeros: a needle
 * that ends in zeros makes memmem slow in empty memory.
 */
static const uint8_t btf_start[5] = { 0x9f, 0xeb, 1, 0, 24 };

static bool hit_btf(void *ctx, uint64_t pa, struct stasis_bytes left)
{
        struct linux_system *l = ctx;
        if (left.len < 24 || pa % 4 || load_le32(left.at + 4) != 24)
                return false;
        uint64_t type_end = (uint64_t)load_le32(left.at + 8) + load_le32(left.at + 12);
        uint64_t string_end = (uint64_t)load_le32(left.at + 16) + load_le32(left.at + 20);
        uint64_t end = 24 + (type_end > string_end ? type_end : string_end);
        return take_btf(l, l->place.text_va + (pa - l->place.text_pa), end, "by its magic");
}

static void find_btf(struct linux_system *l)
{
        uint64_t start, stop;
        if (linux_symbol_find(l, "__start_BTF", &start) && linux_symbol_find(l, "__stop_BTF", &stop) && stop > start &&
            take_btf(l, start, stop - start, "__start_BTF"))
                return;
        struct search_pattern pattern = { btf_start, sizeof btf_start, hit_btf, l, false };
        search_memory(l, "types", l->place.text_pa, l->place.text_pa + IMAGE_MAX, &pattern, 1);
        if (!l->types)
                system_trace(l->system, "types", false, "no BTF in the kernel's image");
}

/* ---------------------------------------------------------------- files */

static enum stasis_status open_given(struct linux_system *l, struct stasis_error *err)
{
        const struct stasis_system_options *o = &l->system->options;
        enum stasis_status status = STASIS_OK;
        if (o->symbol_count)
                status = stasis_layout_open_symbols(o->symbols, o->symbol_count, &l->given, err);
        else if (o->layout_path)
                status = stasis_layout_open_isf(o->layout_path, &l->given, err);
        if (status == STASIS_OK && l->given)
                system_trace(l->system, "types", true, "%s was given: %s, %s", stasis_layout_name(l->given),
                             stasis_layout_has_types(l->given) ? "types" : "no types",
                             stasis_layout_has_symbols(l->given) ? "symbols" : "no symbols");
        return status;
}

/* ---------------------------------------------------------------- places */

static const struct place_row place_rows[] = {
#define PLACE(name, ...) \
        { \
                offsetof(struct linux_places, name), { __VA_ARGS__ } \
        }
        PLACE(tasks, "task_struct.tasks"),
        PLACE(pid, "task_struct.pid"),
        PLACE(tgid, "task_struct.tgid"),
        PLACE(comm, "task_struct.comm"),
        PLACE(state, "task_struct.__state", "task_struct.state"),
        PLACE(exit_state, "task_struct.exit_state"),
        PLACE(flags, "task_struct.flags"),
        PLACE(real_parent, "task_struct.real_parent"),
        PLACE(parent, "task_struct.parent"),
        PLACE(group_leader, "task_struct.group_leader"),
        PLACE(thread_group, "task_struct.thread_group"),
        PLACE(thread_node, "task_struct.thread_node"),
        PLACE(signal, "task_struct.signal"),
        PLACE(thread_head, "signal_struct.thread_head"),
        PLACE(children, "task_struct.children"),
        PLACE(sibling, "task_struct.sibling"),
        PLACE(stack, "task_struct.stack", "task_struct.thread_info"),
        PLACE(cpu, "task_struct.thread_info.cpu", "task_struct.cpu"),
        PLACE(on_cpu, "task_struct.on_cpu"),
        PLACE(mm, "task_struct.mm"),
        PLACE(active_mm, "task_struct.active_mm"),
        PLACE(start_boottime, "task_struct.start_boottime", "task_struct.real_start_time"),
        PLACE(cred, "task_struct.cred"),
        PLACE(nsproxy, "task_struct.nsproxy"),
        PLACE(thread_pid, "task_struct.thread_pid"),
        PLACE(exe_file, "mm_struct.exe_file"),
        PLACE(arg_start, "mm_struct.arg_start"),
        PLACE(arg_end, "mm_struct.arg_end"),
        PLACE(pgd, "mm_struct.pgd"),
        PLACE(thread_sp, "task_struct.thread.sp", "task_struct.thread.rsp"),
        PLACE(file_mnt, "file.f_path.mnt"),
        PLACE(file_dentry, "file.f_path.dentry"),
        PLACE(d_parent, "dentry.d_parent"),
        PLACE(d_name, "dentry.d_name.name"),
        PLACE(d_len, "dentry.d_name.len"),
        PLACE(mnt_root, "vfsmount.mnt_root"),
        PLACE(mount_mnt, "mount.mnt"),
        PLACE(mnt_parent, "mount.mnt_parent", "vfsmount.mnt_parent"),
        PLACE(mnt_mountpoint, "mount.mnt_mountpoint", "vfsmount.mnt_mountpoint"),
        PLACE(pid_level, "pid.level"),
        PLACE(pid_numbers, "pid.numbers"),
        PLACE(upid_ns, "upid.ns"),
        PLACE(worker_private, "task_struct.worker_private", "task_struct.set_child_tid"),
        PLACE(full_name, "kthread.full_name"),
        PLACE(kthread_data, "kthread.data"),
        PLACE(worker_desc, "worker.desc"),
        PLACE(worker_work, "worker.current_work"),
        PLACE(worker_pool, "worker.pool"),
        PLACE(worker_rescue, "worker.rescue_wq"),
        PLACE(wq_name, "workqueue_struct.name"),
        PLACE(mnt_inum, "mnt_namespace.ns.inum", "mnt_namespace.proc_inum"),
        PLACE(uts_inum, "uts_namespace.ns.inum", "uts_namespace.proc_inum"),
        PLACE(ipc_inum, "ipc_namespace.ns.inum", "ipc_namespace.proc_inum"),
        PLACE(net_inum, "net.ns.inum", "net.proc_inum"),
        PLACE(cgroup_inum, "cgroup_namespace.ns.inum"),
        PLACE(time_inum, "time_namespace.ns.inum"),
        PLACE(pid_inum, "pid_namespace.ns.inum", "pid_namespace.proc_inum"),
        PLACE(user_inum, "user_namespace.ns.inum", "user_namespace.proc_inum"),
        PLACE(info_cpu, "thread_info.cpu"),
        PLACE(info_flags, "thread_info.flags"),
        PLACE(start_seconds, "task_struct.real_start_time.tv_sec"), /* struct timespec until 3.16 */
        PLACE(start_nanoseconds, "task_struct.real_start_time.tv_nsec"),
        PLACE(pid_link, "pid_link.pid"), /* task_struct.pids[], until 4.18 */
#undef PLACE
};

static void use_layout(struct linux_system *l, const struct stasis_layout *layout, const char *how, const char *sure)
{
        l->layout = layout;
        l->layout_evidence = (struct linux_evidence){ how, sure };
        places_bind(layout, place_rows, sizeof place_rows / sizeof *place_rows, &l->at);
}

/* A task called swapper in the kernel's data, which is pid 0 and its own parent. */
static bool hit_swapper(void *ctx, uint64_t pa, struct stasis_bytes left)
{
        struct linux_system *l = ctx;
        uint64_t object = l->place.text_va + (pa - l->place.text_pa) - l->at.comm.offset, pid, parent;
        (void)left;
        if (linux_task_refused(l, object) || read_place(l->kernel, object, &l->at.pid, &pid) != STASIS_OK || pid ||
            read_place(l->kernel, object, &l->at.real_parent, &parent) != STASIS_OK || parent != object)
                return false;
        l->init_task = object;
        return true;
}

/* Types without symbols of data (BTF, and kallsyms of functions alone) leave init_task to be looked for. */
static void find_init_task(struct linux_system *l)
{
        bool told = linux_symbol_find(l, "init_task", &l->init_task);
        if (!told && l->layout && l->at.comm.has && l->at.pid.has) {
                struct search_pattern pattern = { "swapper", 7, hit_swapper, l, false };
                search_memory(l, "tasks", l->place.text_pa, l->place.text_pa + IMAGE_MAX, &pattern, 1);
        }
        if (l->layout)
                system_trace(l->system, "tasks", l->init_task != 0, "init_task at 0x%" PRIx64 " (%s)", l->init_task,
                             told           ? "its symbol"
                             : l->init_task ? "by its name and its parent"
                                            : "no symbol, no such task");
}

enum stasis_status linux_choose_layout(struct linux_system *l, struct stasis_error *err)
{
        enum stasis_status status = open_given(l, err);
        if (status != STASIS_OK)
                return status;
        if (!l->system->options.infer_layout)
                find_btf(l); /* beside types that were given it is a witness */
        else
                system_trace(l->system, "types", true, "none are taken: members are inferred, as was asked for");
        if (l->given)
                status = linux_given_check(l, err);
        if (status != STASIS_OK)
                return status;
        bool given = l->given && stasis_layout_has_types(l->given) && !l->system->options.infer_layout;
        if (given)
                use_layout(l, l->given, "given", "given");
        else if (l->types)
                use_layout(l, l->types, "BTF of the image", "exact");
        if (l->no_memory)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        find_init_task(l);
        if (given)
                status = linux_given_fits(l, err);
        if (status != STASIS_OK)
                return status;
        (void)linux_symbol_find(l, "__per_cpu_offset", &l->percpu_base);
        if (!l->layout && linux_infer(l, &l->types)) {
                l->inferred = true;
                use_layout(l, l->types, "what must hold of its tasks", "inferred");
        }
        if (l->no_memory)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        if (!l->layout)
                return stasis_fail(err, STASIS_UNSUPPORTED,
                                   "a Linux kernel (%s), and nothing tells where its structures' members lie: no BTF, "
                                   "and nothing to infer them from; --symbols takes a vmlinux, BTF or ISF file",
                                   l->release ? l->release : "unknown release");
        return STASIS_OK;
}
