/* SPDX-License-Identifier: MIT */
/*
 * The unwinder before an independent judge: programs that mingw-w64 compiled (judge/frames.c) are executed here, one
 * instruction at a time, and before each instruction the unwinder must find every caller exactly as it was left: rip,
 * rsp, the registers that a function must keep, of which the judge took note when each call was made. Arguments: the
 * programs. Exit status: 0 all agree, 1 not, 77 no program.
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
#include "../os/windows/unwind_x64.h"

#define STEPS_MAX 2000000
#define DEPTH_MAX 256
#define MACHINE_MAGIC UINT64_C(0x4d414348494e4521) /* in r11 just before a machine frame's routine is entered */

/* ---- a PE, laid out where it wants to be. Places: Microsoft, "PE Format" */

struct program {
        uint64_t base;
        uint32_t size, entry, pdata, pdata_len;
};

__attribute__((noreturn)) static void die(const char *what)
{
        fprintf(stderr, "unwind-judge: %s: %s\n", what, strerror(errno));
        exit(1);
}

static uint8_t *load_file(const char *path, size_t *ret_len)
{
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        off_t len = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
        uint8_t *bytes = len < 0 ? NULL : malloc((size_t)len);
        if (!bytes || pread(fd, bytes, (size_t)len, 0) != len)
                die(path);
        close(fd);
        *ret_len = (size_t)len;
        return bytes;
}

