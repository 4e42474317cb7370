#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Translations of real machines, as QEMU itself made them, against `stasis translate`.

usage: real_translate.py STASIS_BINARY IMAGES_DIR

IMAGES_DIR holds FOLDER/gva2gpa.json or FOLDER/translate_pairs.json, with mem.raw, mem.elf or mem.lime beside it,
plain or .xz; $STASIS_IMAGES, where set, is used instead. What must be unpacked goes to $STASIS_IMAGES_CACHE, else to
"images" under the current directory, and stays there. A page beyond the memory that an image holds (a device)
translates all the same: only the tables must be in the image. Exit status: 0 all agree, 1 not, 77 no images.
"""
import json
import lzma
import os
import re
import shutil
import subprocess
import sys

NAMES = ('mem.raw', 'mem.elf', 'mem.lime', 'mem.qemu-zlib.flat')


def unpacked(images, cache, path):
    """The plain file: beside its .xz, or unpacked from it into the cache; None where there is neither."""
    plain = os.path.join(images, path)
    if os.path.exists(plain):
        return plain
    kept = os.path.join(cache, path)
    if not os.path.exists(kept):
        if not os.path.exists(plain + '.xz'):
            return None
        os.makedirs(os.path.dirname(kept), exist_ok=True)
        part = f'{kept}.{os.getpid()}.part'
        with lzma.open(plain + '.xz') as source, open(part, 'wb') as to:
            shutil.copyfileobj(source, to, 1 << 20)
        os.replace(part, kept)
    return kept


def linux_pairs(folder):
    """{(root, mode): [(va, pa or None)]}. QEMU prints CR3 in 16 digits where the CPU is in long mode, else in 8."""
    pairs = {}
    with open(os.path.join(folder, 'gva2gpa.json'), encoding='utf-8') as f:
        for entry in json.load(f):
            cr4 = int(entry['cr4'], 16)
            if len(entry['cr3']) == 16:
                mode = 'la57' if cr4 & 1 << 12 else 'x64'
            else:
                mode = 'pae' if cr4 & 1 << 5 else 'x86'
            pa = None if entry['pa'] is None else int(entry['pa'], 16)
            pairs.setdefault((int(entry['cr3'], 16), mode), []).append((int(entry['va'], 16), pa))
    return pairs


def reactos_pairs(folder):
    with open(os.path.join(folder, 'registers.txt'), encoding='utf-8') as f:
        text = f.read()
    root = int(re.search(r'CR3=([0-9a-f]+)', text).group(1), 16)
    pae = int(re.search(r'CR4=([0-9a-f]+)', text).group(1), 16) & 1 << 5
    pairs = []
    with open(os.path.join(folder, 'translate_pairs.json'), encoding='utf-8') as f:
        for entry in json.load(f):
            known = re.fullmatch(r'gpa: (0x[0-9a-f]+)', entry['gva2gpa'])
            if not known and entry['gva2gpa'] != 'Unmapped':
                raise ValueError(f'{folder}: {entry}')
            pairs.append((int(entry['va'], 16), int(known.group(1), 16) if known else None))
    return {(root, 'pae' if pae else 'x86'): pairs}


def hexed(value):
    return 'null' if value is None else f'{value:#x}'


def check(stasis, image, root, mode, pairs):
    """How many of the pairs disagree."""
    command = [stasis, 'translate', image, '-', '--root', f'{root:#x}', '--mode', mode, '--format', 'json']
    done = subprocess.run(command, input=''.join(f'{va:#x}\n' for va, _ in pairs), capture_output=True, text=True,
                          check=False)
    if done.returncode not in (0, 3):  # 3: something was not there, which the truth says too
        print(f'{" ".join(command)}: exit status {done.returncode}: {done.stderr.strip()[:400]}')
        return len(pairs)
    answer = json.loads(done.stdout)
    if answer['schema'] != 'stasis/translate/1' or len(answer['translations']) != len(pairs):
        print(f'{" ".join(command)}: {answer["schema"]}, {len(answer["translations"])} answers for {len(pairs)}')
        return len(pairs)
    wrong = 0
    for (va, pa), got in zip(pairs, answer['translations']):
        got_pa = None if got['pa'] is None else int(got['pa'], 16)
        if int(got['va'], 16) != va or got_pa != pa:
            wrong += 1
            print(f'{image}: {mode} root {root:#x} va {va:#x}: {hexed(pa)} is true, stasis says {json.dumps(got)}')
    return wrong


def check_folder(stasis, images, cache, name):
    """(pairs compared, wrong ones) over every form of this folder's image."""
    folder = os.path.join(images, name)
    if os.path.exists(os.path.join(folder, 'gva2gpa.json')):
        groups = linux_pairs(folder)
    elif os.path.exists(os.path.join(folder, 'translate_pairs.json')):
        groups = reactos_pairs(folder)
    else:
        return 0, 0
    total = wrong = 0
    for file in NAMES:
        image = unpacked(images, cache, os.path.join(name, file))
        if not image:
            continue
        bad = sum(check(stasis, image, root, mode, pairs) for (root, mode), pairs in groups.items())
        count = sum(map(len, groups.values()))
        modes = sorted({mode for _, mode in groups})
        print(f'{name}/{file}: {count - bad} of {count} agree ({", ".join(modes)}; {len(groups)} roots)')
        total, wrong = total + count, wrong + bad
    return total, wrong


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip().splitlines()[2])
    stasis, images = os.path.abspath(sys.argv[1]), os.environ.get('STASIS_IMAGES') or sys.argv[2]
    cache = os.environ.get('STASIS_IMAGES_CACHE') or os.path.join(os.getcwd(), 'images')
    folders = sorted(os.listdir(images)) if os.path.isdir(images) else []
    results = [check_folder(stasis, images, cache, name) for name in folders]
    total, wrong = sum(r[0] for r in results), sum(r[1] for r in results)
    if not total:
        print(f'SKIPPED: no real images in {images}')
        sys.exit(77)
    print(f'{total - wrong} of {total} translations agree')
    sys.exit(1 if wrong else 0)


if __name__ == '__main__':
    main()
