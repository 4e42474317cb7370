#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""gen.py OUT.c: compiles the text files beside this script into the tables of table.h. Run by meson."""
import collections
import sys
import uuid

from source import Source

BASE = {'u8': (1, 'UNSIGNED'), 'u16': (2, 'UNSIGNED'), 'u32': (4, 'UNSIGNED'), 'u64': (8, 'UNSIGNED'),
        'i8': (1, 'SIGNED'), 'i16': (2, 'SIGNED'), 'i32': (4, 'SIGNED'), 'i64': (8, 'SIGNED'),
        'wchar': (2, 'UNSIGNED'), 'f64': (8, 'OPAQUE')}


class Pool:
    """Distinct things, numbered in the order of their first use."""
    def __init__(self):
        self.index, self.items = {}, []

    def add(self, item):
        if item not in self.index:
            self.index[item] = len(self.items)
            self.items.append(item)
        return self.index[item]


class Names(Pool):
    """All strings in one array; a name is its offset / 2, so that 16 bits reach far enough. 0 is the empty one."""
    def __init__(self):
        super().__init__()
        self.at, self.size = {}, 0
        self.add('')

    def add(self, item):
        if item not in self.at:
            self.at[item] = self.size // 2
            self.size += (len(item) + 2) // 2 * 2
            self.items.append(item)
        return self.at[item]


class Grammar:
    """
    Sequences with much in common, as Re-Pair has it: a pair of neighbours that is frequent becomes a symbol of its own,
    again and again. Symbols from len(items) on are rules, each two symbols; a sequence is what it comes down to.
    """
    FREQUENT = 3  # a rarer pair costs as much as it saves
    DEPTH = 40    # of LAYOUT_RULE_DEPTH in table.h

    def __init__(self):
        self.items, self.sequences, self.rules = Pool(), [], []

    def add(self, sequence):
        self.sequences.append([self.items.add(item) for item in sequence])

    def build(self):
        depth = {}
        while True:
            counts = collections.Counter()
            for sequence in self.sequences:
                counts.update(zip(sequence, sequence[1:]))
            frequent = ((n, pair) for pair, n in counts.items() if n >= self.FREQUENT)
            ranked = sorted(frequent, key=lambda r: (-r[0], r[1]))
            if not ranked:
                break
            chosen, used = {}, set()
            for n, pair in ranked:
                if n * 4 < ranked[0][0] * 3:
                    break
                if not used & set(pair):  # pairs that share a symbol would spoil each other's counts
                    used |= set(pair)
                    chosen[pair] = len(self.items.items) + len(self.rules)
                    depth[chosen[pair]] = 1 + max(depth.get(s, 0) for s in pair)
                    self.rules.append(pair)
            self.sequences = [self.replace(sequence, chosen) for sequence in self.sequences]
        assert max(depth.values()) < self.DEPTH

    @staticmethod
    def replace(sequence, chosen):
        out, at = [], 0
        while at < len(sequence):
            symbol = chosen.get(tuple(sequence[at:at + 2]))
            out.append(sequence[at] if symbol is None else symbol)
            at += 1 if symbol is None else 2
        return out


