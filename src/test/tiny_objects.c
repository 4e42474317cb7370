/* SPDX-License-Identifier: MIT */
#include "tiny_objects.h"

#include <string.h>

/* The kernel's variables. */
enum { PROCESS_TYPE = 0x2020, TYPE_TABLE = 0x2100 };
enum { ROOM = 0x4000, FIRST_NUMBER = 2, HAS_NAME = 2, HAS_QUOTA = 8 };

static const char *const names[TINY_TYPES] = { "Type",      "Directory", "Process", "Thread", "Event", "Mutant",
                                               "Semaphore", "Timer",     "Port",    "File",   "Device" };

static const char *name_of_type(const struct tiny *t, enum tiny_type type)
{
        return type == TINY_PORT && t->is64 ? "ALPC Port" : names[type];
}

static uint32_t body_at(const struct tiny *t) { return t->is64 ? 0x30 : 0x18; }
static uint32_t name_len(const struct tiny *t) { return t->is64 ? 0x20 : 0x10; }
static uint32_t quota_len(const struct tiny *t) { return t->is64 ? 0x20 : 0x10; }

uint64_t tiny_take(struct tiny *t, struct tiny_objects *o, uint32_t len)
{
        uint64_t at = o->next;
        o->next += (len + 15) & ~15u;
        if (o->next > o->end)
                world_at(&t->world, 0); /* ends the program */
        return at;
}

static uint32_t key_of(const struct tiny *t, enum tiny_type type)
{
        const char *name = name_of_type(t, type);
        uint32_t key = 0;
        for (unsigned i = 0; i < 4; i++)
                key |= (uint32_t)(unsigned char)name[i] << 8 * i;
        return key;
}

void tiny_header(struct tiny *t, const struct tiny_objects *o, uint64_t body, enum tiny_type type, const char *name)
{
        uint64_t header = body - body_at(t);
        tiny_set(t, header, "OBJECT_HEADER.PointerCount", 2);
        if (!t->is64) {
                tiny_set(t, header, "OBJECT_HEADER.Type", o->type[type]);
                tiny_set(t, header, "OBJECT_HEADER.NameInfoOffset", name ? name_len(t) : 0);
                return;
        }
        tiny_set(t, header, "OBJECT_HEADER.TypeIndex",
                 (uint64_t)(type + FIRST_NUMBER) ^ TINY_COOKIE ^ (header >> 8 & 0xff));
        tiny_set(t, header, "OBJECT_HEADER.InfoMask", HAS_QUOTA | (name ? HAS_NAME : 0));
}

uint64_t tiny_object(struct tiny *t, struct tiny_objects *o, enum tiny_type type, uint32_t len, const char *name,
                     uint64_t directory)
{
        uint64_t block = tiny_take(t, o, (t->is64 ? 0x10 : 8) + quota_len(t) + name_len(t) + body_at(t) + len);
        uint64_t info = block + (t->is64 ? 0x10 : 8) + (t->is64 ? quota_len(t) : 0);
        uint64_t body = info + (name ? name_len(t) : 0) + body_at(t);
        tiny_set(t, block, "POOL_HEADER.PoolTag", key_of(t, type) | (t->is64 ? 0 : 0x80000000));
        tiny_header(t, o, body, type, name);
        if (!name)
                return body;
        tiny_string(t, info + tiny_place(t, "OBJECT_HEADER_NAME_INFO.Name").at,
                    tiny_take(t, o, 2 * (uint32_t)strlen(name) + 2), name);
        tiny_set(t, info, "OBJECT_HEADER_NAME_INFO.Directory", directory);
        return body;
}

static void put_in_directory(struct tiny *t, struct tiny_objects *o, uint64_t directory, unsigned bucket,
                             uint64_t object)
{
        uint64_t entry = tiny_take(t, o, 0x20), slot = directory + bucket * t->pointer;
        uint64_t before = 0;
        memcpy(&before, world_at(&t->world, slot), t->pointer);
        tiny_set(t, entry, "OBJECT_DIRECTORY_ENTRY.ChainLink", before);
        tiny_set(t, entry, "OBJECT_DIRECTORY_ENTRY.Object", object);
        tiny_pointer(t, slot, entry);
}

static void put_types(struct tiny *t, struct tiny_objects *o)
{
        for (unsigned i = 0; i < TINY_TYPES; i++) {
                uint64_t type = o->type[i];
                const char *name = name_of_type(t, (enum tiny_type)i);
                tiny_string(t, type + tiny_place(t, "OBJECT_TYPE.Name").at,
                            tiny_take(t, o, 2 * (uint32_t)strlen(name) + 2), name);
                tiny_set(t, type, "OBJECT_TYPE.Index", i + (t->is64 ? FIRST_NUMBER : 0));
                tiny_set(t, type, "OBJECT_TYPE.Key", key_of(t, (enum tiny_type)i));
                put_in_directory(t, o, o->types, i % 5, type);
                tiny_pointer(t, o->table + (i + FIRST_NUMBER) * t->pointer, type);
        }
}

void tiny_objects(struct tiny *t, struct tiny_objects *o)
{
        uint32_t type_len = t->is64 ? 0xd8 : 0x190, directory_len = 38 * t->pointer;
        memset(o, 0, sizeof(*o));
        o->next = t->pool + 0x10000;
        o->end = o->next + ROOM;
        o->table = t->kernel + TYPE_TABLE;
        world_map(&t->world, o->next, ROOM);
        /* x86 headers name the types' addresses: these first, their headers again when all are known */
        for (unsigned i = 0; i < TINY_TYPES; i++)
                o->type[i] = tiny_object(t, o, TINY_TYPE, type_len, name_of_type(t, (enum tiny_type)i), 0);
        o->root = tiny_object(t, o, TINY_DIRECTORY, directory_len, "\\", 0);
        o->types = tiny_object(t, o, TINY_DIRECTORY, directory_len, "ObjectTypes", o->root);
        for (unsigned i = 0; i < TINY_TYPES; i++) {
                tiny_header(t, o, o->type[i], TINY_TYPE, "");
                tiny_set(t, o->type[i] - body_at(t) - name_len(t), "OBJECT_HEADER_NAME_INFO.Directory", o->types);
        }
        put_types(t, o);
        for (unsigned i = TINY_SYSTEM; i < TINY_PROCESSES; i++)
                tiny_header(t, o, t->process[i], TINY_PROCESS_TYPE, NULL);
        for (unsigned i = TINY_WORKER; i < TINY_THREADS; i++)
                tiny_header(t, o, t->thread[i], TINY_THREAD_TYPE, NULL);
        tiny_pointer(t, t->kernel + PROCESS_TYPE, o->type[TINY_PROCESS_TYPE]);
}
