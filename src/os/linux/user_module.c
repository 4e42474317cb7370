/* SPDX-License-Identifier: MIT */
/*
 * ELF files as they are mapped: where their tables for unwinding and their symbols are. Everything comes from the
 * memory of the process, as a fault would show it. Source of the structures: System V ABI, "Object Files".
 */
#include <stdlib.h>
#include <string.h>

#include "../../base/arena.h"
#include "../../base/bytes.h"
#include "user.h"

#define SEGMENTS_MAX 128
#define PAGE UINT64_C(4096)

/* Places in the headers of both classes. */
static const struct elf_places {
        uint8_t size, phoff, phentsize, phnum;
        uint8_t segment, offset, vaddr, filesz, memsz, word;
} places[2] = {
        { 52, 28, 42, 44, 32, 4, 8, 16, 20, 4 },
        { 64, 32, 54, 56, 56, 8, 16, 32, 40, 8 },
};
enum { PT_LOAD = 1, PT_DYNAMIC = 2, PT_GNU_EH_FRAME = 0x6474e550 };

struct segment {
        uint32_t kind;
        uint64_t offset, vaddr, filesz, memsz;
};
struct elf {
        struct linux_user *user;
        uint64_t head;     /* where its first byte is mapped; 0: nowhere */
        uint64_t at, page; /* pc, and what of the file it shows */
        const struct elf_places *places;
        struct segment segment[SEGMENTS_MAX];
        size_t count;
};

/* Of the file's beginning: as mapped, else as the page cache has it. */
static bool read_head(struct elf *elf, uint64_t mapping, uint64_t at, void *buf, size_t len)
{
        if (elf->head && at < PAGE * 16 && stasis_space_read(&elf->user->space, elf->head + at, buf, len) == STASIS_OK)
                return true;
        return mapping && user_file_read(elf->user, mapping, at, buf, len);
}

static bool read_segments(struct elf *elf, struct user_module *m)
{
        uint8_t head[64], one[56];
        m->unread = !read_head(elf, m->mapping, 0, head, sizeof head);
        if (m->unread || memcmp(head, "\177ELF", 4) != 0 || head[4] < 1 || head[4] > 2 || head[5] != 1)
                return false;
        m->machine = head[4] == 2 ? &cfi_x64 : &cfi_x86;
        const struct elf_places *p = elf->places = &places[head[4] - 1];
        if (load_le16(head + 18) != (head[4] == 2 ? 62 : 3) || load_le16(head + p->phentsize) != p->segment)
                return false;
        uint64_t table = load_le(head + p->phoff, p->word);
        size_t count = load_le16(head + p->phnum);
        count = count < SEGMENTS_MAX ? count : SEGMENTS_MAX;
        for (size_t i = 0; i < count; i++) {
                m->unread = !read_head(elf, m->mapping, table + i * p->segment, one, p->segment);
                if (m->unread)
                        return false;
                elf->segment[i] = (struct segment){ .kind = load_le32(one),
                                                    .offset = load_le(one + p->offset, p->word),
                                                    .vaddr = load_le(one + p->vaddr, p->word),
                                                    .filesz = load_le(one + p->filesz, p->word),
                                                    .memsz = load_le(one + p->memsz, p->word) };
        }
        elf->count = count;
        return true;
}

/* The segment that shows this byte of the file tells how far all were moved; mappings are whole pages. */
static bool find_bias(const struct elf *elf, uint64_t offset, struct user_module *m)
{
        for (size_t i = 0; i < elf->count; i++) {
                const struct segment *s = &elf->segment[i];
                uint64_t first = s->offset & ~(PAGE - 1);
                if (s->kind != PT_LOAD || offset < first || offset - first >= s->filesz + (s->offset - first))
                        continue;
                m->bias = elf->at - (s->vaddr + (offset - s->offset));
                return true;
        }
        return false;
}

static uint64_t moved(const struct user_module *m, uint64_t va)
{
        va += m->bias;
        return m->machine->word == 4 ? va & UINT32_MAX : va;
}

static void take_segments(struct elf *elf, struct user_module *m)
{
        m->low = UINT64_MAX;
        for (size_t i = 0; i < elf->count; i++) {
                const struct segment *s = &elf->segment[i];
                uint64_t low = moved(m, s->vaddr & ~(PAGE - 1)), high = moved(m, s->vaddr) + s->memsz;
                if (s->kind == PT_LOAD && high > low) {
                        m->low = low < m->low ? low : m->low;
                        m->high = high > m->high ? high : m->high;
                }
                if (s->kind == PT_GNU_EH_FRAME) {
                        m->header = moved(m, s->vaddr);
                        m->header_len = s->memsz;
                }
        }
        user_sections(elf->user, m);
        for (size_t i = 0; i < elf->count && !m->symbols.len; i++)
                if (elf->segment[i].kind == PT_DYNAMIC)
                        user_dynamic(elf->user, m, moved(m, elf->segment[i].vaddr), elf->segment[i].memsz);
}