class Generator:
    def __init__(self, source):
        self.source = source
        self.layouts = source.layouts['x86'] + source.layouts['x64']
        self.number = {l: i for i, l in enumerate(self.layouts)}
        self.struct_names = sorted({n for l in self.layouts for n in l.structs})
        self.struct_number = {n: i for i, n in enumerate(self.struct_names)}
        self.names, self.shapes, self.grammar = Names(), Pool(), Grammar()
        self.sizes, self.structs, self.runs = [], [], []
        self.enums, self.enum_runs, self.enum_defs, self.values = [], [], Pool(), []

    def shape(self, text):
        """'u32:5+1', '*_KPROCESS', 's:_LIST_ENTRY[4]' -> the fields of struct layout_shape."""
        text, _, count = text.partition('[')
        bit = bits = 0
        prefix = text[:2]
        if prefix in ('s:', 'o:', 'e:'):
            target, _, size = text[2:].partition('/')
            size, kind = int(size or '0', 16), {'s:': 'STRUCT', 'o:': 'OPAQUE', 'e:': 'UNSIGNED'}[prefix]
        elif text[0] == '*':
            target, size, kind = text[1:], 0, 'POINTER'
        else:
            base, _, position = text.partition(':')
            target, (size, kind) = '', BASE[base]
            if position:
                bit, bits = (int(n) for n in position.split('+'))
        target = self.struct_number[target] if kind == 'STRUCT' else self.names.add(target)
        return self.shapes.add((size, int(count[:-1], 16) if count else 1, target, kind, bit, bits))

    def sequence(self, layout, members):
        """
        Members by place, each as (name, shape, step); table.h tells what a step is. Steps count from the end of what
        comes before, so that versions, and x86 and x64, differ in few of them.
        """
        rows = sorted((offset, shape.partition(':')[2] if shape[0] in 'ui' else '', member, shape)
                      for member, (offset, shape) in members.items())
        out, last, end, top = [], 0, 0, 0
        for offset, _, member, text in rows:
            number = self.shape(text)
            size, count, target, kind, _, bits = self.shapes.items[number]
            if kind == 'POINTER':
                size = layout.pointer_size
            if kind == 'STRUCT':
                size = layout.structs[self.struct_names[target]][0]
            aligned = step_align(end, size, layout.pointer_size)
            if offset == last and out:
                step = STEP_BACK
            elif offset >= aligned:
                step = offset - aligned
                if step and offset == step_align(top, size, layout.pointer_size):
                    step = STEP_TOP
            else:
                step = STEP_BACK + offset - last
            assert 0 <= step - (step & STEP_BACK) < STEP_TOP or step == STEP_TOP
            out.append((self.names.add(member), number, step))
            last, end = offset, offset + size * count
            top = max(top, end)
        return out

    def add_struct(self, name):
        """The definitions of one structure, and from which layout on each holds."""
        numbers, last = {None: 0xffff}, None
        self.structs.append((self.names.add(name), len(self.runs)))
        for layout in self.layouts:
            key = None
            if name in layout.structs:
                size, members = layout.structs[name]
                key = (size, tuple(self.sequence(layout, members)))
            if key not in numbers:
                numbers[key] = len(self.sizes)
                self.sizes.append(key[0])
                self.grammar.add(key[1])
            if key != last:
                self.runs.append((self.number[layout], numbers[key]))
                last = key

    def add_enum(self, name):
        runs, last = [], None
        for layout in self.layouts:
            values = layout.enums.get(name)
            key = tuple(sorted((v, self.names.add(n)) for n, v in values.items())) if values else None
            if key != last:
                runs.append((self.number[layout], 0xffff if key is None else self.enum_defs.add(key)))
                last = key
        self.enums.append((self.names.add(name), len(self.enum_runs)))
        self.enum_runs += runs

    def build(self):
        for name in self.struct_names:
            self.add_struct(name)
        for name in sorted({n for l in self.layouts for n in l.enums}):
            self.add_enum(name)
        self.grammar.build()

    def profiles(self):
        """A number for each distinct set of the members that count; equal numbers serve alike."""
        pool = Pool()
        for layout in self.layouts:
            values = []
            for member in self.source.profile_members:
                struct, _, name = member.partition('.')
                values.append(layout.structs.get(struct, [0, {}])[1].get(name, (None, ''))[0::1])
            # Sizes and targets of what lies there do not move anything: offsets and bits do.
            values = [(v[0], v[1].partition(':')[2] if v[1][:1] in 'ui' else '') for v in values]
            yield pool.add((layout.arch, layout.derived, tuple(values)))


STEP_TOP, STEP_BACK = 0x7fff, 0x8000


def step_align(at, size, pointer_size):
    """Where a thing of this size goes when its natural place is free: as layout_step_align in layout.c."""
    unit = min(size & -size or 1, pointer_size)
    return (at + unit - 1) // unit * unit


def zigzag(n):
    return n * 2 if n >= 0 else -n * 2 - 1


def varint(n):
    out = []
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return out + [n]


def symbol_order(source):
    """By place in the kernel that knows most of them, so that steps from one to the next are small."""
    known = max(source.kernels, key=lambda k: (sum(v is not None for v in k[4]), [int(n) for n in k[2].split('.')]))[4]
    return sorted(range(len(source.symbols)), key=lambda i: (known[i] is None, known[i] or 0, i))


def kernel_tables(source, number):
    """Per kernel: its identity, and a byte stream of its symbols' places: 0 absent, else 1 + zigzag(step)."""
    order = symbol_order(source)
    labels = {(l.arch, l.label): i for l, i in number.items()}
    rows, stream = [], []
    for arch, label, version, pdb, places in sorted(source.kernels, key=lambda k: uuid.UUID(k[3][:32]).bytes_le):
        guid = uuid.UUID(pdb[:32]).bytes_le
        rows.append((guid, int(pdb[32:], 16), labels[arch, label], version.split('.'), len(stream)))
        last = 0
        for i in order:
            stream += [0] if places[i] is None else varint(1 + zigzag(places[i] - last))
            last = last if places[i] is None else places[i]
    return [source.symbols[i] for i in order], rows, stream


class Writer:
    def __init__(self, out):
        self.out = out
        self.out.write('/* SPDX-License-Identifier: MIT */\n/* Made by src/os/layouts/gen.py; do not edit. */\n'
                       '#include "src/os/layouts/table.h"\n')

    def array(self, declaration, items):
        self.out.write('\n%s[] = {\n' % declaration)
        line = ''
        for item in items:
            item = str(item) if isinstance(item, (int, str)) else '{ %s }' % ', '.join(map(str, item))
            if len(line) + len(item) > 110:
                self.out.write('        %s\n' % line.rstrip())
                line = ''
            line += item + ', '
        self.out.write('        %s\n};\n' % line.rstrip())

    def number(self, declaration, value):
        self.out.write('const %s = %d;\n' % (declaration, value))


