// SPDX-License-Identifier: GPL-2.0-or-later
// The checker and the interpreter of seccomp's classic BPF.
#include "core/seccomp/program.h"

#include <cstring>

namespace umbra::seccomp {

using namespace abi;

namespace {

constexpr u32 kWordBits = 32;
constexpr u16 kClassMask = 7;

/// An instruction that filters may have, with an operand that it may have.
bool is_legal(SockFilter const& i)
{
    switch (i.code) {
    case bpf_ld | bpf_abs: // 32 bits of the data
        return i.k < sizeof(SeccompData) && i.k % sizeof(u32) == 0;
    case bpf_ld | bpf_mem:
    case bpf_ldx | bpf_mem:
    case bpf_st:
    case bpf_stx:
        return i.k < bpf_memory_words;
    case bpf_alu | bpf_div | bpf_k:
        return i.k != 0;
    case bpf_alu | bpf_lsh | bpf_k:
    case bpf_alu | bpf_rsh | bpf_k:
        return i.k < kWordBits;
    case bpf_ld | bpf_imm:
    case bpf_ld | bpf_len:
    case bpf_ldx | bpf_imm:
    case bpf_ldx | bpf_len:
    case bpf_alu | bpf_add | bpf_k:
    case bpf_alu | bpf_add | bpf_x:
    case bpf_alu | bpf_sub | bpf_k:
    case bpf_alu | bpf_sub | bpf_x:
    case bpf_alu | bpf_mul | bpf_k:
    case bpf_alu | bpf_mul | bpf_x:
    case bpf_alu | bpf_div | bpf_x:
    case bpf_alu | bpf_and | bpf_k:
    case bpf_alu | bpf_and | bpf_x:
    case bpf_alu | bpf_or | bpf_k:
    case bpf_alu | bpf_or | bpf_x:
    case bpf_alu | bpf_xor | bpf_k:
    case bpf_alu | bpf_xor | bpf_x:
    case bpf_alu | bpf_lsh | bpf_x:
    case bpf_alu | bpf_rsh | bpf_x:
    case bpf_alu | bpf_neg:
    case bpf_jmp | bpf_ja:
    case bpf_jmp | bpf_jeq | bpf_k:
    case bpf_jmp | bpf_jeq | bpf_x:
    case bpf_jmp | bpf_jgt | bpf_k:
    case bpf_jmp | bpf_jgt | bpf_x:
    case bpf_jmp | bpf_jge | bpf_k:
    case bpf_jmp | bpf_jge | bpf_x:
    case bpf_jmp | bpf_jset | bpf_k:
    case bpf_jmp | bpf_jset | bpf_x:
    case bpf_ret | bpf_k:
    case bpf_ret | bpf_a:
    case bpf_misc | bpf_tax:
    case bpf_misc | bpf_txa:
        return true;
    default:
        return false;
    }
}

/// Every jump lands within `length`: from `at`, over at most that many.
bool jumps_within(SockFilter const& i, u64 at, u64 length)
{
    if ((i.code & kClassMask) != bpf_jmp) return true;
    if (i.code == (bpf_jmp | bpf_ja)) return i.k < length - at - 1;
    return at + i.jump_true + 1 < length && at + i.jump_false + 1 < length;
}

/// No path reads a word of memory before it was written. One pass suffices, since jumps go forwards.
bool memory_is_written_first(std::vector<SockFilter> const& code)
{
    constexpr u16 all = 0xffff;
    std::vector<u16> arriving(code.size(), all); // words that every jump to here has written
    u16 written = 0;
    for (u64 at = 0; at < code.size(); ++at) {
        SockFilter const& i = code[at];
        written &= arriving[at];
        if (i.code == bpf_st || i.code == bpf_stx) {
            written |= u16(1u << i.k);
        } else if (i.code == (bpf_ld | bpf_mem) || i.code == (bpf_ldx | bpf_mem)) {
            if (!(written >> i.k & 1)) return false;
        } else if ((i.code & kClassMask) == bpf_jmp) {
            if (i.code == (bpf_jmp | bpf_ja)) {
                arriving[at + 1 + i.k] &= written;
            } else {
                arriving[at + 1 + i.jump_true] &= written;
                arriving[at + 1 + i.jump_false] &= written;
            }
            written = all; // the next instruction is reached by jumps only
        }
    }
    return true;
}

u32 arithmetic(u16 operation, u32 a, u32 b)
{
    switch (operation) {
    case bpf_add:
        return a + b;
    case bpf_sub:
        return a - b;
    case bpf_mul:
        return a * b;
    case bpf_div:
        return a / b; // the caller has seen to it that b is not zero
    case bpf_or:
        return a | b;
    case bpf_and:
        return a & b;
    case bpf_lsh:
        return a << (b % kWordBits);
    case bpf_rsh:
        return a >> (b % kWordBits);
    case bpf_xor:
        return a ^ b;
    default:
        return -a;
    }
}

bool holds(u16 comparison, u32 a, u32 b)
{
    switch (comparison) {
    case bpf_jeq:
        return a == b;
    case bpf_jgt:
        return a > b;
    case bpf_jge:
        return a >= b;
    default:
        return a & b;
    }
}

u32 load(SockFilter const& i, SeccompData const& data, u32 const* memory)
{
    u32 word = i.k;
    switch (i.code & ~kClassMask) {
    case bpf_abs:
        std::memcpy(&word, reinterpret_cast<u8 const*>(&data) + i.k, sizeof word); // its bytes; checked
        return word;
    case bpf_mem:
        return memory[i.k];
    case bpf_len:
        return sizeof(SeccompData);
    default:
        return word;
    }
}

} // namespace

Result<Program> Program::check(std::vector<SockFilter> code)
{
    if (code.empty() || code.size() > bpf_max_instructions) return err::inval;
    for (u64 at = 0; at < code.size(); ++at)
        if (!is_legal(code[at]) || !jumps_within(code[at], at, code.size())) return err::inval;
    if ((code.back().code & kClassMask) != bpf_ret) return err::inval;
    if (!memory_is_written_first(code)) return err::inval;
    return Program(std::move(code));
}

u32 Program::run(SeccompData const& data) const
{
    constexpr u16 operation = 0xf0;
    u32 a = 0, x = 0, memory[bpf_memory_words] = {};
    for (SockFilter const* i = code_.data();; ++i) {
        u32 const operand = i->code & bpf_x ? x : i->k;
        switch (i->code & kClassMask) {
        case bpf_ld:
            a = load(*i, data, memory);
            break;
        case bpf_ldx:
            x = load(*i, data, memory);
            break;
        case bpf_st:
            memory[i->k] = a;
            break;
        case bpf_stx:
            memory[i->k] = x;
            break;
        case bpf_alu:
            // As in Linux, a division by zero ends the program with 0.
            if ((i->code & operation) == bpf_div && operand == 0) return 0;
            a = arithmetic(i->code & operation, a, operand);
            break;
        case bpf_jmp:
            if (i->code == (bpf_jmp | bpf_ja))
                i += i->k;
            else
                i += holds(i->code & operation, a, operand) ? i->jump_true : i->jump_false;
            break;
        case bpf_ret:
            return i->code & bpf_a ? a : i->k;
        default: // bpf_misc
            if (i->code & bpf_txa)
                a = x;
            else
                x = a;
            break;
        }
    }
}

} // namespace umbra::seccomp
