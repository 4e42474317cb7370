# SPDX-License-Identifier: MIT
"""Reads the text files of this folder into whole layouts. README.md tells the form of the files."""
import pathlib
import re

HERE = pathlib.Path(__file__).parent
FILES = ['layouts.txt', *sorted(p.name for p in HERE.glob('structs-*.txt')), 'enums.txt', 'kernels.txt',
         'symbols-more.txt', 'pe_ids.txt', 'profiles.txt', 'derived.txt', 'omit.txt']



class Layout:
    def __init__(self, arch, label, name, source, covers):
        self.arch, self.label, self.name, self.source = arch, label, name, source
        self.covers = covers    # revisions of its build (text 'build.revision') that were seen to have it
        self.derived = False
        self.structs = {}       # name -> [size, {member: (offset, shape)}]
        self.enums = {}         # name -> {value name: value}

    @property
    def pointer_size(self):
        return 4 if self.arch == 'x86' else 8

    @property
    def version(self):
        """As in the name; a revision that is only a guess ('7xxx') is 0."""
        parts = self.measured.split('-')[0].split('.')
        return [int(p) if p.isdigit() else 0 for p in parts]

    @property
    def measured(self):
        return self.base if self.derived else self.name


class Source:
    def __init__(self, folder=HERE):
        self.layouts = {'x86': [], 'x64': []}
        self.kernels, self.symbols, self.pe_ids, self.profile_members = [], [], [], []
        for name in FILES:
            self.read(folder / name)

    def read(self, path):
        self.where = path.name
        for words in statements(path):
            getattr(self, 'do_' + words[0], self.do_row)(words)

    def do_layout(self, words):
        arch, label, name, source = words[1:5]
        self.layouts[arch].append(Layout(arch, label, name, source, words[5:]))

    def spread(self, points, layouts):
        """'label=value' change points -> (layout, value) for every one of layouts."""
        given = dict(p.split('=') for p in points)
        unknown = set(given) - {l.label for l in layouts}
        if unknown:
            raise SystemExit('%s: %s: no such layout: %s' % (self.where, self.subject, ' '.join(sorted(unknown))))
        value = '-'
        for layout in layouts:
            value = given.get(layout.label, value)
            if value != '-':
                yield layout, value

    def do_struct(self, words):
        arch, self.subject = words[1:3]
        self.having = []
        for layout, size in self.spread(words[3:], self.layouts[arch]):
            layout.structs[self.subject] = [int(size, 16), {}]
            self.having.append(layout)
        self.row = self.member_row

    def member_row(self, words):
        for layout, offset in self.spread(words[2:], self.having):
            layout.structs[self.subject][1][words[0]] = (int(offset, 16), words[1])

    def do_enum(self, words):
        arch, self.subject = words[1:3]
        self.having = []
        for layout, _ in self.spread(words[3:], self.layouts[arch]):
            layout.enums[self.subject] = {}
            self.having.append(layout)
        self.row = self.value_row

    def value_row(self, words):
        for layout, _ in self.spread(words[2:], self.having):
            layout.enums[self.subject][words[0]] = int(words[1])

    def do_row(self, words):
        self.row(words)

    def do_symbols(self, words):
        self.symbols = words[1:]

    def do_kernel(self, words):
        arch, label, version, pdb = words[1:5]
        self.kernels.append((arch, label, version, pdb, [None if w == '-' else int(w, 16) for w in words[5:]]))

    def do_more(self, words):
        """A symbol that the facts lack: more NAME PDB=PLACE..."""
        self.symbols.append(words[1])
        places = dict(w.split('=') for w in words[2:])
        unknown = set(places) - {k[3] for k in self.kernels}
        if unknown:
            raise SystemExit('%s: %s: no such kernel: %s' % (self.where, words[1], ' '.join(sorted(unknown))))
        for _, _, _, pdb, known in self.kernels:
            known.append(int(places[pdb], 16) if pdb in places else None)

    def do_pe(self, words):
        for stamp_size in words[3:]:
            stamp, size = stamp_size.split('/')
            self.pe_ids.append((int(stamp, 16), int(size, 16), words[2]))

    def do_profile(self, words):
        self.profile_members += words[1:]

    def do_derive(self, words):
        """A layout that is another one with some members changed."""
        arch, label, name, base = words[1:5]
        origin = next(l for l in self.layouts[arch] if l.label == base)
        new = Layout(arch, label, name, 'derived', [])
        new.derived, new.base = True, origin.name
        new.structs = {n: [s[0], dict(s[1])] for n, s in origin.structs.items()}
        new.enums = dict(origin.enums)
        self.layouts[arch].append(new)
        self.new = new

    def do_size(self, words):
        self.new.structs[words[1]][0] = int(words[2], 16)

    def do_set(self, words):
        self.new.structs[words[1]][1][words[2]] = (int(words[4], 16), words[3])

    def do_omit(self, words):
        structs, members = re.compile(words[1] + '$'), [re.compile(w) for w in words[2:]]
        for layout in self.layouts['x86'] + self.layouts['x64']:
            for name in [n for n in layout.structs if structs.match(n)]:
                size, kept = layout.structs[name]
                layout.structs[name] = [size, {}]
                if members:
                    layout.structs[name][1] = {m: v for m, v in kept.items() if not any(p.match(m) for p in members)}

    def do_add(self, words):
        """add ARCH STRUCT MEMBER TYPE LABEL=PLACE...: a member that the facts lack, of layouts that have STRUCT."""
        arch, self.subject, member, kind = words[1:5]
        having = [l for l in self.layouts[arch] if self.subject in l.structs and not l.derived]
        for layout, offset in self.spread(words[5:], having):
            if member in layout.structs[self.subject][1]:
                raise SystemExit('%s: %s has %s.%s' % (self.where, layout.label, self.subject, member))
            layout.structs[self.subject][1][member] = (int(offset, 16), kind)

    def do_lend(self, words):
        """lend ARCH FROM ENUM TO...: an enumeration that a PDB lacks, from another layout."""
        arch, origin, name = words[1:4]
        by_label = {l.label: l for l in self.layouts[arch]}
        for label in words[4:]:
            if name in by_label[label].enums:
                raise SystemExit('%s: %s has %s' % (self.where, label, name))
            by_label[label].enums[name] = by_label[origin].enums[name]


def statements(path):
    """Lines as lists of words; a line indented by four or more goes on with the one before."""
    words = []
    for line in path.read_text().splitlines():
        line = line.split('#')[0].rstrip()
        if line.startswith('    '):
            words += line.split()
        elif line:
            if words:
                yield words
            words = line.split()
    if words:
        yield words
