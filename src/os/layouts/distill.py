#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""distill.py FACTS_DIR: makes the text files beside this script from the layout facts (*.json, pe_ids.tsv).

Run by hand when the facts change; a build never needs it. README.md tells what the files mean.
"""
import json
import math
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent
ARCHES = ('x86', 'x64')
WIDTH = 118
BITS = {'u8': 8, 'u16': 16, 'u32': 32, 'u64': 64, 'i8': 8, 'i16': 16, 'i32': 32, 'i64': 64}

# Which file a structure's rows go to; the first pattern that matches.
THEMES = (
    ('thread', r'_KTHREAD|_ETHREAD|_KAPC|_KWAIT|_CLIENT_ID|_TERMINATION_PORT|_PS_(IMP|CLIENT)|_KLOCK|_KSTACK|_THREAD|'
               r'_UMS|_KERNEL_STACK|_RTL_THREAD|_GROUP_AFFINITY|_LPCP|_ALPC|_KALPC|_PORT_MESSAGE'),
    ('process', r'_KPROCESS$|_EPROCESS|_EJOB|_PS_|_EWOW64|_WOW64|_TOKEN|_SEP?_|_SID|_LUID|_SECURITY'),
    ('processor', r'_KPCR|_KPRCB|_KPROCESSOR|_KSPECIAL|_CONTEXT|_KTRAP|_KEXCEPTION|_KTSS|_KGDT|_KIDT|_KDESC|_DESC|_XS|'
                  r'_FX|_FN|_FLOAT|_KFLOAT|_M128A|_MACHINE|_EXCEPTION'),
    ('user', r'_TEB|_PEB|_NT_TIB|_LDR|_KLDR|_RTL_USER|_CURDIR|_GDI|_ACTIVATION|_RTL_ACT|_KUSER|_UNLOADED'),
    ('memory', r'_MM|_MI_|_MDL|_POOL|_CONTROL_AREA|_SEG|_SUBSECTION|_SECTION|_HARDWARE_PTE|_PHYS|PO_|_PO_|'
               r'_RTL_(AVL|BAL)'),
    ('object', r'_OBJECT|_HANDLE|_DEVICE|_DRIVER|_FILE|_IR|_IO_|_K(EVENT|MUTANT|SEMA|TIMER|QUEUE|PRIQ|GATE|DPC)|'
               r'_DISPATCHER|_OWNER|_ERESOURCE|_CM_|_WAIT_CONTEXT|_WORK'),
    ('misc', r''),
)


def version_key(name):
    version, _, rest = name.partition('-')
    return [int(re.match(r'\d*', part).group() or 0) for part in version.split('.')], rest


def label_of(name):
    """'10.0.19041.1237-x64' -> '19041.1237'; the second source of 9200 keeps its mark."""
    version = name.split('-')[0].split('.')
    return '.'.join(version[2:]) + ('v' if name.endswith('-verg') else '')


class Facts:
    def __init__(self, folder):
        self.layouts = {arch: [] for arch in ARCHES}
        for path in sorted(folder.glob('*-x[86][64]*.json')):
            data = json.loads(path.read_text())
            data['name'] = path.stem
            data['label'] = label_of(path.stem)
            self.layouts[data['metadata']['arch']].append(data)
        for arch in ARCHES:
            self.layouts[arch].sort(key=lambda d: version_key(d['name']))
        self.repaired = self.settled = 0
        for arch in ARCHES:
            self.repair_signs(arch)
            self.settle_enums(arch)

    def repair_signs(self, arch):
        """Volatility 2 says u8 for CHAR: take i8 from the nearest layout of a source that keeps signs."""
        signs = {}
        for at, data in enumerate(self.layouts[arch]):
            if data['metadata']['source'] == 'vol2':
                continue
            for name, struct in data['structs'].items():
                for member, field in struct['fields'].items():
                    if field['type'] in ('u8', 'i8') and 'bit_length' not in field:
                        signs.setdefault((name, member), []).append((at, field['type']))
        for at, data in enumerate(self.layouts[arch]):
            if data['metadata']['source'] != 'vol2':
                continue
            for name, struct in data['structs'].items():
                for member, field in struct['fields'].items():
                    seen = signs.get((name, member))
                    if field['type'] != 'u8' or 'bit_length' in field or not seen:
                        continue
                    nearest = min(seen, key=lambda s: abs(s[0] - at))[1]
                    self.repaired += nearest != 'u8'
                    field['type'] = nearest


    def settle_enums(self, arch):
        """Where one source calls a 4-byte member an enumeration and another an integer, the enumeration is right."""
        enums = {}
        for at, data in enumerate(self.layouts[arch]):
            for name, struct in data['structs'].items():
                for member, field in struct['fields'].items():
                    if field['type'] == 'enum':
                        enums.setdefault((name, member), []).append((not field.get('enum'), at, field))
        for at, data in enumerate(self.layouts[arch]):
            for name, struct in data['structs'].items():
                for member, field in struct['fields'].items():
                    seen = enums.get((name, member))
                    if not seen or field['type'] not in ('i32', 'u32', 'enum'):
                        continue
                    if 'bit_length' in field or field.get('enum'):
                        continue
                    best = min(seen, key=lambda s: (s[0], abs(s[1] - at)))[2]
                    self.settled += field['type'] != 'enum' or bool(best.get('enum'))
                    field.update({'type': 'enum', 'size': 4, 'enum': best.get('enum', '')})


def elements(count):
    """Dimensions multiplied; a source prints -16 for one it does not know."""
    return math.prod(max(n, 1) for n in count) if isinstance(count, list) else count


def shape_of(field):
    """The text form of a member's type; README.md explains it."""
    kind = field['type']
    if kind == 'ptr':
        target = field.get('to') or field.get('to_opaque') or ''
        text = '*' + ('' if target == 'function' else target)
    elif kind == 'struct':
        text = 's:%s' % field['struct']
    elif kind in ('opaque', 'enum'):
        size = field['elem_size'] if 'count' in field else field['size']
        target = field.get(kind, '')
        text = '%s:%s/%x' % (kind[0], '' if re.match(r'<|_*(anonymous|unnamed)', target) else target, size)
    else:
        text = kind
    if 'bit_length' in field:
        text += ':%d+%d' % (field['bit_position'], field['bit_length'])
    if 'count' in field:
        text += '[%x]' % elements(field['count'])
    return text


