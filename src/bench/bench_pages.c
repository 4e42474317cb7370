/* SPDX-License-Identifier: MIT */
/* bench-pages IMAGE: decodes every thread, and says how many different pages of the file that took. */
#include <inttypes.h>
#include <stdio.h>

#include <stasis/stasis.h>

static int fail(const struct stasis_error *err)
{
        fprintf(stderr, "bench-pages: %s\n", err->text);
        return 2;
}

int main(int argc, char **argv)
{
        struct stasis_error err;
        struct stasis_image *image;
        struct stasis_system *system = NULL;
        const struct stasis_record *record;
        size_t count = 0, facts = 0;
        if (argc != 2)
                return 1;
        if (stasis_image_open(argv[1], NULL, &image, &err) != STASIS_OK)
                return fail(&err);
        enum stasis_status status = stasis_system_open(image, NULL, &system, &err);
        if (status == STASIS_OK)
                status = stasis_system_count(system, STASIS_THREADS, &count, &err);
        for (size_t i = 0; i < count && status == STASIS_OK; i++) {
                status = stasis_system_record(system, STASIS_THREADS, i, &record, &err);
                facts += status == STASIS_OK ? record->count : 0;
        }
        if (status == STASIS_OK)
                printf("%zu threads, %zu facts, %" PRIu64 " pages touched\n", count, facts,
                       stasis_image_pages_touched(image));
        stasis_system_close(system);
        stasis_image_close(image);
        return status == STASIS_OK ? 0 : fail(&err);
}