static struct program map_program(const char *path)
{
        size_t len;
        uint8_t *file = load_file(path, &len);
        const uint8_t *header = file + load_le32(file + 0x3c), *optional = header + 24;
        struct program p = { .base = load_le64(optional + 24),
                             .size = load_le32(optional + 56),
                             .entry = load_le32(optional + 16),
                             .pdata = load_le32(optional + 112 + 8 * 3),
                             .pdata_len = load_le32(optional + 112 + 8 * 3 + 4) };
        const uint8_t *section = optional + load_le16(header + 20);
        uint8_t *at = mmap((void *)(uintptr_t)p.base, p.size, PROT_READ | PROT_WRITE | PROT_EXEC,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (at != (uint8_t *)(uintptr_t)p.base)
                die("the place of the program is not free");
        for (unsigned i = 0; i < load_le16(header + 6); i++, section += 40) {
                size_t size = load_le32(section + 16), from = load_le32(section + 20), virtual = load_le32(section + 8);
                if (from && from + size <= len)
                        memcpy(at + load_le32(section + 12), file + from, size < virtual ? size : virtual);
        }
        free(file);
        return p;
}

/* ---- what the unwinder is given */

struct judge {
        struct program program;
        pid_t child;
};

static bool read_child(void *ctx, uint64_t va, void *buf, size_t len)
{
        const struct judge *j = ctx;
        struct iovec to = { buf, len }, from = { (void *)(uintptr_t)va, len };
        return process_vm_readv(j->child, &to, 1, &from, 1, 0) == (ssize_t)len;
}

static enum x64_found function_at(void *ctx, uint64_t pc, struct x64_function *ret_function)
{
        const struct program *p = &((const struct judge *)ctx)->program;
        const uint8_t *table = (const uint8_t *)(uintptr_t)(p->base + p->pdata);
        if (pc < p->base || pc >= p->base + p->size)
                return X64_NO_TABLE;
        for (uint32_t i = 0; i < p->pdata_len / 12; i++) {
                struct x64_function f = { p->base, load_le32(table + 12 * i), load_le32(table + 12 * i + 4),
                                          load_le32(table + 12 * i + 8) };
                if (pc - p->base >= f.begin && pc - p->base < f.end) {
                        *ret_function = f;
                        return X64_FUNCTION;
                }
        }
        return X64_NO_FUNCTION;
}

/* ---- what the judge knows */

static const uint8_t kept[] = { 3, 5, 6, 7, 12, 13, 14, 15 }; /* rbx rbp rsi rdi r12-r15 */

struct caller {
        uint64_t rip, rsp;
        uint64_t gpr[16];
        uint8_t xmm[16][16];
        bool machine;
};

struct state {
        uint64_t rip, rsp, gpr[16];
        uint8_t xmm[16][16];
};

static struct state state_of(pid_t child)
{
        struct user_regs_struct r;
        struct user_fpregs_struct f;
        struct state s;
        if (ptrace(PTRACE_GETREGS, child, NULL, &r) || ptrace(PTRACE_GETFPREGS, child, NULL, &f))
                die("ptrace");
        s = (struct state){ .rip = r.rip,
                            .rsp = r.rsp,
                            .gpr = { r.rax, r.rcx, r.rdx, r.rbx, r.rsp, r.rbp, r.rsi, r.rdi, r.r8, r.r9, r.r10, r.r11,
                                     r.r12, r.r13, r.r14, r.r15 } };
        memcpy(s.xmm, f.xmm_space, sizeof s.xmm);
        return s;
}

static struct caller caller_now(const struct state *s, uint64_t rip, uint64_t rsp, bool machine)
{
        struct caller c = { .rip = rip, .rsp = rsp, .machine = machine };
        memcpy(c.gpr, s->gpr, sizeof c.gpr);
        memcpy(c.xmm, s->xmm, sizeof c.xmm);
        return c;
}

struct trial {
        struct judge judge;
        struct caller caller[DEPTH_MAX];
        size_t depth;
        struct state before;
        unsigned long checked, frames, seen[5], wrong;
};

static uint64_t word_of(struct trial *t, uint64_t at)
{
        uint64_t word = 0;
        (void)read_child(&t->judge, at, &word, sizeof word);
        return word;
}

/* E8, or FF /2 with or without a REX prefix. Source: Intel SDM volume 2, CALL. */
static bool is_call(struct trial *t, uint64_t at)
{
        uint8_t code[3] = { 0 };
        (void)read_child(&t->judge, at, code, sizeof code);
        const uint8_t *op = (code[0] & 0xf0) == 0x40 ? code + 1 : code;
        return op[0] == 0xe8 || (op[0] == 0xff && (op[1] >> 3 & 7) == 2);
}

/* Was the instruction that led here a call, a jump into a machine frame's routine, or did it go back? */
static void follow(struct trial *t, const struct state *now)
{
        const struct state *before = &t->before;
        uint64_t top = word_of(t, now->rsp);
        if (t->depth == DEPTH_MAX)
                die("too deep");
        if (now->rsp == before->rsp - 8 && is_call(t, before->rip))
                t->caller[t->depth++] = caller_now(now, top, now->rsp + 8, false);
        else if (now->gpr[11] == MACHINE_MAGIC && now->rip - before->rip > 15) /* an instruction has no more bytes */
                t->caller[t->depth++] = caller_now(now, now->gpr[8], now->gpr[9], true);
        while (t->depth && t->caller[t->depth - 1].rip == now->rip && t->caller[t->depth - 1].rsp == now->rsp)
                t->depth--;
}

static const char *difference(const struct x64_registers *r, const struct caller *c)
{
        static char text[64];
        if (r->rip != c->rip || r->gpr[X64_RSP] != c->rsp)
                return r->rip != c->rip ? "rip" : "rsp";
        if (r->exact != c->machine)
                return "exact";
        for (size_t i = 0; i < sizeof kept; i++)
                if (!(r->known >> kept[i] & 1) || r->gpr[kept[i]] != c->gpr[kept[i]]) {
                        snprintf(text, sizeof text, "register %u", kept[i]);
                        return text;
                }
        for (unsigned i = 6; i < 16; i++)
                if (!(r->xmm_known >> i & 1) || memcmp(r->xmm[i], c->xmm[i], 16) != 0) {
                        snprintf(text, sizeof text, "xmm%u", i);
                        return text;
                }
        return NULL;
}

static void check(struct trial *t, const struct state *now)
{
        const struct x64_memory memory = { read_child, function_at, &t->judge };
        struct x64_registers r;
        x64_start(&r, now->rip, now->rsp, true);
        for (unsigned i = 0; i < 16; i++)
                x64_set(&r, i, now->gpr[i], X64_NOWHERE);
        memcpy(r.xmm, now->xmm, sizeof r.xmm);
        r.xmm_known = 0xffff;
        for (size_t i = t->depth; i-- > 0;) {
                struct x64_step step = x64_unwind(&memory, &r);
                const char *why = step.way == X64_BROKEN ? step.why : difference(&r, &t->caller[i]);
                t->seen[step.way]++;
                t->frames++;
                if (!why)
                        continue;
                if (t->wrong++ < 20)
                        fprintf(stderr, "at 0x%llx, frame %zu of %zu: %s (way %d)\n", (unsigned long long)now->rip,
                                t->depth - i, t->depth, why, step.way);
                return;
        }
        t->checked++;
}

/* ---- the program, step by step */

typedef int __attribute__((ms_abi)) entry_fn(void);

static void child_main(const struct program *p)
{
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
                _exit(1);
        raise(SIGSTOP);
        ((entry_fn *)(uintptr_t)(p->base + p->entry))();
        _exit(0);
}

static bool next(struct trial *t, struct state *ret_state)
{
        int status;
        if (ptrace(PTRACE_SINGLESTEP, t->judge.child, NULL, NULL) || waitpid(t->judge.child, &status, 0) < 0)
                die("ptrace");
        if (WIFSTOPPED(status) && WSTOPSIG(status) != SIGTRAP) {
                struct state s = state_of(t->judge.child);
                fprintf(stderr, "signal %d at 0x%llx\n", WSTOPSIG(status), (unsigned long long)s.rip);
                t->wrong++;
        }
        if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP)
                return false;
        *ret_state = state_of(t->judge.child);
        return true;
}