/* The last part of its path; of what the kernel maps without a file only the vDSO has a name. */
static const char *file_name(struct linux_user *user, const struct user_vma *vma)
{
        const struct linux_system *l = user->l;
        uint64_t dentry, name, len, vdso;
        uint8_t text[256];
        if (!vma->file) {
                bool is = read_place(l->kernel, user->mm, &user->at.vdso, &vdso) == STASIS_OK && vdso == vma->start;
                return is ? "[vdso]" : NULL;
        }
        if (read_place(l->kernel, vma->file, &l->at.file_dentry, &dentry) != STASIS_OK ||
            read_place(l->kernel, dentry, &l->at.d_name, &name) != STASIS_OK ||
            read_place(l->kernel, dentry, &l->at.d_len, &len) != STASIS_OK || len == 0 || len > 255 ||
            stasis_space_read(l->kernel, name, text, (size_t)len) != STASIS_OK)
                return NULL;
        return text_from_utf8(&user->names, text, (size_t)len);
}

static void load_module(struct linux_user *user, const struct user_vma *vma, uint64_t pc, struct user_module *m)
{
        struct elf elf = { .user = user, .at = pc };
        struct user_vma first;
        uint64_t shown = vma->file ? vma->first_page * PAGE : 0, offset = shown + (pc - vma->start);
        *m = (struct user_module){ .low = vma->start, .high = vma->end, .file = vma->file };
        m->name = file_name(user, vma);
        m->mapping = user_file_mapping(user, vma->file);
        if (shown <= vma->start && user_vma_at(user, vma->start - shown, &first) && first.file == vma->file &&
            (!vma->file || first.first_page == 0))
                elf.head = first.start;
        if (read_segments(&elf, m) && find_bias(&elf, offset, m))
                take_segments(&elf, m);
        else
                m->machine = NULL;
        if (pc < m->low || pc >= m->high) { /* headers of something else */
                m->machine = NULL;
                m->low = vma->start;
                m->high = vma->end;
        }
}

const struct user_module *user_module_at(struct linux_user *user, uint64_t pc)
{
        struct user_vma vma;
        for (size_t i = 0; i < user->module_count; i++)
                if (pc >= user->module[i].low && pc < user->module[i].high)
                        return &user->module[i];
        if (!user_vma_at(user, pc, &vma))
                return NULL;
        struct user_module *m = &user->module[user->module_next];
        user->module_next = (user->module_next + 1) % USER_MODULES;
        user->module_count += user->module_count < USER_MODULES;
        load_module(user, &vma, pc, m);
        return m;
}

/* ---------------------------------------------------------------- what is kept of files */

void user_file_drop(struct user_file *file)
{
        cfi_index_free(&file->frames);
        free(file->symbol);
        *file = (struct user_file){ .mapping = 0 };
}

struct user_file *user_file_of(struct linux_user *user, const struct user_module *m)
{
        uint64_t bias = m->mapping ? 0 : m->bias;
        for (size_t i = 0; i < user->file_count; i++)
                if (user->files[i].mapping == m->mapping && user->files[i].bias == bias)
                        return &user->files[i];
        struct user_file *file = &user->files[user->file_next];
        user->file_next = (user->file_next + 1) % USER_FILES;
        user->file_count += user->file_count < USER_FILES;
        user_file_drop(file);
        file->mapping = m->mapping;
        file->bias = bias;
        return file;
}

static enum stasis_status find_in_index(struct linux_user *user, const struct user_module *m, uint64_t pc,
                                        uint64_t *ret_va)
{
        struct user_file *file = user_file_of(user, m);
        if (!file->frames_tried && cfi_index_make(&user->space, m->machine, m->frames, m->frames_len, m->bias,
                                                  &file->frames, &file->frames_whole) == STASIS_NOMEM)
                user->l->no_memory = true;
        file->frames_tried = true;
        uint64_t fde = cfi_index_find(&file->frames, pc - m->bias);
        *ret_va = fde ? moved(m, fde) : 0;
        return fde || file->frames_whole ? STASIS_OK : STASIS_ABSENT;
}

enum stasis_status user_entry_at(struct linux_user *user, uint64_t pc, struct cfi_entry *ret_entry)
{
        const struct user_module *m = user_module_at(user, pc);
        struct cfi_entry e;
        uint64_t va = 0;
        if (!m || (m->machine && !m->header_len && !m->frames_len))
                return STASIS_UNSUPPORTED;
        if (!m->machine)
                return m->unread ? STASIS_IO : STASIS_UNSUPPORTED;
        enum stasis_status status = m->header_len ? cfi_find(&user->space, m->header, m->header_len, pc, &va)
                                                  : find_in_index(user, m, pc, &va);
        if (status == STASIS_OK)
                status = va ? cfi_entry_read(&user->space, m->machine, va, &e) : STASIS_UNSUPPORTED;
        if (status == STASIS_OK && (pc < e.start || pc >= e.end))
                status = STASIS_UNSUPPORTED;
        if (status == STASIS_OK)
                *ret_entry = e;
        return status;
}
