/* SPDX-License-Identifier: MIT */
/* Files that --symbols gives: where they are looked for, which is used, and what is said of the others. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../test/pdb_build.h"
#include "../../test/tiny_system.h"
#include "symbolize.h"

static struct pdb_build b;
static char folder[] = "/tmp/stasis-symbols-XXXXXX";
static char made[8][256];
static size_t made_count;

static void setup(void)
{
        strcpy(folder, "/tmp/stasis-symbols-XXXXXX");
        ck_assert_ptr_nonnull(mkdtemp(folder));
        made_count = 0;
        pdb_build_kernel(&b);
        tiny_build(&t, false);
}

static void teardown(void)
{
        sys_close();
        while (made_count)
                (void)!remove(made[--made_count]);
        (void)!rmdir(folder);
}

static const char *path_of(const char *name)
{
        static char path[256];
        snprintf(path, sizeof path, "%s/%s", folder, name);
        return path;
}

static void make_folder(const char *name)
{
        strcpy(made[made_count++], path_of(name));
        ck_assert_int_eq(mkdir(path_of(name), 0777), 0);
}

static void make_file(const char *name, const void *bytes, size_t len)
{
        strcpy(made[made_count++], path_of(name));
        FILE *out = fopen(path_of(name), "wb");
        ck_assert_ptr_nonnull(out);
        ck_assert_uint_eq(fwrite(bytes, 1, len, out), len);
        fclose(out);
}

static enum stasis_status open_with(const char *path)
{
        const struct stasis_system_options options = { .symbols = &path, .symbol_count = 1 };
        return sys_open_with(&options);
}

/* The kernel's text at 0x1014: with its PDB named, without not. */
static bool is_named(void)
{
        struct windows_name name;
        windows_name_address(sys->priv, UINT32_MAX, t.kernel + 0x1014, &name);
        if (!name.symbol)
                return false;
        ck_assert_str_eq(name.symbol, "Alpha");
        ck_assert_str_eq(name.symbol_from, "pdb");
        ck_assert_uint_eq(name.offset, 4);
        return true;
}

static const char *found(void)
{
        struct stasis_debug debug;
        ck_assert_int_eq(stasis_system_module_debug(sys, 0, &debug, &sys_err), STASIS_OK);
        ck_assert(debug.known);
        ck_assert_str_eq(debug.pdb, "ntkrnlmp.pdb");
        ck_assert_uint_eq(debug.age, 7);
        return debug.found;
}

START_TEST(plain_folder)
{
        const char *name = _i ? "NTKRNLMP.PDB" : "ntkrnlmp.pdb";
        make_file(name, b.file, b.len);
        ck_assert_int_eq(open_with(folder), STASIS_OK);
        ck_assert(is_named());
        ck_assert_str_eq(found(), path_of(name));
        ck_assert_uint_eq(sys_notes(NULL), 0);
}
END_TEST

START_TEST(symbol_store)
{
        make_folder("ntkrnlmp.pdb");
        make_folder("ntkrnlmp.pdb/030201000504070608090a0b0c0d0e0f7");
        make_file("ntkrnlmp.pdb/030201000504070608090a0b0c0d0e0f7/ntkrnlmp.pdb", b.file, b.len);
        ck_assert_int_eq(open_with(folder), STASIS_OK);
        ck_assert(is_named());
        ck_assert_ptr_nonnull(found());
}
END_TEST

/* A PDB without the symbol: the export is nearer than what the PDB has below. */
START_TEST(exports_beside_a_pdb)
{
        struct windows_name name;
        uint64_t va;
        make_file("ntkrnlmp.pdb", b.file, b.len);
        ck_assert_int_eq(open_with(folder), STASIS_OK);
        struct windows *w = sys->priv;
        ck_assert_int_eq(pe_export(w->kernel, &w->pe, "KeNumberProcessors", &va), STASIS_OK);
        windows_name_address(w, UINT32_MAX, va, &name);
        ck_assert_str_eq(name.symbol, "KeNumberProcessors");
        ck_assert_str_eq(name.symbol_from, "export");
        windows_name_address(w, UINT32_MAX, t.kernel + 0x2008, &name);
        ck_assert_str_eq(name.symbol, "Variable");
        ck_assert_str_eq(name.symbol_from, "pdb");
}
END_TEST

