#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every form of a real kdump holds the same bytes at the same places, and libkdumpfile says so too.

usage: real_kdump.py STASIS_BINARY KDUMP_TOOL CACHE

Images: $STASIS_IMAGES, else ../shared/images beside the tree. Of linux-x64-kdump/d31.none.kdump these forms are made:
by Debian's makedumpfile lzo, zlib, flattened and split; by KDUMP_TOOL snappy and zstd; here split ones whose parts all
hold pages. Of linux-x64 QEMU's own flattened file is held against the ELF core of the same stop. And the pages that
each guest hashed itself are where its truth.json says, in every form of every folder. Exit status: 0 all agree, 1 not,
77 no images.
"""
import hashlib
import json
import os
import shutil
import struct
import subprocess
import sys

from real_translate import unpacked

IMAGES = os.environ.get('STASIS_IMAGES') or os.path.join(os.path.dirname(__file__), '../../../shared/images')
KDUMP = 'linux-x64-kdump/d31.none.kdump'
WITH_PAGES = ('linux-x64/mem.elf', 'linux-x64/mem.qemu-zlib.flat', 'linux-x64-la57/mem.raw', 'linux-x64-hi/mem.lime',
              'linux-i386-pae/mem.raw', 'linux-i386-pae-hi/mem.lime', 'linux-i386-nopae/mem.raw')
BLOCK = 4096
bad = 0


def expect(what, good, detail=''):
    global bad
    bad += not good
    print(f'{"ok" if good else "WRONG"}: {what}{"" if good else ": " + str(detail)[:400]}')


def run(*command, to=None):
    done = subprocess.run(command, stdout=to or subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    return done.returncode, done.stdout or b'', done.stderr.decode(errors='replace')


def info(stasis, files):
    # a root by hand: no system is searched for
    status, out, err = run(stasis, 'info', '--format', 'json', '--root', '0', '--mode', 'x64', *files)
    expect(f'{files[0]} opens', status in (2, 3, 0) and out, err)
    return json.loads(out)['image'] if out else None


def memory(stasis, files, first, length):
    """(sha256, exit status): what is not there reads as zeros, with status 3."""
    also = [word for file in files[1:] for word in ('--also', file)]
    status, out, _ = run(stasis, 'read', '--physical', '--format', 'raw', *also, files[0], hex(first), str(length))
    return hashlib.sha256(out).hexdigest() if len(out) == length else None, status


def places(image):
    return [(r['pa'], r['len']) for r in image['ranges']], [(g['pa'], g['len'], g['why']) for g in image['gaps']]


def split(path, folder, cuts):
    """Parts that all hold pages: both bitmaps whole, the descriptors of their own pages, those pages' data."""
    with open(path, 'rb') as f:
        whole = f.read()
    sub_blocks, bitmap_blocks = struct.unpack_from('<II', whole, 432)
    bitmaps, descs = (1 + sub_blocks) * BLOCK, (1 + sub_blocks + bitmap_blocks) * BLOCK
    held = whole[bitmaps + bitmap_blocks // 2 * BLOCK:descs]
    pages = [pfn for pfn in range(len(held) * 8) if held[pfn // 8] >> pfn % 8 & 1]
    parts = []
    for number, (first, end) in enumerate(zip([0] + cuts, cuts + [len(held) * 8])):
        mine = [i for i, pfn in enumerate(pages) if first <= pfn < end]
        head, data = bytearray(whole[:descs]), bytearray()
        struct.pack_into('<I', head, BLOCK + 12, 1)
        struct.pack_into('<QQ', head, BLOCK + 80, first, end)
        table = bytearray()
        for i in mine:
            off, size, flags, page_flags = struct.unpack_from('<QIIQ', whole, descs + 24 * i)
            table += struct.pack('<QIIQ', descs + 24 * len(mine) + len(data), size, flags, page_flags)
            data += whole[off:off + size]
        parts.append(os.path.join(folder, f'part{number}'))
        with open(parts[-1], 'wb') as f:
            f.write(head + table + data)
    return parts


def forms(tool, kdump, folder):
    """{name: [files]} of what could be made."""
    made = {}
    path = lambda name: os.path.join(folder, name)
    for method in ('snappy', 'zstd'):
        if run(tool, 'repack', method, kdump, path(method))[0] == 0:
            made[method] = [path(method)]
    made['split in three'] = split(kdump, folder, [0xc000, 0xf000])
    if not shutil.which('makedumpfile'):
        print('makedumpfile is not installed: lzo, zlib, flattened and its split ones are left out')
        return made
    for name, options in (('lzo', ['-l']), ('zlib', ['-c'])):
        if run('makedumpfile', *options, '-d', '31', kdump, path(name))[0] == 0:
            made[name] = [path(name)]
    for name, options in (('flattened', ['-F']), ('flattened lzo', ['-F', '-l'])):
        with open(path(name), 'wb') as f:
            if run('makedumpfile', *options, '-d', '31', kdump, to=f)[0] == 0:
                made[name] = [path(name)]
    parts = [path(f'split{i}') for i in range(3)]
    if run('makedumpfile', '--split', '-c', '-d', '31', kdump, *parts)[0] == 0:
        made['split by makedumpfile'] = [parts[1], parts[0], parts[2]]
    return made


def check_forms(stasis, tool, cache):
    kdump = unpacked(IMAGES, cache, KDUMP)
    if not kdump:
        return 0
    folder = os.path.join(cache, 'kdump')
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    first = info(stasis, [kdump])
    end = max(int(g['pa'], 16) + int(g['len'], 16) for g in first['gaps'] + first['ranges'])
    want = memory(stasis, [kdump], 0, end)
    made = forms(tool, kdump, folder)
    for name, files in [('as it is', [kdump]), *made.items()]:
        image = info(stasis, files)
        expect(f'{name}: ranges and gaps', image and places(image) == places(first), image and image['title'])
        expect(f'{name}: {end >> 20} MiB of bytes', want[0] and memory(stasis, files, 0, end) == want, want)
        if not name.startswith('flattened'):
            status, out, err = run(tool, 'compare', *sorted(files))
            expect(f'{name}: libkdumpfile: {out.decode().strip()}', status == 0, err)
    image = info(stasis, made['split in three'][1:])
    missing = sum(int(g['len'], 16) for g in image['gaps'] if 'not given' in g['why'])
    expect('split, its first part not given', image['range_bytes'] + missing == first['range_bytes'], missing)
    shutil.rmtree(folder)
    return 1


def check_qemu(stasis, cache):
    elf, flat = (unpacked(IMAGES, cache, f'linux-x64/{name}') for name in ('mem.elf', 'mem.qemu-zlib.flat'))
    if not elf or not flat:
        return 0
    want = memory(stasis, [elf], 0, 128 << 20)
    expect('QEMU: the flattened file and the ELF core', want[0] and memory(stasis, [flat], 0, 128 << 20) == want, want)
    a, b = info(stasis, [elf]), info(stasis, [flat])
    expect('QEMU: registers of each CPU', a['cpus'] == b['cpus'] and len(a['cpus']) == 2)
    expect('QEMU: machine', b['hints']['machine'] == 'x64', b['hints'])
    return 1


def check_pages(stasis, cache, name):
    """The pages that the guest hashed; those that a filtered dump left out say so."""
    path = unpacked(IMAGES, cache, name)
    truth = os.path.join(IMAGES, os.path.dirname(name), 'truth.json')
    if not path or not os.path.exists(truth):
        return 0
    with open(truth, encoding='utf-8') as f:
        pages = [p for p in json.load(f)['pages'] if p.get('image_sha_ok') and p.get('pa')]
    same = left_out = 0
    for page in pages:
        got, status = memory(stasis, [path], int(page['pa'], 16), BLOCK)
        same += got == page['sha256'] and status == 0
        left_out += status == 3
    filtered = name == KDUMP
    expect(f'{name}: {same} of {len(pages)} hashed pages, {left_out} left out',
           pages and same + left_out == len(pages) and (filtered or not left_out))
    return 1


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__.strip().splitlines()[2])
    stasis, tool, cache = (os.path.abspath(word) for word in sys.argv[1:])
    seen = check_forms(stasis, tool, cache) + check_qemu(stasis, cache)
    seen += sum(check_pages(stasis, cache, name) for name in (KDUMP, *WITH_PAGES))
    if not seen:
        print(f'SKIPPED: no real images in {IMAGES}')
        sys.exit(77)
    sys.exit(1 if bad else 0)


if __name__ == '__main__':
    main()