def c_string(text):
    """With a second zero byte where the next string would start at an odd place."""
    return '"%s%s" "\\0"' % (text, '\\0' if len(text) % 2 == 0 else '')


def emit_structs(gen, writer):
    grammar, defs, sequence = gen.grammar, [], []
    for size, symbols in zip(gen.sizes, grammar.sequences):
        defs.append((size, len(sequence)))
        sequence += symbols
    writer.array('const struct layout_shape layout_shapes',
                 [(s, c, t, 'STASIS_TYPE_' + k, b, n) for s, c, t, k, b, n in gen.shapes.items])
    writer.array('const struct layout_item layout_items', grammar.items.items)
    writer.array('const struct layout_rule layout_rules', grammar.rules)
    writer.array('const uint16_t layout_sequence', sequence)
    writer.array('const struct layout_def layout_defs', defs + [(0, len(sequence))])
    writer.array('const struct layout_run layout_runs', gen.runs)
    writer.array('const struct layout_group layout_structs', gen.structs + [(0, len(gen.runs))])
    writer.number('size_t layout_item_count', len(grammar.items.items))
    writer.number('size_t layout_struct_count', len(gen.structs))
    fits(sequence=len(sequence), symbols=len(grammar.items.items) + len(grammar.rules), shapes=len(gen.shapes.items),
         runs=len(gen.runs), defs=len(defs))


def emit_enums(gen, writer):
    values, defs = [], []
    for definition in gen.enum_defs.items:
        defs.append(len(values))
        values += [(name, value) for value, name in definition]
    writer.array('const struct layout_group layout_enums', gen.enums + [(0, len(gen.enum_runs))])
    writer.array('const struct layout_run layout_enum_runs', gen.enum_runs)
    writer.array('const uint16_t layout_enum_defs', defs + [len(values)])
    writer.array('const struct layout_value layout_values', values)
    writer.number('size_t layout_enum_count', len(gen.enums))
    fits(values=len(values))


def emit_layouts(gen, writer):
    rows = []
    for layout, profile in zip(gen.layouts, gen.profiles()):
        rows.append(('.name = "%s"' % layout.name, '.pointer_size = %d' % layout.pointer_size,
                     '.version = { %s }' % ', '.join(map(str, layout.version)),
                     '.number = %d' % gen.number[layout], '.profile = %d' % profile,
                     '.derived = %s' % str(layout.derived).lower()))
    covers = sorted((*map(int, cover.split('.')), i) for layout, i in gen.number.items() for cover in layout.covers)
    writer.array('const struct stasis_layout layout_builtin', rows)
    writer.array('const struct layout_cover layout_covers', covers)
    writer.number('size_t layout_builtin_count', len(gen.layouts))
    writer.number('size_t layout_cover_count', len(covers))
    if len(gen.layouts) > 255:
        raise SystemExit('gen.py: too many layouts for 8 bits')


def emit_kernels(gen, writer):
    symbols, kernels, stream = kernel_tables(gen.source, gen.number)
    writer.array('const uint16_t layout_symbols', [gen.names.add(s) for s in symbols])
    writer.array('const struct layout_kernel layout_kernels',
                 [('{ %s }' % ', '.join(map(str, guid)), age, layout, '{ %s }' % ', '.join(version), at)
                  for guid, age, layout, version, at in kernels])
    writer.array('const uint8_t layout_places', stream)
    writer.number('size_t layout_symbol_count', len(symbols))
    writer.number('size_t layout_kernel_count', len(kernels))
    writer.number('size_t layout_place_count', len(stream))


def emit_pe(gen, writer):
    rows = []
    for stamp, size, version in gen.source.pe_ids:
        major, minor, build, revision = map(int, version.split('.'))
        if (major, minor) != (10, 0):
            raise SystemExit('gen.py: pe_ids.txt: only versions 10.0 have room: %s' % version)
        rows.append((stamp, size >> 12, build, revision))
    writer.array('const struct layout_pe layout_pes', sorted(rows))
    writer.number('size_t layout_pe_count', len(rows))


def fits(**counts):
    for what, count in counts.items():
        if count > 0xffff:
            raise SystemExit('gen.py: too many %s for 16 bits: %d' % (what, count))


def emit(gen, out):
    writer = Writer(out)
    for part in (emit_structs, emit_enums, emit_layouts, emit_kernels, emit_pe):
        part(gen, writer)
    fits(names=gen.names.size // 2)
    out.write('\nconst char layout_names[] =\n%s;\n' % '\n'.join('        ' + c_string(n) for n in gen.names.items))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    gen = Generator(Source())
    gen.build()
    with open(sys.argv[1], 'w') as out:
        emit(gen, out)


if __name__ == '__main__':
    main()
