# SPDX-License-Identifier: MIT
"""What a compiler does not check: style.py ROOT. Prints each breach as file:line: text; exit status 1 if any."""
import os
import re
import subprocess
import sys

WIDTH = 120
TEXT = (".c", ".h", ".py", ".build", ".sh", ".ini", ".md", ".1")
SPDX = (".c", ".h", ".py", ".build", ".sh")
PROMISE = re.compile(r"\b(TODO|FIXME|XXX)\b")

# Who may include what: of several prefixes the longest one counts. Tests, fuzz targets and benches may include anything
# but a reader's wire header: an input built from the same header as the reader cannot find that header wrong.
MAY_INCLUDE = {
    "include/": ("include/",),
    "src/base/": ("include/", "src/base/"),
    "src/mem/": ("include/", "src/base/", "src/mem/", "formats/format.h"),
    "formats/": ("include/", "src/base/", "src/mem/image.h", "formats/"),
    "src/os/": ("include/", "src/base/", "src/mem/", "src/os/"),
    "src/os/windows/": ("include/", "src/base/", "src/mem/", "src/os/!", "src/os/windows/"),
    "src/os/linux/": ("include/", "src/base/", "src/mem/", "src/os/!", "src/os/linux/"),
    "src/cli/": ("include/", "src/cli/"),
}
FREE = ("src/test/", "src/fuzz/", "src/bench/")

bad = 0


def complain(path, line, text):
    global bad
    bad += 1
    print(f"{path}:{line}: {text}")


def files(root):
    try:
        listed = subprocess.run(["git", "-C", root, "ls-files", "-z"], capture_output=True, check=True).stdout.decode()
        found = [path for path in listed.split("\0") if path]
    except (OSError, subprocess.CalledProcessError):
        passed = ("/build", "/.git", "__pycache__")
        found = [os.path.relpath(os.path.join(folder, name), root) for folder, _, names in os.walk(root)
                 if not any(part in folder for part in passed) for name in names]
    return sorted(path for path in found if os.path.exists(os.path.join(root, path)))


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as text:
        return text.read()


def lines(path, text):
    """Tabs, trailing space, width, licence, promises."""
    kind = os.path.splitext(path)[1]
    script = kind == "" and text.startswith("#!")
    if kind not in TEXT and not script:
        return
    rows = text.split("\n")
    if kind in SPDX or script:
        if "SPDX-License-Identifier: MIT" not in "\n".join(rows[:2]):
            complain(path, 1, "no SPDX line at the top")
    if rows[-1] != "":
        complain(path, len(rows), "no newline at the end")
    for number, row in enumerate(rows, 1):
        if "\t" in row:
            complain(path, number, "a tab")
        if row != row.rstrip():
            complain(path, number, "trailing space")
        if len(row) > WIDTH and kind not in (".md", ".1"):
            complain(path, number, f"{len(row)} columns")
        if PROMISE.search(row) and path != "src/test/style.py" and kind != ".md":
            complain(path, number, "a promise of later work")


def resolve(root, path, name):
    """The file that an #include names, from the root; None for a system header."""
    beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
    if os.path.exists(os.path.join(root, beside)):
        return beside
    public = os.path.join("include", name)
    return public if os.path.exists(os.path.join(root, public)) else None


def under(target, prefix):
    """Does the target lie there? A prefix that ends in "!" means the folder itself, without those in it."""
    if prefix.endswith("!"):
        return os.path.dirname(target) + "/" == prefix[:-1]
    return target.startswith(prefix)


def direction(root, path, text):
    """Includes point one way: base, mem, formats and os, cli."""
    test = path.endswith("_test.c") or path.startswith(FREE)
    home = max((prefix for prefix in MAY_INCLUDE if path.startswith(prefix)), key=len, default=None)
    for number, row in enumerate(text.split("\n"), 1):
        match = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', row)
        target = match and resolve(root, path, match.group(1))
        if not target:
            continue
        if test and target.endswith("_wire.h"):
            complain(path, number, "a test shares the wire header with the reader")
        if not test and home and not any(under(target, prefix) for prefix in MAY_INCLUDE[home]):
            complain(path, number, f"{home} may not include {target}")


def checks(root):
    """docs/NOTES.md has a row for each check of a thread, with its severity."""
    table = re.findall(r'\{ "([a-z-]+)",\s+STASIS_NOTE_([A-Z]+),', read(root, "src/os/windows/checks.c"))
    told = re.findall(r"^\| `([a-z-]+)` \| ([a-z]+) \|", read(root, "docs/NOTES.md"), re.M)
    if [(code, severity.lower()) for code, severity in table] != told:
        complain("docs/NOTES.md", 1, "not the checks of src/os/windows/checks.c, in their order")


def documents(root, names):
    """What has to be said twice is the same twice."""
    build = read(root, "meson.build")
    version = re.search(r"version: '([^']+)'", build).group(1)
    if f'#define STASIS_VERSION "{version}"' not in read(root, "include/stasis/stasis.h"):
        complain("include/stasis/stasis.h", 1, f"STASIS_VERSION is not {version}")
    table = read(root, "formats/formats.c")
    readers = set(re.findall(r"&stasis_format_(\w+)", table))
    described = {os.path.basename(path)[:-3] for path in names if path.startswith("docs/formats/")}
    for name in readers - described:
        complain(f"docs/formats/{name}.md", 1, "the reader has no page")
    for name in described - readers:
        complain(f"docs/formats/{name}.md", 1, "no reader of this name in formats/formats.c")
    suites = read(root, "src/test/meson.build")
    for path in names:
        case = re.fullmatch(r"testdata/golden/([^/]+)/recipe", path)
        if case and f"'{case.group(1)}'" not in suites:
            complain(path, 1, "not in the list of src/test/meson.build")
        if path.endswith(".md"):
            links(root, path, read(root, path))


def links(root, path, text):
    for number, row in enumerate(text.split("\n"), 1):
        for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", row):
            if not os.path.exists(os.path.join(root, os.path.dirname(path), target)):
                complain(path, number, f"link to {target}, which is not there")


def main():
    root = sys.argv[1]
    names = files(root)
    for path in names:
        if path.startswith("testdata/"):
            continue
        try:
            text = read(root, path)
        except UnicodeDecodeError:
            complain(path, 1, "a binary file outside testdata")
            continue
        lines(path, text)
        if path.endswith((".c", ".h")):
            direction(root, path, text)
    documents(root, names)
    checks(root)
    print(f"{len(names)} files, {bad} breaches of style")
    sys.exit(1 if bad else 0)


main()
