/* SPDX-License-Identifier: MIT */
/* The offsets of thread fields in every distinct layout, spelled out from facts/windows/REPORT.md section 3.1. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "layout.h"

#define COLUMNS 20

/* One layout for each of the report's columns T20..T39 (x86) and T00..T19 (x64). */
static const char *const x86_names[COLUMNS] = {
        "5.1.2600.2180-x86",  "5.2.3790.0-x86",     "5.2.3790.1830-x86",       "5.2.3790.3959-x86",
        "6.0.6000.16386-x86", "6.0.6002.18005-x86", "6.1.7600.16385-x86",      "6.1.7601.17514-x86",
        "6.1.7601.23418-x86", "6.2.9200.16384-x86", "6.2.9200.16384-x86-verg", "6.3.9600.16384-x86",
        "6.3.9600.17415-x86", "10.0.10586.0-x86",   "10.0.14393.0-x86",        "10.0.15063.0-x86",
        "10.0.17134.1-x86",   "10.0.17763.1-x86",   "10.0.18362.1-x86",        "10.0.19045.2965-x86",
};
static const char *const x64_names[COLUMNS] = {
        "5.2.3790.1830-x64",       "5.2.3790.3959-x64",   "6.0.6000.16386-x64",  "6.0.6002.18005-x64",
        "6.1.7600.16385-x64",      "6.1.7601.17514-x64",  "6.1.7601.24540-x64",  "6.2.9200.16384-x64",
        "6.2.9200.16384-x64-verg", "6.3.9600.16384-x64",  "6.3.9600.20666-x64",  "10.0.10240.16384-x64",
        "10.0.14393.5501-x64",     "10.0.15063.0-x64",    "10.0.17134.1-x64",    "10.0.17763.5696-x64",
        "10.0.18362.720-x64",      "10.0.19041.3324-x64", "10.0.22631.2428-x64", "10.0.26100.7xxx-x64",
};

struct place {
        const char *path, *offsets; /* hexadecimal; "68:5": bit 5 of the word there; "-": no such member */
};

