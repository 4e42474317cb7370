/* SPDX-License-Identifier: MIT */
/* Shards: the same ones whoever asks, as they follow from a digest of the name or of the content alone. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"

#define SHARDS_MAX 1000000

static bool number_in(const char *name, uint64_t *ret_value)
{
        const char *value = getenv(name);

        return value && *value && cli_parse_number(value, ret_value);
}

/* Slurm tells first, last, step and how many; a step other than 1 would leave holes between our numbers. */
static bool from_slurm(struct shard *shard, char why[static 160])
{
        uint64_t id, first, count, step = 1;

        if (!number_in("SLURM_ARRAY_TASK_ID", &id) || !number_in("SLURM_ARRAY_TASK_MIN", &first) ||
            !number_in("SLURM_ARRAY_TASK_COUNT", &count)) {
                snprintf(why, 160, "SLURM_ARRAY_TASK_ID, _MIN and _COUNT are not set: is this a task of an array?");
                return false;
        }
        (void)number_in("SLURM_ARRAY_TASK_STEP", &step);
        if (step == 0 || id < first || (id - first) % step) {
                snprintf(why, 160, "SLURM_ARRAY_TASK_ID=%" PRIu64 " is not in the array", id);
                return false;
        }
        shard->number = (id - first) / step + 1;
        shard->of = count;
        return true;
}

/* Kubernetes numbers the pods of an Indexed Job from 0 on, and does not tell them how many there are. */
static bool from_kubernetes(struct shard *shard, const char *of, char why[static 160])
{
        uint64_t index;

        if (!number_in("JOB_COMPLETION_INDEX", &index) || index >= SHARDS_MAX) {
                snprintf(why, 160, "JOB_COMPLETION_INDEX is not set: is this a pod of an Indexed Job?");
                return false;
        }
        if (!of || !cli_parse_number(of, &shard->of)) {
                snprintf(why, 160, "say how many completions the job has: k8s/N");
                return false;
        }
        shard->number = index + 1;
        return true;
}

static bool from_words(char *words, struct shard *shard, char why[static 160])
{
        char *of = strchr(words, '/');

        if (of)
                *of++ = '\0';
        if (strcmp(words, "slurm") == 0 || (strcmp(words, "auto") == 0 && getenv("SLURM_ARRAY_TASK_ID")))
                return from_slurm(shard, why);
        if (strcmp(words, "k8s") == 0 || strcmp(words, "auto") == 0)
                return from_kubernetes(shard, of, why);
        if (of && cli_parse_number(words, &shard->number) && cli_parse_number(of, &shard->of))
                return true;
        snprintf(why, 160, "it is K/N, slurm, k8s/N or auto");
        return false;
}

bool shard_parse(const char *text, struct shard *ret_shard, char why[static 160])
{
        struct shard shard = { .by = ret_shard->by };
        char *words = strdup(text);
        bool ok = words && from_words(words, &shard, why);

        free(words);
        if (ok && (shard.number == 0 || shard.of == 0 || shard.number > shard.of || shard.of > SHARDS_MAX)) {
                snprintf(why, 160, "shard %" PRIu64 " of %" PRIu64 ": it is one of 1 to N, and N at most %d",
                         shard.number, shard.of, SHARDS_MAX);
                ok = false;
        }
        if (ok)
                *ret_shard = shard;
        return ok;
}

bool shard_has_digest(const struct shard *shard, const uint8_t digest[static DIGEST_LEN])
{
        uint64_t value = 0;

        if (shard->of == 0)
                return true;
        for (int i = 0; i < 8; i++)
                value = value << 8 | digest[i];
        return value % shard->of == shard->number - 1;
}

void names_add(uint8_t names[static DIGEST_LEN], const char *path)
{
        struct digest digest;
        uint8_t bytes[DIGEST_LEN];

        digest_begin(&digest);
        digest_add(&digest, path, strlen(path));
        digest_end(&digest, bytes);
        for (int i = 0; i < DIGEST_LEN; i++)
                names[i] ^= bytes[i];
}

bool shard_has_key(const struct shard *shard, const void *key, size_t len)
{
        struct digest digest;
        uint8_t bytes[DIGEST_LEN];

        digest_begin(&digest);
        digest_add(&digest, key, len);
        digest_end(&digest, bytes);
        return shard_has_digest(shard, bytes);
}
