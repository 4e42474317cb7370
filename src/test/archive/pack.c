/* SPDX-License-Identifier: MIT */
/*
 * pack < LINES: archives as libarchive writes them, without times and owners, so that the same files give the same
 * bytes. A line, its words separated by tabs: FORMAT FILTER OUT [FILE NAME]... ("raw gzip OUT FILE x" is a .gz file).
 */
#include <archive.h>
#include <archive_entry.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(int code, struct archive *a, const char *what)
{
        if (code == ARCHIVE_OK)
                return;
        fprintf(stderr, "pack: %s: %s\n", what, a ? archive_error_string(a) : "");
        exit(EXIT_FAILURE);
}

static void add(struct archive *a, const char *path, const char *name)
{
        static char buf[1 << 16];
        struct archive_entry *entry = archive_entry_new();
        FILE *file = fopen(path, "rb");
        size_t len;

        must(file && entry ? ARCHIVE_OK : ARCHIVE_FATAL, NULL, path);
        must(fseek(file, 0, SEEK_END), NULL, path);
        archive_entry_set_pathname(entry, name);
        archive_entry_set_size(entry, ftell(file));
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_perm(entry, 0644);
        archive_entry_set_mtime(entry, 1000000000, 0);
        rewind(file);
        must(archive_write_header(a, entry), a, name);
        while ((len = fread(buf, 1, sizeof(buf), file)) > 0)
                must(archive_write_data(a, buf, len) == (la_ssize_t)len ? ARCHIVE_OK : ARCHIVE_FATAL, a, name);
        fclose(file);
        archive_entry_free(entry);
}

static void pack(char *line)
{
        const char *format = strtok(line, "\t"), *filter = strtok(NULL, "\t"), *out = strtok(NULL, "\t"), *path;
        struct archive *a = archive_write_new();

        must(a && out ? ARCHIVE_OK : ARCHIVE_FATAL, NULL, "a line");
        must(archive_write_set_format_by_name(a, format), a, format);
        if (strcmp(filter, "none") != 0)
                must(archive_write_add_filter_by_name(a, filter), a, filter);
        if (strcmp(filter, "gzip") == 0)
                must(archive_write_set_filter_option(a, "gzip", "timestamp", NULL), a, "timestamp");
        must(archive_write_open_filename(a, out), a, out);
        while ((path = strtok(NULL, "\t")))
                add(a, path, strtok(NULL, "\t"));
        must(archive_write_close(a), a, out);
        archive_write_free(a);
}

int main(void)
{
        char *line = NULL;
        size_t capacity = 0;
        ssize_t len;

        while ((len = getline(&line, &capacity, stdin)) > 0) {
                line[strcspn(line, "\n")] = '\0';
                pack(line);
        }
        free(line);
        return EXIT_SUCCESS;
}