static const struct place x86_places[] = {
        { "_KTHREAD.Process", "- 11c 128 128 144 144 150 150 150 150 150 150 150 150 150 150 150 150 150 150" },
        { "_KTHREAD.ApcState", "34 34 28 28 38 38 40 40 40 70 70 70 70 70 70 70 70 70 70 70" },
        { "_KAPC_STATE.Process", "10 10 10 10 10 10 10 10 10 10 10 10 10 10 10 10 10 10 10 10" },
        { "_KTHREAD.ApcStateIndex", "165 108 11c 11c 130 130 134 134 134 166 166 166 166 16a 16a 16a 16a 16a 16a 16a" },
        { "_KTHREAD.SavedApcState", "14c 130 138 138 154 154 170 170 170 174 174 174 174 174 174 174 174 174 174 174" },
        { "_KTHREAD.NextProcessor", "12b 10f 40 40 50 50 58 58 58 148 148 148 148 148 148 148 148 148 148 148" },
        { "_KTHREAD.Alertable",
          "164 58 58 58 68:5 68:5 3c:5 3c:5 3c:5 58:5 58:5 58:5 58:5 58:4 58:4 58:4 58:4 58:4 58:4 58:4" },
        { "_KTHREAD.WaitMode", "59 2f 4f 4f 5f 5f 6b 6b 6b 93 93 93 93 93 93 93 93 93 93 93" },
        { "_KTHREAD.WaitReason", "5b 5a 5a 5a 6c 6c 187 187 187 18b 18b 18b 18b 18b 18b 18b 18b 18b 18b 18b" },
        { "_KTHREAD.WaitIrql", "58 2e 4e 4e 5e 5e 6a 6a 6a 92 92 92 92 92 92 92 92 92 92 92" },
        { "_KTHREAD.State", "2d 2c 4c 4c 5c 5c 68 68 68 90 90 90 90 90 90 90 90 90 90 90" },
        { "_KTHREAD.KernelStack", "28 20 20 20 30 30 30 30 30 48 48 48 48 48 48 48 48 48 48 48" },
        { "_KTHREAD.InitialStack", "18 18 18 18 28 28 28 28 28 20 20 20 20 20 20 20 20 20 20 20" },
        { "_KTHREAD.StackBase", "168 15c 158 158 174 174 190 190 190 28 28 28 28 28 28 28 28 28 28 28" },
        { "_KTHREAD.StackLimit", "1c 1c 1c 1c 2c 2c 2c 2c 2c 24 24 24 24 24 24 24 24 24 24 24" },
        { "_KTHREAD.Teb", "20 30 74 74 84 84 88 88 88 a8 a8 a8 a8 a8 a8 a8 a8 a8 a8 a8" },
        { "_KTHREAD.TrapFrame", "134 150 110 110 120 120 128 128 128 6c 6c 6c 6c 6c 6c 6c 6c 6c 6c 6c" },
        { "_KTHREAD.WaitBlockList", "5c 54 54 54 64 64 70 70 70 98 98 98 98 98 98 98 98 98 98 98" },
        { "_KTHREAD.WaitNext",
          "5a 59 59 59 68:3 68:3 3c:3 3c:3 3c:3 58:3 58:3 58:3 58:3 58:2 58:2 58:2 58:2 58:2 58:2 58:2" },
        { "_KTHREAD.PreviousMode", "140 115 d7 d7 e7 e7 13a 13a 13a 15a 15a 15a 15a 15a 15a 15a 15a 15a 15a 15a" },
        { "_KTHREAD.ThreadListEntry",
          "1b0 1ac 1a8 1a8 1c4 1c4 1e0 1e0 1e0 1d4 1d4 1d4 1d4 1d4 1d4 1d4 1d4 1d4 1d4 1d4" },
        { "_KTHREAD.MutantListHead", "10 10 10 10 1cc 1cc 1e8 1e8 1e8 1dc 1dc 1dc 1dc 1dc 1dc 1dc 1dc 1dc 1dc 1dc" },
        { "_KTHREAD.QueueListEntry",
          "118 100 108 108 118 118 120 120 120 140 140 140 140 140 140 140 140 140 140 140" },
        { "_ETHREAD.CreateTime", "1c0 1c8 1b8 1b8 1e0 1e0 200 200 200 1e8 1e8 338 338 348 348 350 350 350 358 280" },
        { "_ETHREAD.ExitTime", "1c8 1d0 1c0 1c0 1e8 1e8 208 208 208 1f0 1f0 340 340 350 350 358 358 358 360 288" },
        { "_ETHREAD.ExitStatus", "1d0 1d8 1c8 1c8 1f0 1f0 210 210 210 280 280 3d0 3d0 3e0 3e4 3ec 3ec 3ec 3f4 324" },
        { "_ETHREAD.Cid", "1ec 1f4 1e4 1e4 20c 20c 22c 22c 22c 214 214 364 364 374 374 37c 37c 37c 384 2ac" },
        { "_ETHREAD.StartAddress", "224 22c 21c 21c 1f8 1f8 218 218 218 200 200 350 350 360 360 368 368 368 370 298" },
        { "_ETHREAD.Win32StartAddress",
          "228 230 220 220 240 240 260 260 260 244 244 394 394 3a4 3a4 3ac 3ac 3ac 3b4 2dc" },
        { "_ETHREAD.ThreadListEntry",
          "22c 234 224 224 248 248 268 268 268 24c 24c 39c 39c 3ac 3ac 3b4 3b4 3b4 3bc 2e4" },
        { "_ETHREAD.ThreadsProcess", "220 228 218 218 - - - - - - - - - - - - - - - -" },
        { "_ETHREAD.ImpersonationInfo", "20c 214 204 204 - - - - - - - - - - - - - - - -" },
        { "_ETHREAD.ClientSecurity", "- - - - 228 228 248 248 248 230 230 380 380 390 390 398 398 398 3a0 2c8" },
        { "_ETHREAD.IrpList", "210 218 208 208 22c 22c 24c 24c 24c 234 234 384 384 394 394 39c 39c 39c 3a4 2cc" },
        { "_ETHREAD.TopLevelIrp", "218 220 210 210 234 234 254 254 254 23c 23c 38c 38c 39c 39c 3a4 3a4 3a4 3ac 2d4" },
        { "_ETHREAD.CrossThreadFlags",
          "248 250 240 240 260 260 280 280 280 268 268 3b8 3b8 3c8 3c4 3cc 3cc 3cc 3d4 2fc" },
        { "_ETHREAD.ActiveImpersonationInfo", "248:3 250:3 240:3 240:3 260:3 260:3 280:3 280:3 280:3 268:3 "
                                              "268:3 3b8:3 3b8:3 3c8:3 3c4:3 3cc:3 3cc:3 3cc:3 3d4:3 2fc:3" },
        { "_ETHREAD.GrantedAccess", "244 24c 23c 23c - - - - - - - - - - - - - - - -" },
        { "_ETHREAD.LpcReplyMessageId", "23c 244 234 234 - - - - - - - - - - - - - - - -" },
        { "_ETHREAD.LpcReplyMessage", "208 210 200 200 - - - - - - - - - - - - - - - -" },
        { "_ETHREAD.LpcReceivedMessageId", "228 230 220 220 - - - - - - - - - - - - - - - -" },
        { "_ETHREAD.AlpcMessageId", "- - - - 270 270 290 290 290 278 278 3c8 3c8 3d8 3d4 3dc 3dc 3dc 3e4 314" },
        { "_ETHREAD.AlpcMessage", "- - - - 274 274 294 294 294 27c 27c 3cc 3cc 3dc 3d8 3e0 3e0 3e0 3e8 318" },
        { "_ETHREAD.PostBlockList", "1d4 1dc 1cc 1cc 1f4 1f4 214 214 214 1fc 1fc 34c 34c 35c 35c 364 364 364 36c 294" },
        { "_ETHREAD.TerminationPort",
          "1dc 1e4 1d4 1d4 1fc 1fc 21c 21c 21c 204 204 354 354 364 364 36c 36c 36c 374 29c" },
        { "_ETHREAD.ReaperLink", "1dc 1e4 1d4 1d4 1fc 1fc 21c 21c 21c 204 204 354 354 364 364 36c 36c 36c 374 29c" },
        { "_ETHREAD.ActiveTimerListHead",
          "1e4 1ec 1dc 1dc 204 204 224 224 224 20c 20c 35c 35c 36c 36c 374 374 374 37c 2a4" },
        { "_ETHREAD.DeviceToVerify",
          "21c 224 214 214 238 238 258 258 258 240 240 390 390 3a0 3a0 3a8 3a8 3a8 3b0 2d8" },
        { "_ETHREAD.RundownProtect",
          "234 23c 22c 22c 250 250 270 270 270 254 254 3a4 3a4 3b4 3b4 3bc 3bc 3bc 3c4 2ec" },
        { "_ETHREAD.ThreadLock", "238 240 230 230 254 254 274 274 274 258 258 3a8 3a8 3b8 3b8 3c0 3c0 3c0 3c8 2f0" },
        { "_ETHREAD.ThreadName", "- - - - - - - - - - - - - - 458 460 460 460 468 394" },
        { "_ETHREAD.KernelStackReference", "- - - - - - - - 2b4 2c0 2bc 410 410 420 424 42c 42c 400 408 338" },
};
static const struct place x64_places[] = {
        { "_KTHREAD.Process", "200 1e8 1f8 1f8 210 210 210 220 220 220 220 220 220 220 220 220 220 220 220 220" },
        { "_KTHREAD.ApcState", "48 48 48 48 50 50 50 98 98 98 98 98 98 98 98 98 98 98 98 98" },
        { "_KAPC_STATE.Process", "20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20 20" },
        { "_KTHREAD.ApcStateIndex", "1e4 1d8 1e0 1e0 1f0 1f0 1f0 242 242 242 242 24a 24a 24a 24a 24a 24a 24a 24a 24a" },
        { "_KTHREAD.SavedApcState", "220 208 218 218 240 240 240 258 258 258 258 258 258 258 258 258 258 258 258 258" },
        { "_KTHREAD.NextProcessor", "74 74 74 74 7c 7c 7c 218 218 218 218 218 218 218 218 218 218 218 218 218" },
        { "_KTHREAD.Alertable",
          "90 90 90:5 90:5 4c:5 4c:5 4c:5 74:5 74:5 74:5 74:5 74:4 74:4 74:4 74:4 74:4 74:4 74:4 74:4 74:4" },
        { "_KTHREAD.WaitMode", "157 157 157 157 167 167 167 187 187 187 187 187 187 187 187 187 187 187 187 187" },
        { "_KTHREAD.WaitReason", "92 92 94 94 26b 26b 26b 283 283 283 283 283 283 283 283 283 283 283 283 283" },
        { "_KTHREAD.WaitIrql", "156 156 156 156 166 166 166 186 186 186 186 186 186 186 186 186 186 186 186 186" },
        { "_KTHREAD.State", "154 154 154 154 164 164 164 184 184 184 184 184 184 184 184 184 184 184 184 184" },
        { "_KTHREAD.KernelStack", "38 38 38 38 38 38 38 58 58 58 58 58 58 58 58 58 58 58 58 58" },
        { "_KTHREAD.InitialStack", "28 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28 28" },
        { "_KTHREAD.StackBase", "258 240 250 250 278 278 278 38 38 38 38 38 38 38 38 38 38 38 38 38" },
        { "_KTHREAD.StackLimit", "30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30 30" },
        { "_KTHREAD.Teb", "b0 b0 b0 b0 b8 b8 b8 f0 f0 f0 f0 f0 f0 f0 f0 f0 f0 f0 f0 f0" },
        { "_KTHREAD.TrapFrame", "1c8 1c8 1c8 1c8 1d8 1d8 1d8 90 90 90 90 90 90 90 90 90 90 90 90 90" },
        { "_KTHREAD.WaitBlockList", "88 88 88 88 98 98 98 d0 d0 d0 d0 d0 d0 d0 d0 d0 d0 d0 d0 d0" },
        { "_KTHREAD.WaitNext",
          "91 91 90:3 90:3 4c:3 4c:3 4c:3 74:3 74:3 74:3 74:3 74:2 74:2 74:2 74:2 74:2 74:2 74:2 74:2 74:2" },
        { "_KTHREAD.PreviousMode", "153 153 153 153 1f6 1f6 1f6 232 232 232 232 232 232 232 232 232 232 232 232 232" },
        { "_KTHREAD.ThreadListEntry",
          "2d8 2c0 2d0 2d0 2f8 2f8 2f8 2f8 2f8 2f8 2f8 2f8 2f8 2f8 2f8 2f8 2f8 2f8 2f8 2f8" },
        { "_KTHREAD.MutantListHead", "18 18 2e0 2e0 308 308 308 308 308 308 308 308 308 308 308 308 308 308 308 308" },
        { "_KTHREAD.QueueListEntry",
          "1b8 1b8 1b8 1b8 1c8 1c8 1c8 208 208 208 208 208 208 208 208 208 208 208 208 208" },
        { "_ETHREAD.CreateTime", "320 308 330 330 360 360 368 348 348 5d0 5d0 5d8 5e0 5e8 5f0 5f0 600 430 480 4c0" },
        { "_ETHREAD.ExitTime", "328 310 338 338 368 368 370 350 350 5d8 5d8 5e0 5e8 5f0 5f8 5f8 608 438 488 4c8" },
        { "_ETHREAD.ExitStatus", "338 320 348 348 378 378 380 450 450 6d8 6d8 6e0 6f0 6f8 700 700 710 548 598 5d8" },
        { "_ETHREAD.Cid", "370 358 380 380 3b0 3b0 3b8 398 398 620 620 628 630 638 638 638 648 478 4c8 508" },
        { "_ETHREAD.StartAddress", "3d8 3c0 358 358 388 388 390 370 370 5f8 5f8 600 608 610 610 610 620 450 4a0 4e0" },
        { "_ETHREAD.Win32StartAddress",
          "3e0 3c8 3e0 3e0 410 410 418 3f0 3f0 678 678 680 688 690 690 690 6a0 4d0 520 560" },
        { "_ETHREAD.ThreadListEntry",
          "3e8 3d0 3f0 3f0 420 420 428 400 400 688 688 690 698 6a0 6a8 6a8 6b8 4e8 538 578" },
        { "_ETHREAD.ThreadsProcess", "3d0 3b8 - - - - - - - - - - - - - - - - - -" },
        { "_ETHREAD.ImpersonationInfo", "3a8 390 - - - - - - - - - - - - - - - - - -" },
        { "_ETHREAD.ClientSecurity", "- - 3b0 3b0 3e0 3e0 3e8 3c8 3c8 650 650 658 660 668 668 668 678 4a8 4f8 538" },
        { "_ETHREAD.IrpList", "3b0 398 3b8 3b8 3e8 3e8 3f0 3d0 3d0 658 658 660 668 670 670 670 680 4b0 500 540" },
        { "_ETHREAD.TopLevelIrp", "3c0 3a8 3c8 3c8 3f8 3f8 400 3e0 3e0 668 668 670 678 680 680 680 690 4c0 510 550" },
        { "_ETHREAD.CrossThreadFlags",
          "414 3fc 418 418 448 448 450 42c 42c 6b4 6b4 6bc 6c0 6c8 6d0 6d0 6e0 510 560 5a0" },
        { "_ETHREAD.ActiveImpersonationInfo", "414:3 3fc:3 418:3 418:3 448:3 448:3 450:3 42c:3 42c:3 6b4:3 "
                                              "6b4:3 6bc:3 6c0:3 6c8:3 6d0:3 6d0:3 6e0:3 510:3 560:3 5a0:3" },
        { "_ETHREAD.GrantedAccess", "410 3f8 - - - - - - - - - - - - - - - - - -" },
        { "_ETHREAD.LpcReplyMessageId", "408 3f0 - - - - - - - - - - - - - - - - - -" },
        { "_ETHREAD.LpcReplyMessage", "3a0 388 - - - - - - - - - - - - - - - - - -" },
        { "_ETHREAD.LpcReceivedMessageId", "3e0 3c8 - - - - - - - - - - - - - - - - - -" },
        { "_ETHREAD.AlpcMessageId", "- - 428 428 458 458 460 440 440 6c8 6c8 6d0 6d0 6d8 6e0 6e0 6f0 528 578 5b8" },
        { "_ETHREAD.AlpcMessage", "- - 430 430 460 460 468 448 448 6d0 6d0 6d8 6d8 6e0 6e8 6e8 6f8 530 580 5c0" },
        { "_ETHREAD.PostBlockList", "340 328 350 350 380 380 388 368 368 5f0 5f0 5f8 600 608 608 608 618 448 498 4d8" },
        { "_ETHREAD.TerminationPort",
          "350 338 360 360 390 390 398 378 378 600 600 608 610 618 618 618 628 458 4a8 4e8" },
        { "_ETHREAD.ReaperLink", "350 338 360 360 390 390 398 378 378 600 600 608 610 618 618 618 628 458 4a8 4e8" },
        { "_ETHREAD.ActiveTimerListHead",
          "360 348 370 370 3a0 3a0 3a8 388 388 610 610 618 620 628 628 628 638 468 4b8 4f8" },
        { "_ETHREAD.DeviceToVerify",
          "3c8 3b0 3d0 3d0 400 400 408 3e8 3e8 670 670 678 680 688 688 688 698 4c8 518 558" },
        { "_ETHREAD.RundownProtect",
          "3f8 3e0 400 400 430 430 438 410 410 698 698 6a0 6a8 6b0 6b8 6b8 6c8 4f8 548 588" },
        { "_ETHREAD.ThreadLock", "400 3e8 408 408 438 438 440 418 418 6a0 6a0 6a8 6b0 6b8 6c0 6c0 6d0 500 550 590" },
        { "_ETHREAD.ThreadName", "- - - - - - - - - - - - 7c8 7d0 7d8 7d0 7e0 610 660 6a0" },
        { "_ETHREAD.KernelStackReference", "- - - - - - 4a0 4c8 4c0 750 750 758 760 768 770 714 724 55c 5ac 5ec" },
};