/* Names of a Volatility 3 file for the PDB that the kernel names. */
START_TEST(isf_of_the_kernel)
{
        static const char text[] =
                "{\"metadata\":{\"format\":\"6.2.0\",\"windows\":{\"pdb\":{\"GUID\":"
                "\"030201000504070608090A0B0C0D0E0F\","
                "\"age\":7,\"database\":\"ntkrnlmp.pdb\",\"machine_type\":332}}},\"base_types\":{\"pointer\":{\"kind\":"
                "\"int\",\"size\":4,\"signed\":false,\"endian\":\"little\"}},\"user_types\":{},"
                "\"enums\":{},\"symbols\":{\"OfTheFile\":{\"address\":4112},\"Behind\":{\"address\":4352}}}";
        struct windows_name name;
        make_folder("ntkrnlmp.pdb");
        make_file("ntkrnlmp.pdb/030201000504070608090A0B0C0D0E0F-7.json", text, sizeof text - 1);
        ck_assert_int_eq(open_with(folder), STASIS_OK);
        windows_name_address(sys->priv, UINT32_MAX, t.kernel + 0x1014, &name);
        ck_assert_ptr_nonnull(name.symbol);
        ck_assert_str_eq(name.symbol, "OfTheFile");
        ck_assert_str_eq(name.symbol_from, "isf");
        ck_assert_uint_eq(name.offset, 4);
        windows_name_address(sys->priv, UINT32_MAX, t.kernel + 0x1100, &name);
        ck_assert_str_eq(name.symbol, "Behind");
        ck_assert_ptr_nonnull(found());
}
END_TEST

START_TEST(frame_data)
{
        struct pdb_frame frame;
        make_file("ntkrnlmp.pdb", b.file, b.len);
        ck_assert_int_eq(open_with(folder), STASIS_OK);
        ck_assert(windows_frame_data(sys->priv, UINT32_MAX, t.kernel + 0x1041, &frame));
        ck_assert_uint_eq(frame.rva, 0x1040);
        ck_assert_str_eq(frame.program, "$T0 one");
        ck_assert(!windows_frame_data(sys->priv, UINT32_MAX, t.kernel + 0x1000, &frame));
        ck_assert(!windows_frame_data(sys->priv, UINT32_MAX, t.pool, &frame));
}
END_TEST

START_TEST(single_file)
{
        make_file("any.name", b.file, b.len);
        ck_assert_int_eq(open_with(path_of("any.name")), STASIS_OK);
        ck_assert(is_named());
        ck_assert_uint_eq(sys_notes(NULL), 0);
}
END_TEST

/* Types of a PDB come first, and must fit System as any other's: these know no _EPROCESS. */
START_TEST(types_that_do_not_fit)
{
        make_file("ntkrnlmp.pdb", b.file, b.len);
        ck_assert_int_eq(open_with(folder), STASIS_OK);
        ck_assert(sys_traced("layout", false, "ntkrnlmp.pdb (symbol file): System's object does not fit"));
        ck_assert_uint_eq(sys_count(STASIS_THREADS), TINY_LISTED);
}
END_TEST

START_TEST(of_another_build)
{
        pdb_set(&b, 3, 8, 4, 8); /* the age */
        pdb_build_finish(&b);
        make_file("ntkrnlmp.pdb", b.file, b.len);
        ck_assert_int_eq(open_with(_i ? path_of("ntkrnlmp.pdb") : folder), STASIS_OK);
        ck_assert(!is_named());
        ck_assert_ptr_null(found());
        ck_assert_uint_eq(sys_notes("symbols-of-another"), 1);
        ck_assert_ptr_nonnull(strstr(sys_note("symbols-of-another")->text, "age 8, and the image's ntkrnlmp.pdb is"));
}
END_TEST

START_TEST(of_no_module)
{
        pdb_set(&b, 1, 12, 4, 0x12345678); /* the GUID */
        pdb_build_finish(&b);
        make_file("other.pdb", b.file, b.len);
        ck_assert_int_eq(open_with(_i ? path_of("other.pdb") : folder), STASIS_OK);
        ck_assert_uint_eq(sys_notes("symbols-unused"), 1);
        ck_assert_int_eq(strstr(sys_note("symbols-unused")->text, "nothing in ") != NULL, !_i);
}
END_TEST

