/* SPDX-License-Identifier: MIT */
/*
 * Frame data of PDBs before an independent judge: 32-bit code that clang compiled without frame pointers
 * (judge/frames32.c) is executed here, in the compatibility mode of an x86-64, one instruction at a time. Before each
 * instruction the unwinder, which has the frame data that lld-link wrote, must find every caller as it was left: eip,
 * where that lies, and the registers that a function must keep. Arguments: programs, each with a PDB of its name
 * beside it. Exit status: 0 all agree, 1 not, 77 no program.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../base/bytes.h"
#include "../os/pdb.h"
#include "../os/windows/unwind_x86.h"

#define STEPS_MAX 2000000
#define DEPTH_MAX 256
#define STACK_AT 0x20000000u
#define STACK_LEN 0x100000u
#define USER32_CODE 0x23

struct caller {
        uint32_t eip, slot;
        uint32_t gpr[X86_REGISTERS];
};

struct state {
        uint32_t eip, gpr[X86_REGISTERS];
};

struct trial {
        uint32_t base, size, entry;
        struct stasis_bytes file;
        struct pdb *pdb;
        pid_t child;
        struct caller caller[DEPTH_MAX];
        size_t depth;
        struct state before;
        unsigned long checked, frames, seen[X86_AT_USER + 1], wrong;
};

__attribute__((noreturn)) static void die(const char *what)
{
        fprintf(stderr, "unwind-judge32: %s: %s\n", what, strerror(errno));
        exit(1);
}

static struct stasis_bytes load_file(const char *path)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        off_t len = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
        uint8_t *bytes = len < 0 ? NULL : malloc((size_t)len);
        if (!bytes || pread(fd, bytes, (size_t)len, 0) != len)
                die(path);
        close(fd);
        return (struct stasis_bytes){ bytes, (size_t)len };
}

static void map_at(uint32_t at, uint32_t len)
{
        void *where = (void *)(uintptr_t)at;
        if (mmap(where, len, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
                 0) != where)
                die("the place of the program is not free");
}

/* A PE32, laid out where it wants to be. Places: Microsoft, "PE Format" */
static void map_program(struct trial *t, const char *path)
{
        struct stasis_bytes file = load_file(path);
        const uint8_t *header = file.at + load_le32(file.at + 0x3c), *optional = header + 24;
        const uint8_t *section = optional + load_le16(header + 20);
        t->base = load_le32(optional + 28);
        t->size = load_le32(optional + 56);
        t->entry = load_le32(optional + 16);
        map_at(t->base, t->size);
        for (unsigned i = 0; i < load_le16(header + 6); i++, section += 40) {
                size_t size = load_le32(section + 16), from = load_le32(section + 20), room = load_le32(section + 8);
                if (from && from + size <= file.len)
                        memcpy((uint8_t *)(uintptr_t)t->base + load_le32(section + 12), file.at + from,
                               size < room ? size : room);
        }
        free((void *)(uintptr_t)file.at);
}

static void open_pdb(struct trial *t, const char *path)
{
        struct stasis_error err = { 0 };
        char name[1024];
        snprintf(name, sizeof name, "%.*s.pdb", (int)strlen(path) - 4, path);
        t->file = load_file(name);
        if (pdb_open(t->file, name, &t->pdb, &err) != STASIS_OK)
                die(err.text);
}

/* ---- what the unwinder is given */

static bool read_child(void *ctx, uint32_t va, void *buf, size_t len)
{
        const struct trial *t = ctx;
        struct iovec to = { buf, len }, from = { (void *)(uintptr_t)va, len };
        return process_vm_readv(t->child, &to, 1, &from, 1, 0) == (ssize_t)len;
}

/* E8, or FF /2 with any of its lengths. Source: Intel SDM volume 2, CALL. */
static enum x86_code code_at(void *ctx, uint32_t pc)
{
        const struct trial *t = ctx;
        uint8_t code[7];
        if (pc - t->base >= t->size || !read_child(ctx, pc - 7, code, sizeof code))
                return X86_NO_CODE;
        if (code[2] == 0xe8)
                return X86_RETURN;
        for (unsigned len = 2; len <= 7; len++)
                if (code[7 - len] == 0xff && (code[8 - len] >> 3 & 7) == 2)
                        return X86_RETURN;
        return X86_OTHER_CODE;
}