static void check_one(const char *name, const char *path, const char *offset)
{
        const struct stasis_layout *layout = stasis_layout_by_name(name);
        struct stasis_member member;
        char *end;
        ck_assert_msg(layout != NULL, "%s", name);
        bool found = stasis_layout_member(layout, path, &member);
        if (strcmp(offset, "-") == 0) {
                ck_assert_msg(!found, "%s: %s found", name, path);
                return;
        }
        ck_assert_msg(found, "%s: %s not found", name, path);
        uint32_t want = (uint32_t)strtoul(offset, &end, 16);
        ck_assert_msg(member.offset == want, "%s: %s at %x, want %s", name, path, member.offset, offset);
        if (*end == ':')
                ck_assert_msg(member.bits == 1 && member.bit == strtoul(end + 1, NULL, 10), "%s: %s bit %u", name, path,
                              member.bit);
        else
                ck_assert_msg(member.bits == 0, "%s: %s is a bit", name, path);
}

static void check_rows(const struct place *rows, size_t count, const char *const names[COLUMNS])
{
        for (size_t i = 0; i < count; i++) {
                char text[512], *save = NULL;
                size_t column = 0;
                strcpy(text, rows[i].offsets);
                for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save))
                        check_one(names[column++], rows[i].path, word);
                ck_assert_uint_eq(column, COLUMNS);
        }
}

START_TEST(places_x86) { check_rows(x86_places, sizeof x86_places / sizeof *x86_places, x86_names); }
END_TEST

START_TEST(places_x64) { check_rows(x64_places, sizeof x64_places / sizeof *x64_places, x64_names); }
END_TEST

int main(void)
{
        Suite *suite = suite_create("layout-places");
        TCase *tcase = tcase_create("places");
        tcase_add_test(tcase, places_x86);
        tcase_add_test(tcase, places_x64);
        suite_add_tcase(suite, tcase);
        SRunner *runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        int failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