START_TEST(damaged)
{
        pdb_set(&b, 2, 56, 2, 2);
        pdb_build_finish(&b);
        make_file("ntkrnlmp.pdb", b.file, b.len);
        ck_assert_int_eq(open_with(folder), STASIS_OK);
        ck_assert(!is_named());
        ck_assert_uint_eq(sys_notes("symbols-damaged"), 1);
        ck_assert_ptr_nonnull(strstr(sys_note("symbols-damaged")->text, "stream 2 (TPI): type 0x1000"));
}
END_TEST

START_TEST(compressed)
{
        make_file("ntkrnlmp.pd_", "MSCF packed", 11);
        ck_assert_int_eq(open_with(_i ? path_of("ntkrnlmp.pd_") : folder), _i ? STASIS_UNSUPPORTED : STASIS_OK);
        const char *text = _i ? sys_err.text : sys_note("symbols-refused") ? sys_note("symbols-refused")->text : "";
        ck_assert_msg(strstr(text, "unpack it first") != NULL, "%s", text);
}
END_TEST

START_TEST(what_is_no_symbol_file)
{
        make_file("vmlinux", "\177ELF", 4);
        ck_assert_int_eq(open_with(path_of("vmlinux")), STASIS_USAGE);
        ck_assert_ptr_nonnull(strstr(sys_err.text, "neither a PDB nor an ISF"));
}
END_TEST

/* A name out of the image cannot lead out of the folder. */
START_TEST(a_name_is_no_path)
{
        world_put(&t.world, t.kernel + WORLD_PE_CODEVIEW + 24, "..\0", 3);
        ck_assert_int_eq(open_with(folder), STASIS_OK);
        struct stasis_debug debug;
        ck_assert_int_eq(stasis_system_module_debug(sys, 0, &debug, &sys_err), STASIS_OK);
        ck_assert_ptr_null(debug.found);
}
END_TEST

START_TEST(why_none_is_known)
{
        struct stasis_debug debug;
        static const char *const why[] = { "its debug directory is not in the image", "it names no PDB",
                                           "an old record (NB10), without a GUID", "no PE lies at its base" };
        if (_i == 0)
                tiny_gone(&t, t.kernel + WORLD_PE_RDATA);
        else if (_i == 1)
                world_u(&t.world, world_pe_directory(&t.pe, 6) + 4, 4, 0);
        else if (_i == 2)
                world_put(&t.world, t.kernel + WORLD_PE_CODEVIEW, "NB10", 4);
        sys_open();
        if (_i == 3)
                world_put(&t.world, t.kernel, "ZM", 2);
        ck_assert_int_eq(stasis_system_module_debug(sys, 0, &debug, &sys_err), STASIS_OK);
        ck_assert(!debug.known);
        ck_assert_str_eq(debug.why, why[_i]);
        ck_assert_int_eq(stasis_system_module_debug(sys, 1, &debug, &sys_err), STASIS_USAGE);
}
END_TEST

int main(void)
{
        Suite *suite = suite_create("symbol_files");
        TCase *tcase = tcase_create("all");
        tcase_add_checked_fixture(tcase, setup, teardown);
        tcase_set_timeout(tcase, 60);
        tcase_add_loop_test(tcase, plain_folder, 0, 2);
        tcase_add_test(tcase, symbol_store);
        tcase_add_test(tcase, single_file);
        tcase_add_test(tcase, exports_beside_a_pdb);
        tcase_add_test(tcase, isf_of_the_kernel);
        tcase_add_test(tcase, frame_data);
        tcase_add_test(tcase, types_that_do_not_fit);
        tcase_add_loop_test(tcase, of_another_build, 0, 2);
        tcase_add_loop_test(tcase, of_no_module, 0, 2);
        tcase_add_test(tcase, damaged);
        tcase_add_loop_test(tcase, compressed, 0, 2);
        tcase_add_test(tcase, what_is_no_symbol_file);
        tcase_add_test(tcase, a_name_is_no_path);
        tcase_add_loop_test(tcase, why_none_is_known, 0, 4);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed != 0;
}
