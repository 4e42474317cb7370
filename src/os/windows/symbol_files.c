/* SPDX-License-Identifier: MIT */
/* Looking for symbol files, and keeping those that were found. */
#include "symbol_files.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "../../base/error.h"
#include "../../base/map.h"
#include "../layout_internal.h"

#define GIVEN_MAX 16
#define FOUND_MAX 1024      /* modules whose files were looked for */
#define ENTRIES_MAX 1000000 /* of one folder */
#define PATH_LEN 4096

struct given {
        const char *path;
        bool folder, used;
        struct stasis_pdb_id id; /* of a file that is given singly */
        struct stasis_layout *isf;
};

struct found {
        char name[64];
        struct stasis_pdb_id id;
        struct module_symbols symbols;
        struct stasis_map map;
        bool mapped;
        struct pdb *pdb;
        struct stasis_layout *isf; /* that this owns: of a folder */
};

struct symbol_files {
        struct stasis_system *system;
        struct given given[GIVEN_MAX];
        size_t given_count;
        struct found *found[FOUND_MAX];
        size_t found_count;
};

void symbol_store_id(const struct stasis_pdb_id *id, char buf[static 48])
{
        const uint8_t *g = id->guid;

        snprintf(buf, 48, "%02X%02X%02X%02X%02X%02X%02X%02X%02X%02X%02X%02X%02X%02X%02X%02X%X", g[3], g[2], g[1], g[0],
                 g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15], id->age);
}

static bool same_id(const struct stasis_pdb_id *a, const struct stasis_pdb_id *b)
{
        return memcmp(a->guid, b->guid, sizeof a->guid) == 0 && a->age == b->age;
}

static const char *base_of(const char *path)
{
        const char *slash = strrchr(path, '/');
        return slash ? slash + 1 : path;
}

/* ---------------------------------------------------------------- what is given */

static bool is_isf(struct stasis_bytes b)
{
        size_t at = 0;

        if (b.len >= 6 && memcmp(b.at,
                                 "\xfd"
                                 "7zXZ\0",
                                 6) == 0)
                return true;
        while (at < b.len && at < 4096 && isspace(b.at[at]))
                at++;
        return at < b.len && b.at[at] == '{';
}

static enum stasis_status give_file(struct given *given, struct stasis_error *err)
{
        struct stasis_map map;
        enum stasis_status status = stasis_map_open(given->path, &map, err);

        if (status != STASIS_OK)
                return status;
        if (pdb_probe(map.bytes))
                status = pdb_identify(map.bytes, given->path, &given->id, err);
        else if (is_isf(map.bytes))
                status = stasis_layout_open_isf(given->path, &given->isf, err);
        else
                status = stasis_fail(err, STASIS_USAGE,
                                     "%s: neither a PDB nor an ISF file, which is what a Windows image can use",
                                     given->path);
        stasis_map_close(&map);
        if (status == STASIS_OK && given->isf && !layout_isf_pdb(given->isf, &given->id))
                return stasis_fail(err, STASIS_USAGE, "%s: does not say which PDB it was made from; --layout takes it",
                                   given->path);
        return status;
}

enum stasis_status symbol_files_open(struct stasis_system *system, struct symbol_files **ret_files,
                                     struct stasis_error *err)
{
        const struct stasis_system_options *options = &system->options;
        enum stasis_status status = STASIS_OK;
        struct stat st;

        if (!options->symbol_count)
                return STASIS_OK;
        if (options->symbol_count > GIVEN_MAX)
                return stasis_fail(err, STASIS_USAGE, "from 1 to %d symbol files or folders can be given", GIVEN_MAX);
        struct symbol_files *files = calloc(1, sizeof *files);
        if (!files)
                return stasis_fail(err, STASIS_NOMEM, "out of memory");
        files->system = system;
        for (size_t i = 0; i < options->symbol_count && status == STASIS_OK; i++) {
                struct given *given = &files->given[files->given_count++];
                given->path = options->symbols[i];
                given->folder = stat(given->path, &st) == 0 && S_ISDIR(st.st_mode);
                if (!given->folder)
                        status = give_file(given, err);
        }
        if (status == STASIS_OK)
                *ret_files = files;
        else
                symbol_files_close(files);
        return status;
}

