// SPDX-License-Identifier: GPL-2.0-or-later
// What the tests about seccomp(2) share: short filters that give one call an action, and their installation.
#pragma once

#include "abi-test.h"

#include <cstddef>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <vector>

namespace abi_test {

using Filter = std::vector<sock_filter>;

constexpr sock_filter statement(unsigned code, unsigned k) { return { uint16_t(code), 0, 0, k }; }
constexpr sock_filter load(size_t offset) { return statement(BPF_LD | BPF_W | BPF_ABS, unsigned(offset)); }
constexpr sock_filter give(unsigned value) { return statement(BPF_RET | BPF_K, value); }
constexpr sock_filter unless_equal(unsigned value, unsigned char skip)
{
    return { BPF_JMP | BPF_JEQ | BPF_K, 0, skip, value };
}

/// `action` for one call, `rest` for all others.
inline Filter filter_for(long number, unsigned action, unsigned rest = SECCOMP_RET_ALLOW)
{
    return { load(offsetof(seccomp_data, nr)), unless_equal(unsigned(number), 1), give(action), give(rest) };
}

/// seccomp(SECCOMP_SET_MODE_FILTER): what it returns, or -errno.
inline long try_filter(Filter const& filter, unsigned flags = 0)
{
    sock_fprog program { static_cast<unsigned short>(filter.size()),
        const_cast<sock_filter*>(filter.data()) };
    return raw(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

inline void give_up_privileges() { ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0); }

/// Privileges given up, then the filter; the listener's descriptor if the flags ask for one.
inline long install(Filter const& filter, unsigned flags = 0)
{
    EXPECT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    long result = try_filter(filter, flags);
    EXPECT_GE(result, 0);
    return result;
}

/// The value behind a line of /proc/self/status (or another's), or -1.
inline long status_value(std::string const& name, pid_t pid = 0)
{
    auto text = read_file(pid ? "/proc/" + std::to_string(pid) + "/status" : "/proc/thread-self/status");
    auto at = text.find("\n" + name + ":\t");
    return at == text.npos ? -1 : std::atol(text.c_str() + at + name.size() + 3);
}

} // namespace abi_test