static bool on_stack(void *ctx, uint32_t va, size_t len)
{
        (void)ctx;
        return va >= STACK_AT && va - STACK_AT < STACK_LEN && len <= STACK_LEN - (va - STACK_AT);
}

static bool fpo_at(void *ctx, uint32_t pc, struct x86_fpo *ret_fpo)
{
        const struct trial *t = ctx;
        struct pdb_frame f;
        if (!pdb_frame_at(t->pdb, pc - t->base, &f) || f.form != 0)
                return false;
        *ret_fpo = (struct x86_fpo){ .begin = t->base + f.rva,
                                     .size = f.len,
                                     .locals = f.locals,
                                     .params = f.params,
                                     .saved = f.saved,
                                     .prologue = (uint8_t)f.prologue,
                                     .uses_ebp = f.uses_bp,
                                     .program = f.program };
        return true;
}

/* ---- what the judge knows */

static struct state state_of(pid_t child)
{
        struct user_regs_struct r;
        if (ptrace(PTRACE_GETREGS, child, NULL, &r))
                die("ptrace");
        return (struct state){ .eip = r.cs == USER32_CODE ? (uint32_t)r.rip : UINT32_MAX,
                               .gpr = { (uint32_t)r.rax, (uint32_t)r.rcx, (uint32_t)r.rdx, (uint32_t)r.rbx,
                                        (uint32_t)r.rsp, (uint32_t)r.rbp, (uint32_t)r.rsi, (uint32_t)r.rdi } };
}

static bool is_call(struct trial *t, uint32_t at)
{
        uint8_t code[2] = { 0 };
        (void)read_child(t, at, code, sizeof code);
        return code[0] == 0xe8 || (code[0] == 0xff && (code[1] >> 3 & 7) == 2);
}

/* Was the instruction that led here a call, or did it go back? */
static void follow(struct trial *t, const struct state *now)
{
        uint32_t esp = now->gpr[X86_ESP], top = 0;
        (void)read_child(t, esp, &top, sizeof top);
        if (t->depth == DEPTH_MAX)
                die("too deep");
        if (esp == t->before.gpr[X86_ESP] - 4 && is_call(t, t->before.eip)) {
                t->caller[t->depth] = (struct caller){ .eip = top, .slot = esp };
                memcpy(t->caller[t->depth++].gpr, now->gpr, sizeof now->gpr);
        }
        while (t->depth && t->caller[t->depth - 1].eip == now->eip && t->caller[t->depth - 1].slot < esp)
                t->depth--;
}

static const char *difference(const struct x86_registers *r, const struct caller *c)
{
        static const struct {
                uint8_t reg;
                const char *name;
        } kept[] = { { X86_EBX, "ebx" }, { X86_EBP, "ebp" }, { X86_ESI, "esi" }, { X86_EDI, "edi" } };
        if (r->eip != c->eip || r->eip_at != c->slot)
                return r->eip != c->eip ? "eip" : "its place";
        if (r->exact)
                return "exact";
        for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
                if (!(r->known >> kept[i].reg & 1) || r->gpr[kept[i].reg] != c->gpr[kept[i].reg])
                        return kept[i].name;
        return NULL;
}

static void check(struct trial *t, const struct state *now)
{
        const struct x86_memory memory = {
                .read = read_child, .code = code_at, .on_stack = on_stack, .fpo = fpo_at, .ctx = t
        };
        struct x86_registers r = { .eip = now->eip, .eip_at = X86_NOWHERE, .exact = true, .esp_sure = true };
        memcpy(r.gpr, now->gpr, sizeof r.gpr);
        r.known = 0xff;
        for (size_t i = t->depth; i-- > 0;) {
                struct x86_step step = x86_unwind(&memory, &r);
                const char *why = step.way == X86_BROKEN   ? step.why
                                  : step.way == X86_BOTTOM ? "the bottom"
                                                           : difference(&r, &t->caller[i]);
                t->seen[step.way]++;
                t->frames++;
                if (!why)
                        continue;
                if (t->wrong++ < 20)
                        fprintf(stderr, "at 0x%x, frame %zu of %zu: %s (way %d)\n", now->eip, t->depth - i, t->depth,
                                why, step.way);
                return;
        }
        t->checked++;
}