def points(values):
    """(label, value) of every layout -> only where the value changes; each holds until the next."""
    out, last = [], '-'
    for label, value in values:
        if value != last:
            out.append('%s=%s' % (label, value))
            last = value
    return out


def wrap(head, words, indent):
    lines, line = [], head
    for word in words:
        if len(line) + 1 + len(word) > WIDTH:
            lines.append(line)
            line = indent
        line += ' ' + word
    lines.append(line)
    return lines


def struct_rows(name, layouts):
    having = [d for d in layouts if name in d['structs']]
    size = points((d['label'], '%x' % d['structs'][name]['size'] if name in d['structs'] else '-') for d in layouts)
    rows, order = {}, {}
    for at, data in enumerate(having):
        for member, field in data['structs'][name]['fields'].items():
            key = (member.replace('[]', ''), shape_of(field))
            rows.setdefault(key, {})[data['label']] = '%x' % field['offset']
            order.setdefault(key, (at, field['offset'], field.get('bit_position', -1), key))
    out = []
    for key in sorted(rows, key=order.get):
        out += wrap(' %s %s' % key, points((d['label'], rows[key].get(d['label'], '-')) for d in having), '   ')
    return size, out


def write(name, lines):
    head = ['# SPDX-License-Identifier: MIT', '# Made by distill.py; README.md tells the form.']
    (HERE / name).write_text('\n'.join(head + lines) + '\n')


