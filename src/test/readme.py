# SPDX-License-Identifier: MIT
"""
readme.py BUILD IMAGE CC [CFLAG...]: installs the build into a temporary folder, compiles the C example of README.md
against it through pkg-config, as README.md says, and runs it on IMAGE. So the example, the pkg-config file and the
install rules hold.
"""
import glob
import os
import re
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
INSTALLED = ("bin/stasis", "include/stasis/stasis.h", "lib*/**/libstasis.a", "lib*/**/libstasis.so",
             "lib*/**/stasis.pc", "share/man/man1/stasis.1", "share/bash-completion/completions/stasis")


def run(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def example():
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as text:
        found = re.search(r"^```c\n(.*?)^```$", text.read(), re.MULTILINE | re.DOTALL)
    return found.group(1) if found else sys.exit("README.md has no C example")


def main():
    build, image, cc, flags = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
    with tempfile.TemporaryDirectory() as there:
        run(["meson", "install", "-C", build, "--no-rebuild", "--destdir", there])
        found = glob.glob(there + "/**/stasis.pc", recursive=True)
        prefix = found[0][:found[0].index("/lib")] if found else sys.exit("no stasis.pc was installed")
        missing = [name for name in INSTALLED if not glob.glob(os.path.join(prefix, name), recursive=True)]
        if missing:
            sys.exit(f"not installed: {', '.join(missing)}")
        ask = ["pkg-config", f"--define-variable=prefix={prefix}", "--cflags", "--libs", "stasis"]
        options = run(ask, env={**os.environ, "PKG_CONFIG_PATH": os.path.dirname(found[0])}).split()
        source, program = os.path.join(there, "example.c"), os.path.join(there, "example")
        with open(source, "w", encoding="utf-8") as text:
            text.write(example())
        strict = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic"]
        run([*cc.split(), *strict, *flags, source, "-o", program, *options])
        libraries = os.path.dirname(os.path.dirname(found[0]))
        printed = run([program, image], env={**os.environ, "LD_LIBRARY_PATH": libraries})
    lines = printed.splitlines()
    print(f"the example printed {len(lines)} lines, the last one: {lines[-1] if lines else ''}")
    sys.exit(0 if len(lines) > 10 else 1)


main()