/* ---- the program, step by step */

/* In compatibility mode data needs a selector too; a return to 0 is the end. */
static void child_main(const struct trial *t)
{
        const struct {
                uint32_t offset;
                uint16_t selector;
        } target = { t->base + t->entry, USER32_CODE };
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
                _exit(1);
        raise(SIGSTOP);
        __asm__ volatile("mov $0x2b, %%ax\n\tmov %%ax, %%ds\n\tmov %%ax, %%es\n\tmov %0, %%rcx\n\tmov %1, %%rsp\n\t"
                         "xor %%ebp, %%ebp\n\tljmp *(%%rcx)"
                         :
                         : "r"(&target), "r"((uint64_t)STACK_AT + STACK_LEN - 64)
                         : "rax", "rcx", "memory");
        __builtin_unreachable();
}

static bool next(struct trial *t, struct state *ret_state)
{
        int status;
        if (ptrace(PTRACE_SINGLESTEP, t->child, NULL, NULL) || waitpid(t->child, &status, 0) < 0)
                die("ptrace");
        if (WIFSTOPPED(status) && WSTOPSIG(status) != SIGTRAP) {
                fprintf(stderr, "signal %d at 0x%x\n", WSTOPSIG(status), state_of(t->child).eip);
                t->wrong++;
        }
        if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
                return false;
        *ret_state = state_of(t->child);
        return true;
}

static void run(struct trial *t)
{
        struct state now;
        int status;
        bool entered = false, ended = false;
        if (waitpid(t->child, &status, 0) < 0 || !WIFSTOPPED(status))
                die("the child did not stop");
        t->before = state_of(t->child);
        for (unsigned long i = 0; i < STEPS_MAX && !ended && next(t, &now); i++, t->before = now) {
                entered = entered || now.eip - t->base < t->size;
                ended = entered && now.eip == 0;
                if (!entered || ended)
                        continue;
                follow(t, &now);
                check(t, &now);
        }
        if (!ended || t->depth) {
                t->wrong++;
                fprintf(stderr, "the program did not come to its end\n");
        }
        kill(t->child, SIGKILL);
        waitpid(t->child, &status, 0);
}

static bool trial(const char *path)
{
        struct trial *t = calloc(1, sizeof *t);
        if (!t)
                die("memory");
        map_program(t, path);
        map_at(STACK_AT, STACK_LEN);
        open_pdb(t, path);
        t->child = fork();
        if (t->child == 0)
                child_main(t);
        run(t);
        printf("%s: %lu instructions, %lu frames: %lu by code, %lu by frame data, %lu by frame pointer; %lu wrong\n",
               path, t->checked, t->frames, t->seen[X86_BY_CODE], t->seen[X86_BY_FPO], t->seen[X86_BY_FRAME], t->wrong);
        munmap((void *)(uintptr_t)t->base, t->size);
        munmap((void *)(uintptr_t)STACK_AT, STACK_LEN);
        pdb_close(t->pdb);
        free((void *)(uintptr_t)t->file.at);
        bool good = t->wrong == 0 && t->checked > 1000 && t->seen[X86_BY_FPO] > 1000 && t->seen[X86_BY_CODE] > 100;
        free(t);
        return good;
}

int main(int argc, char **argv)
{
        bool good = true;
        if (argc < 2) {
                puts("no clang and lld-link (packages clang, lld), or not an x86-64: nothing to be judged");
                return 77;
        }
        for (int i = 1; i < argc; i++)
                good = trial(argv[i]) && good;
        return good ? 0 : 1;
}