void symbol_files_close(struct symbol_files *files)
{
        if (!files)
                return;
        for (size_t i = 0; i < files->found_count; i++) {
                struct found *f = files->found[i];
                pdb_close(f->pdb);
                stasis_layout_close(f->isf);
                if (f->mapped)
                        stasis_map_close(&f->map);
                free(f);
        }
        for (size_t i = 0; i < files->given_count; i++)
                stasis_layout_close(files->given[i].isf);
        free(files);
}

const char *symbol_files_unused(const struct symbol_files *files, size_t index, bool *ret_folder)
{
        for (size_t i = 0; files && i < files->given_count; i++)
                if (!files->given[i].used && index-- == 0) {
                        *ret_folder = files->given[i].folder;
                        return files->given[i].path;
                }
        return NULL;
}

/* ---------------------------------------------------------------- a file in a folder */

/* path grows by "/name", whatever case its letters have there. False where there is none. */
static bool step(char path[static PATH_LEN], const char *name)
{
        size_t len = strlen(path);
        struct stat st;
        struct dirent *entry;
        bool found = false;

        if (!*name || strchr(name, '/') || name[0] == '.' || len + 258 > PATH_LEN || strlen(name) > 255)
                return false;
        snprintf(path + len, PATH_LEN - len, "/%s", name);
        if (stat(path, &st) == 0)
                return true;
        path[len] = '\0';
        DIR *dir = opendir(path);
        for (unsigned i = 0; dir && i < ENTRIES_MAX && !found && (entry = readdir(dir)); i++)
                if (strcasecmp(entry->d_name, name) == 0) {
                        snprintf(path + len, PATH_LEN - len, "/%s", entry->d_name);
                        found = true;
                }
        if (dir)
                closedir(dir);
        return found;
}

