// SPDX-License-Identifier: GPL-2.0-or-later
// What every system-call file needs: the handler's shape, the declarations that table.def generates, the retry loop.
#pragma once

#include <algorithm>

#include "core/abi/aio.h"
#include "core/abi/epoll.h"
#include "core/abi/file.h"
#include "core/abi/iovec.h"
#include "core/abi/ipc.h"
#include "core/abi/mqueue.h"
#include "core/abi/poll.h"
#include "core/abi/process.h"
#include "core/abi/socket.h"
#include "core/abi/system.h"
#include "core/base/error.h"
#include "core/kernel.h"
#include "core/mm/user.h"
#include "core/task/task.h"
#include "core/vfs/file.h"

namespace umbra {

/// Support of a call, as the table in the docs shows it.
enum class SyscallLevel : u8 { full, partial, refused, missing };

struct SyscallEntry {
    char const* name = nullptr;
    SyscallLevel level = SyscallLevel::missing;
    char const* note = "";
    SyscallResult (*handler)(Task&, u64 const args[6]) = nullptr;
    u8 argument_count = 0;
    char const* argument_types
        = ""; ///< the C++ types as written in the table, comma-separated, for the trace
};
/// The entry of a number; null beyond the table.
SyscallEntry const* syscall_entry(i64 number);
constexpr i64 kSyscallTableSize = 463;

/// Runs the call and translates nothing: restart codes come back as they are.
SyscallResult dispatch_syscall(Task& task, i64 number, u64 const args[6]);

#define SYSCALL(number, name, level, note, ...)                                                              \
    SyscallResult sys_##name(Task& task __VA_OPT__(, ) __VA_ARGS__);
#define REFUSED(number, name, note)
#define MISSING(number, name, note)
#include "core/syscall/table.def"
#undef SYSCALL
#undef REFUSED
#undef MISSING

/// The one retry loop (law 9): calls `attempt` until it does not return err::again, sleeping on the file's wait queue
/// for `events` in between. A non-blocking file gets EAGAIN at once. `deadline` gives err::again when passed.
template <typename Attempt>
auto retry_until_ready(vfs::File& file, u32 events, Attempt attempt, Nanoseconds deadline = kNever)
    -> decltype(attempt())
{
    auto result = attempt();
    if (!result.is_error() || result.error() != err::again || file.is_nonblocking()) return result;
    WaitQueue* queue = file.wait_queue();
    if (!queue) return result;
    Nanoseconds limit = file.wait_limit(events);
    if (limit != kNever) {
        Nanoseconds now = current().kernel().platform().now(platform::HostClock::monotonic);
        deadline = std::min(deadline, now + std::min(limit, kNever - now));
    }
    TaskWaiter waiter;
    waiter.exclusive = true;
    queue->add(waiter);
    for (;;) {
        result = attempt();
        if (!result.is_error() || result.error() != err::again) return result;
        auto slept = sleep_current(deadline, Interruption::allowed);
        if (slept.is_error()) {
            result = attempt();
            if (!result.is_error() || result.error() != err::again) return result;
            if (slept.error() == err::timedout) return err::again;
            // signal(7): a socket call with a timeout is not restarted.
            return limit == kNever ? slept.error() : err::intr;
        }
    }
}

/// What a finished loop of reads or writes returns: bytes that moved count more than the error that stopped it.
inline Result<u64> moved_or_error(IoBuffer const& buffer, Result<u64> const& result)
{
    return buffer.transferred() > 0 ? Result<u64>(buffer.transferred()) : result;
}

} // namespace umbra
