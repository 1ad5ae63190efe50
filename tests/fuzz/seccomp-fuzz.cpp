// SPDX-License-Identifier: GPL-2.0-or-later
// libFuzzer target: seccomp's filter programs. What the checker lets through must run to its end within the program, the
// data and the memory, whatever the call; the sanitizers watch. The first 64 bytes are the call, the rest is the program.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "core/seccomp/program.h"

using namespace umbra;

extern "C" int LLVMFuzzerTestOneInput(u8 const* bytes, size_t size)
{
    abi::SeccompData data {};
    if (size < sizeof data) return 0;
    std::memcpy(&data, bytes, sizeof data);
    std::vector<abi::SockFilter> code((size - sizeof data) / sizeof(abi::SockFilter));
    // An empty vector has no memory to copy to.
    if (!code.empty()) std::memcpy(code.data(), bytes + sizeof data, code.size() * sizeof code[0]);
    auto const copy = code;
    auto program = seccomp::Program::check(std::move(code));
    if (program.is_error()) return 0;
    if (program.value().length() != copy.size()) std::abort();
    // A program is a function of the call.
    if (program.value().run(data) != program.value().run(data)) std::abort();
    return 0;
}
