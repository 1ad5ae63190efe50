// SPDX-License-Identifier: GPL-2.0-or-later
// Classic BPF as seccomp(2) has it: an accumulator A, an index register X, sixteen words of memory, jumps forwards only.
// McCanne and Jacobson, "The BSD Packet Filter" (1993). A program is checked once and then runs without checks, in at most
// as many steps as it has instructions.
#pragma once

#include <vector>

#include "core/abi/seccomp.h"
#include "core/base/error.h"

namespace umbra::seccomp {

class Program {
public:
    /// EINVAL for an empty or too long program, an instruction that filters may not have, a jump beyond the end, an end
    /// that does not return, a read of memory that some path has not written, or of data beyond seccomp_data.
    static Result<Program> check(std::vector<abi::SockFilter> code);

    /// What the program returns: an action and its data. Never waits.
    u32 run(abi::SeccompData const& data) const;

    std::vector<abi::SockFilter> const& code() const { return code_; }
    u64 length() const { return code_.size(); }

private:
    explicit Program(std::vector<abi::SockFilter> code)
        : code_(std::move(code))
    {
    }

    std::vector<abi::SockFilter> code_;
};

} // namespace umbra::seccomp