static bool inside(const struct trial *t, uint64_t rip) { return rip - t->judge.program.base < t->judge.program.size; }

static void run(struct trial *t)
{
        struct state now;
        int status;
        bool entered = false;
        if (waitpid(t->judge.child, &status, 0) < 0 || !WIFSTOPPED(status))
                die("the child did not stop");
        t->before = state_of(t->judge.child);
        for (unsigned long i = 0; i < STEPS_MAX && next(t, &now); i++, t->before = now) {
                if (!entered && !inside(t, now.rip))
                        continue;
                entered = true;
                follow(t, &now);
                if (t->depth == 0) { /* back */
                        kill(t->judge.child, SIGKILL);
                        waitpid(t->judge.child, &status, 0);
                        return;
                }
                check(t, &now);
        }
        t->wrong++;
        fprintf(stderr, "the program did not come to its end\n");
        kill(t->judge.child, SIGKILL);
}

static bool trial(const char *path)
{
        struct trial *t = calloc(1, sizeof *t);
        if (!t)
                die("memory");
        t->judge.program = map_program(path);
        t->judge.child = fork();
        if (t->judge.child == 0)
                child_main(&t->judge.program);
        run(t);
        for (int way = X64_LEAF; way <= X64_MACHINE_FRAME; way++)
                if (!t->seen[way]) {
                        fprintf(stderr, "no step went way %d\n", way);
                        t->wrong++;
                }
        printf("%s: %lu instructions, %lu frames: %lu leaf, %lu by codes, %lu epilogue, %lu machine; %lu wrong\n", path,
               t->checked, t->frames, t->seen[X64_LEAF], t->seen[X64_UNWOUND], t->seen[X64_EPILOGUE],
               t->seen[X64_MACHINE_FRAME], t->wrong);
        munmap((void *)(uintptr_t)t->judge.program.base, t->judge.program.size);
        bool good = t->wrong == 0 && t->checked > 1000;
        free(t);
        return good;
}

int main(int argc, char **argv)
{
        bool good = true;
        if (argc < 2) {
                puts("no x86_64-w64-mingw32-gcc (package gcc-mingw-w64-x86-64), or not an x86-64: nothing to be "
                     "judged");
                return 77;
        }
        for (int i = 1; i < argc; i++)
                good = trial(argv[i]) && good;
        return good ? 0 : 1;
}
