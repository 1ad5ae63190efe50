// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/trace/flag-names.h"

#include <gtest/gtest.h>

namespace umbra::trace {
namespace {

template <typename... Args>
std::string text(void (*append)(std::string&, Args...), std::type_identity_t<Args>... args)
{
    std::string out;
    append(out, args...);
    return out;
}

TEST(FlagNames, Flags)
{
    EXPECT_EQ(text(append_flags, 3, kProtections, "PROT_NONE"), "PROT_READ|PROT_WRITE");
    EXPECT_EQ(text(append_flags, 0, kProtections, "PROT_NONE"), "PROT_NONE");
    EXPECT_EQ(text(append_flags, 0x41, kAccessModes, "F_OK"), "X_OK|0x40");
    EXPECT_EQ(text(append_open_flags, 02000101), "O_WRONLY|O_CREAT|O_CLOEXEC");
    EXPECT_EQ(text(append_open_flags, 0), "O_RDONLY");
}

TEST(FlagNames, Signals)
{
    EXPECT_EQ(text(append_signal, 2), "SIGINT");
    EXPECT_EQ(text(append_signal, 34), "SIGRT_2");
    EXPECT_EQ(text(append_signal_set, 0x2), "[INT]");
    EXPECT_EQ(text(append_signal_set, ~u64 { 0 }), "~[]");
}

TEST(FlagNames, ModesAndErrors)
{
    EXPECT_EQ(text(append_stat_mode, 0100644), "S_IFREG|0644");
    EXPECT_EQ(text(append_file_mode, 04755), "04755");
    EXPECT_EQ(text(append_errno, 2), "ENOENT (No such file or directory)");
    EXPECT_EQ(text(append_device, 0x103), "makedev(0x1, 0x3)");
}

} // namespace
} // namespace umbra::trace
