// SPDX-License-Identifier: GPL-2.0-or-later
// What the checker lets through, and what programs compute.
#include "core/seccomp/program.h"

#include <gtest/gtest.h>

namespace umbra::seccomp {
namespace {

using namespace abi;
using Code = std::vector<SockFilter>;

constexpr SockFilter op(u16 code, u32 k = 0) { return { code, 0, 0, k }; }
constexpr SockFilter jump(u16 code, u32 k, u8 yes, u8 no) { return { u16(bpf_jmp | code), yes, no, k }; }
constexpr SockFilter kReturnA = op(bpf_ret | bpf_a);

bool is_valid(Code code) { return Program::check(std::move(code)).ok(); }

u32 result_of(Code code, SeccompData const& data = {})
{
    auto program = Program::check(std::move(code));
    EXPECT_TRUE(program.ok());
    return program.ok() ? program.value().run(data) : 0;
}

/// A op= operand, by constant and by X.
void expect_arithmetic(u16 operation, u32 a, u32 b, u32 expected)
{
    EXPECT_EQ(
        result_of({ op(bpf_ld | bpf_imm, a), op(u16(bpf_alu | operation | bpf_k), b), kReturnA }), expected);
    EXPECT_EQ(result_of({ op(bpf_ld | bpf_imm, a), op(bpf_ldx | bpf_imm, b),
                  op(u16(bpf_alu | operation | bpf_x)), kReturnA }),
        expected);
}

TEST(SeccompProgram, length_is_bounded)
{
    EXPECT_FALSE(is_valid({}));
    EXPECT_TRUE(is_valid(Code(bpf_max_instructions, kReturnA)));
    EXPECT_FALSE(is_valid(Code(bpf_max_instructions + 1, kReturnA)));
}

TEST(SeccompProgram, ends_with_a_return)
{
    EXPECT_TRUE(is_valid({ op(bpf_ret | bpf_k, 1) }));
    EXPECT_FALSE(is_valid({ op(bpf_ld | bpf_imm, 1) }));
    EXPECT_FALSE(is_valid({ kReturnA, op(bpf_misc | bpf_tax) }));
}

TEST(SeccompProgram, only_known_instructions)
{
    constexpr u16 half = 0x08, byte = 0x10, indirect = 0x40, modulo = 0x90;
    for (u16 code : { u16(bpf_ld | half | bpf_abs), u16(bpf_ld | byte | bpf_abs), u16(bpf_ld | indirect),
             u16(bpf_ldx | 0xa0 | byte), u16(bpf_alu | modulo), u16(bpf_ret | bpf_x), u16(0xffff) })
        EXPECT_FALSE(is_valid({ op(code), kReturnA })) << code;
}

TEST(SeccompProgram, loads_within_the_data_and_aligned)
{
    EXPECT_TRUE(is_valid({ op(bpf_ld | bpf_abs, 60), kReturnA }));
    EXPECT_FALSE(is_valid({ op(bpf_ld | bpf_abs, 64), kReturnA }));
    EXPECT_FALSE(is_valid({ op(bpf_ld | bpf_abs, 2), kReturnA }));
    EXPECT_FALSE(is_valid({ op(bpf_ld | bpf_abs, 0xfffffffc), kReturnA }));
}

TEST(SeccompProgram, constant_operands)
{
    EXPECT_FALSE(is_valid({ op(bpf_alu | bpf_div | bpf_k, 0), kReturnA }));
    EXPECT_FALSE(is_valid({ op(bpf_alu | bpf_lsh | bpf_k, 32), kReturnA }));
    EXPECT_FALSE(is_valid({ op(bpf_alu | bpf_rsh | bpf_k, 32), kReturnA }));
    EXPECT_FALSE(is_valid({ op(bpf_st, bpf_memory_words), kReturnA }));
}

TEST(SeccompProgram, jumps_stay_within)
{
    EXPECT_TRUE(is_valid({ op(bpf_jmp | bpf_ja, 1), kReturnA, kReturnA }));
    EXPECT_FALSE(is_valid({ op(bpf_jmp | bpf_ja, 2), kReturnA, kReturnA }));
    EXPECT_FALSE(is_valid({ op(bpf_jmp | bpf_ja, 0xffffffff), kReturnA }));
    EXPECT_TRUE(is_valid({ jump(bpf_jeq, 0, 0, 1), kReturnA, kReturnA }));
    EXPECT_FALSE(is_valid({ jump(bpf_jeq, 0, 2, 0), kReturnA, kReturnA }));
    EXPECT_FALSE(is_valid({ jump(bpf_jeq, 0, 0, 255), kReturnA, kReturnA }));
}

TEST(SeccompProgram, memory_is_read_after_it_was_written)
{
    EXPECT_TRUE(is_valid({ op(bpf_st, 3), op(bpf_ld | bpf_mem, 3), kReturnA }));
    EXPECT_FALSE(is_valid({ op(bpf_ld | bpf_mem, 3), kReturnA }));
    EXPECT_FALSE(is_valid({ op(bpf_st, 2), op(bpf_ldx | bpf_mem, 3), kReturnA }));
    // On one of two paths only.
    EXPECT_FALSE(is_valid({ jump(bpf_jeq, 0, 0, 1), op(bpf_st, 0), op(bpf_ld | bpf_mem, 0), kReturnA }));
    // On both.
    EXPECT_TRUE(is_valid({ jump(bpf_jeq, 0, 0, 2), op(bpf_st, 0), op(bpf_jmp | bpf_ja, 1), op(bpf_stx, 0),
        op(bpf_ld | bpf_mem, 0), kReturnA }));
}

TEST(SeccompProgram, arithmetic)
{
    expect_arithmetic(bpf_add, 0xffffffff, 2, 1);
    expect_arithmetic(bpf_sub, 1, 2, 0xffffffff);
    expect_arithmetic(bpf_mul, 0x10000, 0x10001, 0x10000);
    expect_arithmetic(bpf_div, 0xffffffff, 2, 0x7fffffff);
    expect_arithmetic(bpf_or, 0xf0, 0x0f, 0xff);
    expect_arithmetic(bpf_and, 0xf3, 0x1f, 0x13);
    expect_arithmetic(bpf_xor, 0xff, 0x0f, 0xf0);
    expect_arithmetic(bpf_lsh, 0x80000001, 1, 2);
    expect_arithmetic(bpf_rsh, 0x80000001, 31, 1);
    EXPECT_EQ(result_of({ op(bpf_ld | bpf_imm, 1), op(bpf_alu | bpf_neg), kReturnA }), 0xffffffffu);
}

TEST(SeccompProgram, division_by_zero_returns_zero)
{
    EXPECT_EQ(
        result_of({ op(bpf_ld | bpf_imm, 7), op(bpf_alu | bpf_div | bpf_x), op(bpf_ret | bpf_k, 9) }), 0u);
}

TEST(SeccompProgram, registers_and_memory)
{
    EXPECT_EQ(
        result_of({ op(bpf_ld | bpf_imm, 5), op(bpf_misc | bpf_tax), op(bpf_stx, 15), op(bpf_ld | bpf_imm, 6),
            op(bpf_misc | bpf_txa), op(bpf_alu | bpf_add | bpf_k, 1), op(bpf_st, 0), op(bpf_ld | bpf_mem, 15),
            op(bpf_ldx | bpf_mem, 0), op(bpf_alu | bpf_mul | bpf_x), kReturnA }),
        30u);
    EXPECT_EQ(result_of({ op(bpf_ld | bpf_len), kReturnA }), sizeof(SeccompData));
    EXPECT_EQ(result_of({ op(bpf_ldx | bpf_len), op(bpf_misc | bpf_txa), kReturnA }), sizeof(SeccompData));
}

TEST(SeccompProgram, comparisons)
{
    struct {
        u16 comparison;
        u32 a, b;
        bool holds;
    } const cases[] = { { bpf_jeq, 1, 1, true }, { bpf_jeq, 1, 2, false }, { bpf_jgt, 0x80000000, 1, true },
        { bpf_jgt, 1, 1, false }, { bpf_jge, 1, 1, true }, { bpf_jge, 0, 1, false }, { bpf_jset, 6, 2, true },
        { bpf_jset, 4, 2, false } };
    for (auto const& c : cases)
        for (u16 source : { bpf_k, bpf_x })
            EXPECT_EQ(result_of({ op(bpf_ld | bpf_imm, c.a), op(bpf_ldx | bpf_imm, c.b),
                          jump(u16(c.comparison | source), c.b, 0, 1), op(bpf_ret | bpf_k, 1),
                          op(bpf_ret | bpf_k, 0) }),
                u32(c.holds))
                << c.comparison << " " << c.a << " " << c.b;
}

TEST(SeccompProgram, sees_the_call)
{
    SeccompData data { 39, audit_arch_i386, 0x123456789abcdef0, { 0x1111111122222222, 0, 0, 0, 0, 6 } };
    auto word = [&](u32 offset) { return result_of({ op(bpf_ld | bpf_abs, offset), kReturnA }, data); };
    EXPECT_EQ(word(0), 39u);
    EXPECT_EQ(word(4), audit_arch_i386);
    EXPECT_EQ(word(8), 0x9abcdef0u);
    EXPECT_EQ(word(12), 0x12345678u);
    EXPECT_EQ(word(16), 0x22222222u);
    EXPECT_EQ(word(20), 0x11111111u);
    EXPECT_EQ(word(56), 6u);
}

} // namespace
} // namespace umbra::seccomp