static bool steps(char path[static PATH_LEN], const char *folder, const char *const *names)
{
        struct stat st;

        snprintf(path, PATH_LEN, "%s", folder);
        for (; *names; names++)
                if (!step(path, *names))
                        return false;
        return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* Places in the order in which they are tried. packed: as a symbol server compresses it. */
static bool find_in(const char *folder, const char *name, const struct stasis_pdb_id *id, size_t which,
                    char path[static PATH_LEN])
{
        char store[48], two[3] = { name[0], name[0] ? name[1] : '\0', '\0' }, packed[64], guid[48], isf[2][96];

        symbol_store_id(id, store);
        snprintf(packed, sizeof packed, "%s", name);
        if (*packed)
                packed[strlen(packed) - 1] = '_';
        snprintf(guid, sizeof guid, "%.32s", store);
        snprintf(isf[0], sizeof isf[0], "%s-%u.json.xz", guid, id->age);
        snprintf(isf[1], sizeof isf[1], "%s-%u.json", guid, id->age);
        const char *const places[][5] = {
                { name, store, name, NULL },
                { two, name, store, name, NULL },
                { name, NULL },
                { name, isf[0], NULL },
                { name, isf[1], NULL },
                { "windows", name, isf[0], NULL },
                { "windows", name, isf[1], NULL },
                { name, store, packed, NULL },
                { two, name, store, packed, NULL },
                { packed, NULL },
        };
        return which < sizeof places / sizeof *places && steps(path, folder, places[which]);
}
#define PLACES 10

/* ---------------------------------------------------------------- what is found */

static void note(struct symbol_files *files, const char *code, const char *text)
{
        system_note(files->system, STASIS_NOTE_WARNING, code, 0, -1, -1, "%s", text);
}

static void note_other(struct symbol_files *files, const char *path, const struct stasis_pdb_id *is,
                       const struct found *f)
{
        char has[48], wants[48];

        symbol_store_id(is, has);
        symbol_store_id(&f->id, wants);
        system_note(files->system, STASIS_NOTE_WARNING, "symbols-of-another", 0, -1, -1,
                    "%s is not used: it is %.32s, age %s, and the image's %s is %.32s, age %s", path, has, has + 32,
                    f->name, wants, wants + 32);
}

static void keep(struct symbol_files *files, struct found *f, const char *path, const struct pdb *pdb,
                 const struct stasis_layout *layout)
{
        const char *kept = stasis_arena_strndup(&files->system->arena, path, strlen(path));

        f->symbols = (struct module_symbols){ kept ? kept : "", pdb, layout };
}

/* True where path was used; what was not is said. */
static bool use_pdb(struct symbol_files *files, struct found *f, const char *path)
{
        struct stasis_error err = { 0 };
        struct stasis_pdb_id id;

        if (pdb_identify(f->map.bytes, path, &id, &err) == STASIS_OK) {
                if (!same_id(&id, &f->id)) {
                        note_other(files, path, &id, f);
                        return false;
                }
                if (pdb_open(f->map.bytes, path, &f->pdb, &err) == STASIS_OK) {
                        keep(files, f, path, f->pdb, pdb_layout(f->pdb));
                        return true;
                }
        }
        note(files, err.status == STASIS_UNSUPPORTED ? "symbols-refused" : "symbols-damaged", err.text);
        return false;
}

static bool use_isf(struct symbol_files *files, struct found *f, const char *path)
{
        struct stasis_error err = { 0 };
        struct stasis_pdb_id id;

        if (stasis_layout_open_isf(path, &f->isf, &err) != STASIS_OK) {
                note(files, "symbols-damaged", err.text);
                return false;
        }
        if (layout_isf_pdb(f->isf, &id) && same_id(&id, &f->id)) {
                keep(files, f, path, NULL, f->isf);
                return true;
        }
        if (layout_isf_pdb(f->isf, &id))
                note_other(files, path, &id, f);
        stasis_layout_close(f->isf);
        f->isf = NULL;
        return false;
}

static bool use_file(struct symbol_files *files, struct found *f, const char *path)
{
        struct stasis_error err = { 0 };

        if (stasis_map_open(path, &f->map, &err) != STASIS_OK) {
                note(files, "symbols-damaged", err.text);
                return false;
        }
        f->mapped = true;
        bool used = is_isf(f->map.bytes) ? use_isf(files, f, path) : use_pdb(files, f, path);
        if (used && f->pdb)
                return true;
        stasis_map_close(&f->map);
        f->mapped = false;
        return used;
}

static bool use_given(struct symbol_files *files, struct found *f, struct given *given)
{
        if (same_id(&given->id, &f->id)) {
                given->used = true;
                if (!given->isf)
                        return use_file(files, f, given->path);
                keep(files, f, given->path, NULL, given->isf);
                return true;
        }
        if (strcasecmp(base_of(given->path), f->name) == 0) {
                note_other(files, given->path, &given->id, f);
                given->used = true; /* said */
        }
        return false;
}

static void search(struct symbol_files *files, struct found *f)
{
        char path[PATH_LEN];

        for (size_t i = 0; i < files->given_count; i++) {
                struct given *given = &files->given[i];
                if (!given->folder && use_given(files, f, given))
                        return;
                for (size_t k = 0; given->folder && k < PLACES; k++)
                        if (find_in(given->path, f->name, &f->id, k, path)) {
                                given->used = true; /* or said why not */
                                if (use_file(files, f, path))
                                        return;
                        }
        }
}

struct module_symbols symbol_files_find(struct symbol_files *files, const char *name, const struct stasis_pdb_id *id)
{
        for (size_t i = 0; files && i < files->found_count; i++)
                if (same_id(&files->found[i]->id, id) && strcmp(files->found[i]->name, name) == 0)
                        return files->found[i]->symbols;
        struct found *f = files && files->found_count < FOUND_MAX ? calloc(1, sizeof *f) : NULL;
        if (!f)
                return (struct module_symbols){ 0 };
        files->found[files->found_count++] = f;
        snprintf(f->name, sizeof f->name, "%s", name);
        f->id = *id;
        search(files, f);
        return f->symbols;
}
