#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""isf.py FACTS.json [STRUCT...] > ISF.json: a layout of the facts in the form of a Volatility 3 ISF, for tests.

Every third group of members that share a place is wrapped into an unnamed union (a field with "anonymous": true), as
debug information of other compilers has them. With STRUCT names only these are kept.
"""
import json
import sys

BASES = {'u8': ('unsigned char', 1, False), 'u16': ('unsigned short', 2, False), 'u32': ('unsigned long', 4, False),
         'u64': ('unsigned long long', 8, False), 'wchar': ('wchar', 2, False), 'i8': ('char', 1, True),
         'i16': ('short', 2, True), 'i32': ('long', 4, True), 'i64': ('long long', 8, True), 'f64': ('double', 8, True)}


def base_types(pointer_size):
    out = {name: {'size': size, 'signed': signed, 'kind': 'float' if name == 'double' else 'int', 'endian': 'little'}
           for name, size, signed in BASES.values()}
    out['void'] = {'size': 0, 'signed': False, 'kind': 'void', 'endian': 'little'}
    out['pointer'] = {'size': pointer_size, 'signed': False, 'kind': 'int', 'endian': 'little'}
    return out


class Isf:
    def __init__(self, data, keep=()):
        self.data, self.unnamed, self.types, self.enums = data, 0, {}, {}
        for name, definition in data['structs'].items():
            if not keep or name in keep:
                self.add(name, definition)
        for name, enum in data.get('enums', {}).items():
            self.enums[name] = {'size': enum['size'], 'base': 'long', 'constants': enum['values']}

    def add(self, name, definition):
        fields, groups = {}, {}
        for member, field in definition['fields'].items():
            if '.' not in member:
                fields[member] = {'type': self.type_of(member, field, definition), 'offset': field['offset']}
                groups.setdefault(field['offset'], []).append(member)
        for at, group in enumerate(g for g in groups.values() if len(g) > 1):
            if at % 3 == 0:
                self.wrap(fields, group)
        self.types[name] = {'kind': definition['kind'], 'size': definition['size'], 'fields': fields}

    def wrap(self, fields, group):
        offset = fields[group[0]]['offset']
        inner = {m: {'type': fields.pop(m)['type'], 'offset': 0} for m in group}
        name = '__anonymous_%d' % self.unnamed
        fields[name] = {'type': {'kind': 'union', 'name': self.new_type(inner, 8)}, 'offset': offset, 'anonymous': True}

    def new_type(self, fields, size):
        name = '__unnamed_%x' % self.unnamed
        self.unnamed += 1
        self.types[name] = {'kind': 'union', 'size': size, 'fields': fields}
        return name

    def type_of(self, member, field, definition):
        kind = field['type']
        if kind in BASES:
            out = {'kind': 'base', 'name': BASES[kind][0]}
        elif kind == 'ptr':
            target = field.get('to') or field.get('to_opaque')
            out = {'kind': 'pointer', 'subtype': {'kind': 'function'} if target == 'function' else
                   {'kind': 'struct', 'name': target} if target else {'kind': 'base', 'name': 'void'}}
        elif kind == 'struct':
            out = {'kind': 'struct', 'name': field['struct']}
        elif kind == 'enum':
            name = field.get('enum') or '__enum'
            self.enums.setdefault(name, {'size': 4, 'base': 'long', 'constants': {}})
            out = {'kind': 'enum', 'name': name}
        else:
            out = {'kind': 'struct', 'name': self.opaque_type(member, field, definition)}
        if 'bit_length' in field:
            out = {'kind': 'bitfield', 'bit_position': field['bit_position'], 'bit_length': field['bit_length'],
                   'type': out}
        counts = field.get('count', [])
        for count in reversed(counts if isinstance(counts, list) else [counts]):
            out = {'kind': 'array', 'count': max(count, 1), 'subtype': out}
        return out

    def opaque_type(self, member, field, definition):
        """A structure made of the flattened children 'member.x', 'member[].x', and of theirs."""
        def plain(name):
            return name.replace('[]', '')
        inside = {plain(n)[len(plain(member)) + 1:]: (n, f) for n, f in definition['fields'].items()
                  if plain(n).startswith(plain(member) + '.')}
        fields = {}
        for name, (full, child) in inside.items():
            if '.' not in name:
                offset = child['offset'] - field['offset']
                fields[name] = {'type': self.type_of(full, child, definition), 'offset': offset}
        return self.new_type(fields, field.get('elem_size', field['size']))

    def document(self):
        meta = self.data['metadata']
        windows = {}
        symbols = next(iter(self.data.get('symbols', {}).items()), None)
        if symbols:
            windows['pdb'] = {'GUID': symbols[0][:32], 'age': int(symbols[0][32:], 16), 'database': 'ntkrnlmp.pdb',
                              'machine_type': 34404}
        else:
            numbers = [int(n) if n.isdigit() else 0 for n in meta['name'].split('-')[0].split('.')]
            windows['pe'] = dict(zip(('major', 'minor', 'revision', 'build'), numbers))
        return {'symbols': {n: {'address': rva} for n, rva in (symbols[1]['rva'] if symbols else {}).items()},
                'user_types': self.types, 'enums': self.enums, 'base_types': base_types(meta['pointer_size']),
                'metadata': {'format': '6.2.0', 'producer': {'name': 'isf.py', 'version': '1.0.0'}, 'windows': windows}}


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    with open(sys.argv[1]) as f:
        print(json.dumps(Isf(json.load(f), sys.argv[2:]).document(), indent=1))


if __name__ == '__main__':
    main()
