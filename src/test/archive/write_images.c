/* SPDX-License-Identifier: MIT */
/*
 * write-images DIR: tiny systems and samples of every format, a file each, for the archive that a batch goes through
 * (images.py makes the many out of these few). A line of the standard output tells what each is: name and kind.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../samples.h"
#include "../tiny_dump.h"
#include "../tiny_linux.h"

static const char *folder;

static void save(const char *name, const char *kind, const void *bytes, size_t len)
{
        char path[4096];

        snprintf(path, sizeof(path), "%s/%s", folder, name);
        FILE *file = fopen(path, "wb");
        if (!file || fwrite(bytes, 1, len, file) != len || fclose(file) != 0) {
                perror(path);
                exit(EXIT_FAILURE);
        }
        printf("%s %s\n", name, kind);
}

static void windows(bool is64)
{
        static struct tiny t;
        static struct tiny_dump d;
        const char *bits = is64 ? "64" : "32";
        char name[64];

        tiny_build(&t, is64);
        tiny_dump(&d, &t);
        snprintf(name, sizeof(name), "windows%s.raw", bits);
        save(name, "windows", t.world.mem, WORLD_LEN);
        snprintf(name, sizeof(name), "windows%s.dmp", bits);
        save(name, "windows", d.bytes, d.header + WORLD_LEN);
        tiny_hide_roots(&t);
        snprintf(name, sizeof(name), "rootless%s.raw", bits);
        save(name, "nothing", t.world.mem, WORLD_LEN);
        tiny_close(&t);
}

static const struct {
        const char *name;
        struct tl_kind kind;
        enum tl_era era;
} linuxes[] = {
        { "linux64.raw", { PT_X64, KSYMS_BEFORE, true, true, true, true, 0x12600000 }, TL_SINCE_5_14 },
        { "linux64-4.15.raw", { PT_X64, KSYMS_BEFORE, true, true, true, true, 0 }, TL_4_15 },
        { "linux32.raw", { PT_X86, KSYMS_BEFORE, true, true, true, true, 0 }, TL_SINCE_5_14 },
        { "linux-pae.raw", { PT_PAE, KSYMS_BEFORE, true, true, true, true, 0 }, TL_3_14 },
};

int main(int argc, char **argv)
{
        static struct tl t;
        static struct sample s;

        if (argc != 2)
                return EXIT_FAILURE;
        folder = argv[1];
        windows(false);
        windows(true);
        for (size_t i = 0; i < sizeof(linuxes) / sizeof(linuxes[0]); i++) {
                tl_build_era(&t, &linuxes[i].kind, linuxes[i].era);
                save(linuxes[i].name, "linux", t.mem, TL_LEN);
        }
        for (const struct sample_kind *kind = sample_kinds; kind->name; kind++) {
                char name[64];
                kind->build(&s);
                snprintf(name, sizeof(name), "sample-%s", kind->name);
                save(name, kind->format, s.at, s.len);
        }
        return EXIT_SUCCESS;
}
