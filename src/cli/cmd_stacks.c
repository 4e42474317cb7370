/* SPDX-License-Identifier: MIT */
/*
 * stasis stacks: identical stacks grouped and counted. Kept of each thread is a hash of its frames and who it is; the
 * frames of a group are decoded once more when they are printed. What is the same in two processes is told by module
 * and offset, never by address: a library lies elsewhere in each.
 */
#include "stacks.h"

#include <stdlib.h>
#include <string.h>

#include "list.h"

const struct stack_part stack_parts[STACK_PARTS] = {
        { "stack", "frames", "", false },
        { "user_stack", "user_frames", "user", true },
        { "wow64_stack", "wow64_frames", "WoW64", true },
};

bool stack_part_wanted(const struct cli *cli, size_t part)
{
        return (!stack_parts[part].user || cli->user) && list_column_of(cli, STASIS_THREADS, stack_parts[part].key);
}

/* ---- what makes two stacks the same */

/* Two lanes of multiply and fold: 128 bits, so that no two stacks of any real image meet. */
static void mix(uint64_t hash[static 2], uint64_t word)
{
        static const uint64_t odd[2] = { UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xc2b2ae3d27d4eb4f) };

        for (unsigned i = 0; i < 2; i++) {
                hash[i] = (hash[i] ^ word) * odd[i];
                hash[i] ^= hash[i] >> 29;
                hash[i] = (hash[i] + word) * odd[1 - i];
                hash[i] ^= hash[i] >> 32;
        }
}

static void mix_text(uint64_t hash[static 2], const char *text)
{
        mix(hash, text ? 1 + strlen(text) : 0);
        for (; text && *text; text++)
                mix(hash, (unsigned char)*text);
}

static void mix_frame(uint64_t hash[static 2], const struct stasis_frame *f)
{
        mix_text(hash, f->module);
        mix_text(hash, f->symbol);
        mix(hash, f->module || f->symbol ? f->offset : f->pc);
        mix(hash, (uint64_t)f->how);
}

/* Where a stack is absent, the reason is what it has in common with others. */
static void mix_part(const struct stasis_record *record, size_t part, struct stack_thread *thread)
{
        const struct stasis_fact *fact = stasis_record_fact(record, stack_parts[part].key);
        uint8_t absence = fact ? fact->absence : STASIS_NOT_KNOWN;

        mix(thread->hash, absence);
        if (absence != STASIS_PRESENT)
                return;
        thread->known = true;
        mix(thread->hash, fact->value);
        for (uint64_t i = 0; i < fact->value; i++)
                mix_frame(thread->hash, &fact->frame[i]);
}

/* ---- gathering */

/* Of what costs only the stacks that are compared; the rest a list of threads has anyway. */
static void choose_parts(struct stacks *s)
{
        const char *keys[STACK_PARTS];
        size_t count = 0;

        for (size_t i = 0; i < STACK_PARTS; i++)
                if (stack_part_wanted(s->cli, i))
                        keys[count++] = stack_parts[i].key;
        stasis_system_choose(s->cli->system, STASIS_THREADS, keys, count);
}

static uint64_t number_of(const struct stasis_record *record, const char *key)
{
        const struct stasis_fact *fact = stasis_record_fact(record, key);
        return fact && fact->absence == STASIS_PRESENT ? fact->value : STASIS_NOWHERE;
}

static const char *name_of(const struct stasis_record *record)
{
        static const char *const keys[] = { "process", "comm", "name" };

        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
                const struct stasis_fact *fact = stasis_record_fact(record, keys[i]);
                if (fact && fact->absence == STASIS_PRESENT && fact->text)
                        return fact->text;
        }
        return "?";
}

static bool grow(struct stacks *s)
{
        if (s->thread_count < s->thread_capacity)
                return true;
        size_t capacity = s->thread_capacity ? 2 * s->thread_capacity : 256;
        struct stack_thread *thread = reallocarray(s->thread, capacity, sizeof(*thread));
        if (!thread)
                return false;
        s->thread = thread;
        s->thread_capacity = capacity;
        return true;
}

static bool gather(struct stacks *s, size_t index, const struct stasis_record *record)
{
        const char *name = name_of(record);

        if (!grow(s))
                return false;
        struct stack_thread *t = &s->thread[s->thread_count], *before = s->thread_count ? t - 1 : NULL;
        *t = (struct stack_thread){ .index = index,
                                    .pid = number_of(record, "pid"),
                                    .tid = number_of(record, "tid"),
                                    .object = record->object };
        if (before && strcmp(before->name, name) == 0)
                t->name = before->name;
        else if ((t->name = strdup(name)))
                t->owns_name = true;
        if (!t->name)
                return false;
        for (size_t i = 0; i < STACK_PARTS; i++)
                if (stack_part_wanted(s->cli, i))
                        mix_part(record, i, t);
        s->thread_count++;
        return true;
}

