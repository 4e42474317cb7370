/* SPDX-License-Identifier: MIT */
/*
 * Which address space translate and read speak of. Given root and mode, no system is looked for; a process needs one;
 * else the system's kernel space, and where no system is understood the page tables that the image itself names.
 */
#include "cli.h"

#define CR4_PAE (1u << 5) /* Intel SDM vol. 3, 2.5: CR4.PAE and CR4.LA57 decide how CR3 is read */
#define CR4_LA57 (1u << 12)

static const struct stasis_cpu *cpu_with_control(const struct stasis_hints *hints)
{
        for (size_t i = 0; i < hints->cpu_count; i++)
                if ((hints->cpu[i].known & STASIS_CPU_CONTROL) && hints->cpu[i].cr[3])
                        return &hints->cpu[i];
        return NULL;
}

static const char *mode_of_hints(const struct stasis_hints *hints)
{
        const struct stasis_cpu *cpu = cpu_with_control(hints);
        bool is64 = (hints->known & STASIS_HINT_MACHINE) && hints->machine == STASIS_MACHINE_X64;

        if (is64)
                return cpu && (cpu->cr[4] & CR4_LA57) ? "la57" : "x64";
        if (!(hints->known & STASIS_HINT_MACHINE) || hints->machine != STASIS_MACHINE_X86)
                return NULL;
        if (cpu)
                return cpu->cr[4] & CR4_PAE ? "pae" : "x86";
        if (hints->known & STASIS_HINT_PAE)
                return hints->pae ? "pae" : "x86";
        return NULL;
}

static bool root_of_hints(const struct stasis_hints *hints, uint64_t *ret_root)
{
        const struct stasis_cpu *cpu = cpu_with_control(hints);

        if (hints->known & STASIS_HINT_ROOT)
                *ret_root = hints->root;
        else if (cpu)
                *ret_root = cpu->cr[3];
        else
                return false;
        return true;
}

static enum cli_exit open_plain(struct cli *cli, const char *mode, uint64_t root, struct cli_space *ret_space)
{
        struct stasis_error err = { 0 };

        if (stasis_space_open(cli->image, mode, root, &ret_space->space, &err) != STASIS_OK)
                return cli_fail_library(cli, &err, NULL);
        ret_space->owned = true;
        return CLI_COMPLETE;
}

static enum cli_exit open_process(struct cli *cli, struct cli_space *ret_space)
{
        struct stasis_error err = { 0 };

        enum cli_exit failed = cli_open_system(cli);
        if (failed)
                return failed;
        if (stasis_system_process_space(cli->system, cli->process.value, &ret_space->space, &err) != STASIS_OK)
                return cli_fail_library(cli, &err, "'stasis processes' lists them");
        return CLI_COMPLETE;
}

/* Whatever of root and mode is not given: from the system, else from the image's own registers. */
static enum cli_exit open_found(struct cli *cli, struct cli_space *ret_space)
{
        const struct stasis_hints *hints = stasis_image_hints(cli->image);
        struct stasis_error err = { 0 };
        uint64_t root = cli->root.value;

        if (cli_try_system(cli, &err) == STASIS_OK) {
                ret_space->space = stasis_system_space(cli->system);
                if (!cli->root.known)
                        return CLI_COMPLETE;
                return open_plain(cli, stasis_space_mode(ret_space->space), root, ret_space);
        }
        if (stasis_image_is_virtual(cli->image)) {
                cli_warn(cli, "%s: no system was understood; memory is found as the file itself says", cli->image_path);
                return open_plain(cli, "flat", 0, ret_space);
        }
        const char *mode = cli->mode ? cli->mode : mode_of_hints(hints);
        bool rooted = cli->root.known || root_of_hints(hints, &root);
        if (mode && rooted) {
                cli_warn(cli, "%s: no system was understood; page tables at 0x%llx (%s), as the image itself says",
                         cli->image_path, (unsigned long long)root, mode);
                return open_plain(cli, mode, root, ret_space);
        }
        return cli_fail_library(cli, &err,
                                mode     ? "give the page tables with --root PA"
                                : rooted ? "give the paging mode with --mode"
                                         : "give the page tables with --root PA and --mode");
}

enum cli_exit cli_open_space(struct cli *cli, struct cli_space *ret_space)
{
        const char *mode = cli->mode;

        if (stasis_image_is_virtual(cli->image) && (cli->root.known || mode))
                return cli_usage(cli, "this file holds virtual memory only: there are no page tables to give");
        if (cli->process.known)
                return open_process(cli, ret_space);
        if (cli->root.known && !mode)
                mode = mode_of_hints(stasis_image_hints(cli->image));
        if (cli->root.known && mode)
                return open_plain(cli, mode, cli->root.value, ret_space);
        return open_found(cli, ret_space);
}

void cli_close_space(struct cli_space *space)
{
        if (space->owned)
                stasis_space_close(space->space);
        *space = (struct cli_space){ 0 };
}