def write_structs(facts):
    names = sorted({name for arch in ARCHES for d in facts.layouts[arch] for name in d['structs']})
    themes = {theme: [] for theme, _ in THEMES}
    for name in names:
        theme = next(theme for theme, pattern in THEMES if re.match(pattern, name))
        for arch in ARCHES:
            layouts = facts.layouts[arch]
            if any(name in d['structs'] for d in layouts):
                size, rows = struct_rows(name, layouts)
                themes[theme] += wrap('struct %s %s' % (arch, name), size, '   ') + rows
    for theme, lines in themes.items():
        write('structs-%s.txt' % theme, lines)


def write_enums(facts):
    names = sorted({name for arch in ARCHES for d in facts.layouts[arch] for name in d.get('enums', {})})
    lines = []
    for name in names:
        for arch in ARCHES:
            having = [d for d in facts.layouts[arch] if name in d.get('enums', {})]
            if not having:
                continue
            lines += wrap('enum %s %s' % (arch, name), points(
                (d['label'], 'yes' if d in having else '-') for d in facts.layouts[arch]), '   ')
            rows = {(n, v) for d in having for n, v in d['enums'][name]['values'].items()}
            for value_name, value in sorted(rows, key=lambda r: (r[1], r[0])):
                held = ((d['label'], 'yes' if (value_name, value) in d['enums'][name]['values'].items() else '-')
                        for d in having)
                lines += wrap(' %s %d' % (value_name, value), points(held), '   ')
    write('enums.txt', lines)


def write_layouts(facts):
    lines = []
    for arch in ARCHES:
        for data in facts.layouts[arch]:
            covers = sorted({tuple(version_key(version)[0][2:]) for version, _ in data['metadata']['covers']})
            lines += wrap('layout %s %s %s %s' % (arch, data['label'], data['name'], data['metadata']['source']),
                          ['%d.%d' % c for c in covers], '   ')
    write('layouts.txt', lines)


def write_kernels(facts):
    names, rows = set(), []
    for arch in ARCHES:
        for data in facts.layouts[arch]:
            for pdb, kernel in data.get('symbols', {}).items():
                names |= set(kernel['rva'])
                rows.append((version_key(kernel['version'])[0], pdb, data['label'], arch, kernel))
    names = sorted(names)
    lines = wrap('symbols', names, '   ')
    for version, pdb, label, arch, kernel in sorted(rows, key=lambda r: (r[3], r[0], r[1])):
        lines.append('kernel %s %s %s %s %s' % (arch, label, kernel['version'], pdb, ' '.join(
            '%x' % kernel['rva'][n] if n in kernel['rva'] else '-' for n in names)))
    write('kernels.txt', lines)


def write_pe_ids(folder):
    rows = {}
    for line in (folder / 'pe_ids.tsv').read_text().splitlines():
        if line.startswith('#'):
            continue
        machine, _, stamp, size, version = line.split('\t')[:5]
        if machine == 'amd64':
            rows.setdefault(tuple(version_key(version)[0]), set()).add('%s/%x' % (stamp, int(size, 16)))
    write('pe_ids.txt', ['pe x64 %s %s' % ('.'.join(map(str, v)), ' '.join(sorted(rows[v]))) for v in sorted(rows)])


def write_profiles(folder):
    """Layouts that agree in these members serve a thread decoder alike: choosing between them is no ambiguity."""
    members = set()
    for name in ('thread_profiles.json', 'process_profiles.json'):
        for profile in json.loads((folder / name).read_text()):
            members |= set(profile['fields'])
    write('profiles.txt', wrap('profile', sorted(members), '   '))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    facts = Facts(folder)
    write_layouts(facts)
    write_structs(facts)
    write_enums(facts)
    write_kernels(facts)
    write_pe_ids(folder)
    write_profiles(folder)
    print('signs repaired: %d, enumerations settled: %d' % (facts.repaired, facts.settled))


if __name__ == '__main__':
    main()
