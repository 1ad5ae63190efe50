#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Turns a binary file into a C++ source that defines it as an array of bytes.
# Usage: embed.py INPUT OUTPUT QUALIFIED::FUNCTION HEADER
import sys

source, output, function, header = sys.argv[1:]
data = open(source, 'rb').read()
namespace, name = function.rsplit('::', 1)
lines = [', '.join(str(b) for b in data[i:i + 32]) + ',' for i in range(0, len(data), 32)]
with open(output, 'w') as out:
    out.write('// SPDX-License-Identifier: GPL-2.0-or-later\n// Made by embed.py.\n')
    out.write(f'#include "{header}"\n\nnamespace {namespace} {{\n\n')
    out.write('alignas(8) static constexpr u8 kBytes[] = {\n' + '\n'.join(lines) + '\n};\n')
    out.write(f'std::span<u8 const> {name}() {{ return kBytes; }}\n\n}} // namespace {namespace}\n')
