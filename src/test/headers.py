# SPDX-License-Identifier: MIT
"""
Each header compiles alone: headers.py ROOT CC [CXX]. Public ones in C11 -pedantic and in C++, inner ones as gnu11.
"""
import os
import subprocess
import sys

WARN = ["-fsyntax-only", "-Wall", "-Wextra", "-Wshadow", "-Werror", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64"]


def headers(root):
    for top in ("include", "formats", "src"):
        for folder, _, names in sorted(os.walk(os.path.join(root, top))):
            for name in sorted(names):
                if name.endswith(".h"):
                    yield os.path.join(folder, name)


def alone(root, compiler, language, header, options):
    source = f'#include "{header}"\n#include "{header}"\nextern int not_empty;\n'
    command = [*compiler, *WARN, *options, "-I", os.path.join(root, "include"), "-x", language, "-"]
    done = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{header} does not compile alone as {language} {' '.join(options)}:\n{done.stderr}")
    return done.returncode == 0


def main():
    root, cc = sys.argv[1], sys.argv[2].split()
    cxx = sys.argv[3].split() if len(sys.argv) > 3 else None
    results = []
    for header in headers(root):
        if header.startswith(os.path.join(root, "include")):
            results.append(alone(root, cc, "c", header, ["-std=c11", "-pedantic"]))
            results.append(alone(root, cc, "c", header, ["-std=c2x", "-pedantic"]))
            if cxx:
                results.append(alone(root, cxx, "c++", header, ["-std=c++11", "-pedantic"]))
        else:
            results.append(alone(root, cc, "c", header, ["-std=gnu11"]))
    print(f"{len(results)} compilations of headers, {results.count(False)} failed{'' if cxx else '; no C++ compiler'}")
    sys.exit(0 if results and all(results) else 1)


main()
