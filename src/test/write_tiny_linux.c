/* SPDX-License-Identifier: MIT */
/* write-tiny-linux FILE: a tiny Linux as a raw image, for programs that read files. Its types must be inferred. */
#include <stdio.h>
#include <stdlib.h>

#include "tiny_linux.h"

int main(int argc, char **argv)
{
        static struct tl t;
        const struct tl_kind kind = { PT_X64, KSYMS_BEFORE, true, false, true, true, 0x12600000 };
        FILE *file = argc == 2 ? fopen(argv[1], "wb") : NULL;
        if (!file)
                return EXIT_FAILURE;
        tl_build(&t, &kind);
        size_t written = fwrite(t.mem, 1, TL_LEN, file);
        return fclose(file) == 0 && written == TL_LEN ? EXIT_SUCCESS : EXIT_FAILURE;
}
