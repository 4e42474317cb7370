/* SPDX-License-Identifier: MIT */
/* Without a fuzzer every target is a replay program: each file named (or each file of a folder) goes through once. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
        FILE *f = fopen(path, "rb");
        struct stat st;
        if (!f || fstat(fileno(f), &st) < 0) {
                perror(path);
                return 1;
        }
        uint8_t *data = malloc((size_t)st.st_size + 1);
        size_t len = data ? fread(data, 1, (size_t)st.st_size, f) : 0;
        fclose(f);
        if (data)
                LLVMFuzzerTestOneInput(data, len);
        free(data);
        return data ? 0 : 1;
}

static int replay(const char *path, size_t *count)
{
        DIR *dir = opendir(path);
        if (!dir) {
                (*count)++;
                return replay_file(path);
        }
        int bad = 0;
        for (struct dirent *e; (e = readdir(dir));) {
                char name[4096];
                if (e->d_name[0] == '.')
                        continue;
                snprintf(name, sizeof name, "%s/%s", path, e->d_name);
                (*count)++;
                bad |= replay_file(name);
        }
        closedir(dir);
        return bad;
}

int main(int argc, char **argv)
{
        size_t count = 0;
        int bad = 0;
        for (int i = 1; i < argc; i++)
                bad |= replay(argv[i], &count);
        printf("replayed %zu inputs\n", count);
        return bad || count == 0;
}
