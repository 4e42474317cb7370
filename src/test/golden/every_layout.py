#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The golden question for every version that the fact tables know, not only for the committed cases.

    every_layout.py STASIS [LAYOUTS] [--encoded]

LAYOUTS: layouts.tar.xz or its unpacked folder; else $STASIS_FACTS, else ../shared/facts/windows/layouts.tar.xz beside
the tree. Without it the test is skipped (77). Each version gets the people of both casts, damage included, in a raw
image with a plain debugger block; every fact must come back, by a layout of that build, and the image's pool, objects
and handle tables pass their own test. With --encoded the 64-bit versions from 8 on have an encoded block instead, as
they mostly do: then only the kernel's file version tells the revision.
"""
import copy
import os
import sys
import tarfile
import tempfile

sys.dont_write_bytecode = True
import build  # noqa: E402
import places  # noqa: E402
import run  # noqa: E402
import selftest  # noqa: E402
import selftest_objects  # noqa: E402
import selftest_waits  # noqa: E402

SHARED = os.path.join(build.DATA, "..", "..", "..", "shared", "facts", "windows", "layouts.tar.xz")
# From this build on, the debugger block has this size.
KDBG_SIZES = [(17763, 0x380), (14393, 0x368), (9200, 0x360), (7600, 0x340), (6001, 0x330), (6000, 0x328), (3790, 0x318),
              (2600, 0x290)]
MODELS = {"x64": "win11-24h2-x64", "x86": "vistasp2-x86"}


def recipe_of(name, models, encoded):
    """The model of this width under another version's name."""
    version = name.split("-")[0].split(".")
    number = int(version[2])
    recipe = copy.deepcopy(models["x64" if "x64" in name else "x86"])
    # A revision of 0 is not told; one that is not known is made up.
    version[3] = version[3] if version[3].isdigit() and version[3] != "0" else "7000"
    recipe["system"].update(version=".".join(version), symbols=False, image_size=0x5E9000,
                            build_lab=f"{number}.golden", timestamp=0x50000000 + number,
                            kdbg_size=next(size for first, size in KDBG_SIZES if number >= first))
    recipe["system"].update(kdbg="plain")
    recipe["system"].pop("pcr_in_kernel", None)
    if encoded and number >= 9200 and "x64" in name:
        recipe["system"]["kdbg"] = "encoded"
    if number < 9600:  # 44 bits of address, and 8 packs no more of them into its handles
        recipe["system"].pop("at", None)
        recipe["system"].pop("self_index", None)
    if number in (2600, 3790):
        recipe["system"]["create_time_shift"] = 3
    if "x86" in name and number >= 9200:
        recipe["system"]["paging"] = "pae"
    if number == 2600:
        recipe["notes"] = [code for code in recipe["notes"] if code != "thread-unreadable"]
    return recipe


def build_and_width(name):
    return name.split("-")[0].rpartition(".")[0], name.split("-")[1]


def check(binary, facts, name, models, folder, encoded):
    recipe = recipe_of(name, models, encoded)
    lent = "10.0.19041.508-x86" if "x64" in name else ""
    known = places.distil(facts, name, lent)
    system = build.build(recipe, known)
    path = os.path.join(folder, name + ".raw")
    build.save(system, "raw", path)
    diff, answer, _ = run.check_image(binary, path, recipe, system.truth)
    try:
        image = selftest.Image(path, known)
        selftest_objects.check(image, system.truth, system.labels.at, system.build)
        selftest_waits.check(image, system.truth)
    except AssertionError as wrong:
        diff.add(f"the image itself: {wrong}")
    os.unlink(path)
    if answer:
        # Without PDB and time stamp two revisions of one build can be alike in all that the block tells.
        diff.check("layout", build_and_width(name), build_and_width(answer["system"]["layout"] or "-"))
    return diff.show()


def main(argv):
    encoded = "--encoded" in argv
    argv = [a for a in argv if a != "--encoded"]
    if len(argv) < 2:
        print(__doc__, file=sys.stderr)
        return 1
    facts = argv[2] if len(argv) > 2 else os.environ.get("STASIS_FACTS", SHARED)
    if not os.path.exists(facts):
        print("the fact tables are not here: skipped")
        return 77
    with tempfile.TemporaryDirectory() as folder:
        if not os.path.isdir(facts):
            with tarfile.open(facts) as tar:
                tar.extractall(folder)
            facts = next(at for at, _, names in os.walk(folder) if "index.json" in names)
        names = sorted(n[:-5] for n in os.listdir(facts) if "-x" in n and n.endswith(".json") and "partial" not in n)
        models = {width: build.load_recipe(os.path.join(build.DATA, case)) for width, case in MODELS.items()}
        bad = [name for name in names if not check(os.path.abspath(argv[1]), facts, name, models, folder, encoded)]
    print(f"{len(names)} layouts, {len(bad)} with differences")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