static enum cli_exit gather_all(struct stacks *s)
{
        struct cli *cli = s->cli;
        const struct stasis_record *record;
        struct stasis_error err = { 0 };

        if (stasis_system_count(cli->system, STASIS_THREADS, &s->total, &err) != STASIS_OK)
                return cli_fail_library(cli, &err, NULL);
        for (size_t i = 0; i < s->total; i++) {
                if (stasis_system_record(cli->system, STASIS_THREADS, i, &record, &err) != STASIS_OK)
                        return cli_fail_library(cli, &err, NULL);
                if (list_is_wanted(cli, STASIS_THREADS, record) && !gather(s, i, record))
                        return cli_fail(cli, "out of memory");
        }
        return CLI_COMPLETE;
}

/* ---- grouping */

static int by_hash(const void *a, const void *b)
{
        const struct stack_thread *x = a, *y = b;

        if (x->known != y->known)
                return x->known ? -1 : 1;
        for (unsigned i = 0; i < 2; i++)
                if (x->hash[i] != y->hash[i])
                        return x->hash[i] < y->hash[i] ? -1 : 1;
        return (x->index > y->index) - (x->index < y->index);
}

/* The first thread's place settles what is equally many, so that a hash decides nothing that is seen. */
static int by_count(const void *a, const void *b)
{
        const struct stack_group *x = a, *y = b;

        if (x->known != y->known)
                return x->known ? -1 : 1;
        if (x->count != y->count)
                return x->count > y->count ? -1 : 1;
        return (x->index > y->index) - (x->index < y->index);
}

static bool same_stack(const struct stack_thread *x, const struct stack_thread *y)
{
        return x->known == y->known && x->hash[0] == y->hash[0] && x->hash[1] == y->hash[1];
}

static bool group_all(struct stacks *s)
{
        if (s->thread_count)
                qsort(s->thread, s->thread_count, sizeof(*s->thread), by_hash);
        for (size_t i = 0; i < s->thread_count; i++)
                s->group_count += i == 0 || !same_stack(&s->thread[i - 1], &s->thread[i]);
        s->group = calloc(s->group_count + 1, sizeof(*s->group));
        if (!s->group)
                return false;
        struct stack_group *group = s->group;
        for (size_t i = 0; i < s->thread_count; i++) {
                if (i && !same_stack(&s->thread[i - 1], &s->thread[i]))
                        group++;
                if (group->count++ == 0) {
                        group->first = i;
                        group->index = s->thread[i].index;
                        group->known = s->thread[i].known;
                }
        }
        qsort(s->group, s->group_count, sizeof(*s->group), by_count);
        return true;
}

/* ---- the verb */

static enum cli_exit write_groups(struct stacks *s)
{
        struct cli *cli = s->cli;
        const struct stacks_writer *writer = stacks_writer_of((enum cli_format)cli->format);
        const struct stasis_record *record;
        struct stasis_error err = { 0 };

        cli_progress_end(cli);
        writer->begin(s);
        for (size_t i = 0; i < s->group_count && !s->json.bad && !ferror(cli->out); i++) {
                if (stasis_system_record(cli->system, STASIS_THREADS, s->group[i].index, &record, &err) != STASIS_OK)
                        return cli_fail_library(cli, &err, NULL);
                writer->group(s, &s->group[i], record);
        }
        writer->end(s);
        return s->json.bad ? cli_fail(cli, "out of memory: the answer is not whole") : CLI_COMPLETE;
}

static void stacks_free(struct stacks *s)
{
        for (size_t i = 0; i < s->thread_count; i++)
                if (s->thread[i].owns_name)
                        free((char *)(uintptr_t)s->thread[i].name);
        free(s->thread);
        free(s->group);
}

enum cli_exit cmd_stacks(struct cli *cli)
{
        struct stacks s = { .cli = cli };

        enum cli_exit failed = cli_open_system(cli);
        if (!failed && cli->state)
                failed = list_check_state(cli);
        if (!failed && !list_column_of(cli, STASIS_THREADS, stack_parts[0].key))
                failed = cli_fail(cli, "%s: stacks of this kind of system cannot be told", cli->image_path);
        if (!failed) {
                choose_parts(&s);
                failed = gather_all(&s);
        }
        if (!failed && !group_all(&s))
                failed = cli_fail(cli, "out of memory");
        if (!failed)
                failed = write_groups(&s);
        stacks_free(&s);
        return failed ? failed : cli_outcome(cli);
}
