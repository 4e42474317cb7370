#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""check.py LAYOUT-DUMP [FACTS_DIR]: compares every member of every facts file with what the library answers.

FACTS_DIR: a folder with the facts' *.json; without one ../shared/facts/windows/layouts.tar.xz is unpacked. Exit
status 77: no facts there.
Some layouts are also turned into ISF files (isf.py) and asked through that reader. What is known to differ on purpose
between tables and facts is in three rules: signs that Volatility 2 lost, integers that are enumerations, what omit.txt
leaves out.
"""
import json
import lzma
import math
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile

from isf import Isf

ISF_EVERY = 10  # layouts: one of so many is also asked as an ISF made of it
HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[2]
INTEGERS = {'u8': (1, 'unsigned'), 'u16': (2, 'unsigned'), 'u32': (4, 'unsigned'), 'u64': (8, 'unsigned'),
            'i8': (1, 'signed'), 'i16': (2, 'signed'), 'i32': (4, 'signed'), 'i64': (8, 'signed'),
            'wchar': (2, 'unsigned'), 'f64': (8, 'opaque')}


def omitted():
    text = re.sub(r'\n    ', ' ', (HERE / 'omit.txt').read_text())
    for line in text.splitlines():
        if line.startswith('omit '):
            words = line.split()
            yield re.compile(words[1] + '$'), [re.compile(w) for w in words[2:]]


OMITTED = list(omitted())


def is_omitted(struct, member):
    return any(s.match(struct) and (not m or any(p.match(member) for p in m)) for s, m in OMITTED)


def expect(field, data):
    """(offset, size, count, bit, bits, type, target) as the facts have it; target None where any will do."""
    kind, count = field['type'], field.get('count', 1)
    if isinstance(count, list):
        count = math.prod(max(n, 1) for n in count)
    target = None
    if kind in INTEGERS:
        size, type_name = INTEGERS[kind]
    elif kind == 'ptr':
        size, type_name = data['metadata']['pointer_size'], 'pointer'
        target = field.get('to') or field.get('to_opaque') or ''
        target = None if target == 'function' else target
    elif kind == 'struct':
        size, type_name, target = data['structs'][field['struct']]['size'], 'struct', field['struct']
    else:
        size, type_name = field.get('elem_size', field['size']), {'enum': 'unsigned', 'opaque': 'opaque'}[kind]
    return field['offset'], size, count, field.get('bit_position', 0), field.get('bit_length', 0), type_name, target


def agrees(want, got, field):
    if got == '-':
        return False
    words = got.split(' ')
    have = tuple(int(w, 16) for w in words[:5])
    if have != want[:5]:
        return False
    if words[5] != want[5]:
        lost_sign = field['type'] == 'u8' and words[5] == 'signed' and 'bit_length' not in field
        enumeration = field['type'] in ('i32', 'u32') and words[5] == 'unsigned'
        if not lost_sign and not enumeration:
            return False
    return want[6] is None or words[6] == want[6]


def agrees_isf(want, got, field):
    """Of an ISF nothing is omitted or repaired; what the facts call opaque is a structure there."""
    words = got.split(' ')
    if got == '-' or tuple(int(w, 16) for w in words[:5]) != want[:5]:
        return False
    if words[5] != want[5] and not (want[5] == 'opaque' and words[5] == 'struct'):
        return False
    return want[6] is None or words[6] == want[6]


def ask(program, layout, questions):
    text = '\n'.join(questions) + '\n'
    return subprocess.run([program, layout], input=text, capture_output=True, text=True, check=True).stdout.splitlines()


def check_layout(program, data, name, isf=None):
    """Asks for everything in data; isf: the file to ask in place of the built-in tables."""
    questions, checks = [], []
    compare = agrees_isf if isf else agrees
    for struct, definition in data['structs'].items():
        questions.append('s %s' % struct)
        size = definition['size']
        checks.append(('%s size' % struct, lambda got, want=size: int(got, 16) == want, size))
        for member, field in definition['fields'].items():
            member = member.replace('[]', '')
            path = '%s.%s' % (struct, member)
            questions.append('m ' + path)
            if not isf and is_omitted(struct, member):
                checks.append((path, lambda got: got == '-' or '.' in got, 'omitted'))
            else:
                want = expect(field, data)
                checks.append((path, lambda got, want=want, field=field: compare(want, got, field), want))
    for enum, definition in data.get('enums', {}).items():
        questions.append('e ' + enum)
        want = ' '.join('%d=%s' % (v, n) for v, n in sorted((v, n) for n, v in definition['values'].items()))
        checks.append((enum, lambda got, want=want: sorted(got.split(' ')) == sorted(want.split(' ')), want))
    for kernel in list(data.get('symbols', {}).values())[:1] if isf else []:
        for symbol, rva in kernel['rva'].items():
            questions.append('y ' + symbol)
            checks.append((symbol, lambda got, rva=rva: int(got, 16) == rva, rva))
    answers = ask(program, isf or name, questions)
    if len(answers) != len(checks):
        return len(checks), ['%s: %d answers to %d questions' % (name, len(answers), len(checks))]
    bad = ['%s: %s: %s, want %s' % (name, what, got, want)
           for (what, test, want), got in zip(checks, answers) if not test(got)]
    return len(checks), bad


def check_folder(program, folder):
    total, bad, files = 0, [], sorted(folder.glob('*-x[86][64]*.json'))
    for at, path in enumerate(files):
        data = json.loads(path.read_text())
        count, wrong = check_layout(program, data, path.stem)
        total += count
        bad += wrong
        if at % ISF_EVERY == 0:
            with tempfile.NamedTemporaryFile('wb', suffix='.xz') as out:
                out.write(lzma.compress(json.dumps(Isf(data).document()).encode()))
                out.flush()
                count, wrong = check_layout(program, data, path.stem + ' (ISF)', out.name)
            total += count
            bad += wrong
    print('%d layouts, %d answers compared, %d wrong' % (len(files), total, len(bad)))
    for line in bad[:40]:
        print(line)
    return 1 if bad or not files else 0


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if len(sys.argv) > 2:
        return check_folder(sys.argv[1], pathlib.Path(sys.argv[2]))
    archive = TOP.parent / 'shared/facts/windows/layouts.tar.xz'
    if not archive.exists():
        print('no facts at %s: skipped' % archive)
        return 77
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(archive) as tar:
            tar.extractall(folder)
        return check_folder(sys.argv[1], next(pathlib.Path(folder).rglob('index.json')).parent)


if __name__ == '__main__':
    sys.exit(main())
