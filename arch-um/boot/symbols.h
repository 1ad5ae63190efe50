// SPDX-License-Identifier: GPL-2.0-or-later
// Names of this program's own functions, static ones too, out of its symbol table; dladdr(3) would know
// exported ones only. For the panic's backtrace: maps the file, allocates nothing else.
#pragma once

#include <elf.h>

#include <cstddef>

#include "core/base/types.h"

namespace umbra::boot {

class Symbols {
public:
    /// Of the running program; empty if its file cannot be read or was stripped.
    Symbols();
    ~Symbols();
    Symbols(Symbols const&) = delete;

    /// The function that holds a run-time address, demangled if the heap allows.
    bool find(u64 address, char* name, size_t size, u64& offset) const;
    /// Run-time address minus address in the file.
    u64 base() const { return base_; }

private:
    bool locate_tables();
    bool in_file(u64 offset, u64 length) const { return offset <= size_ && length <= size_ - offset; }

    u8 const* image_ = nullptr;
    u64 size_ = 0;
    u64 base_ = 0;
    Elf64_Sym const* symbols_ = nullptr;
    u64 count_ = 0;
    char const* strings_ = nullptr;
    u64 strings_size_ = 0;
};

} // namespace umbra::boot
