// SPDX-License-Identifier: GPL-2.0-or-later
// getrandom(2).
#include "hostabi/random.h"

#include <cerrno>

#include <sys/syscall.h>

#include "core/base/panic.h"
#include "hostabi/host-call.h"

namespace umbra::hostabi {

void random_bytes(std::span<u8> out)
{
    while (!out.empty()) {
        i64 const count = host_call(SYS_getrandom, out.data(), out.size(), 0);
        if (count == -EINTR) continue;
        if (is_host_error(count)) panic("hostabi: getrandom: error %lld", static_cast<long long>(-count));
        out = out.subspan(static_cast<std::size_t>(count));
    }
}

} // namespace umbra::hostabi
