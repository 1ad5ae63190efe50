// SPDX-License-Identifier: GPL-2.0-or-later
// poll, ppoll, select, pselect6.
#include "core/syscall/poll.h"

#include <algorithm>
#include <array>
#include <bit>
#include <memory>
#include <vector>

#include "core/abi/poll.h"
#include "core/abi/system.h"
#include "core/syscall/syscall.h"
#include "core/syscall/wait-options.h"

namespace umbra {

namespace {

class PollWaiter final : public Waiter {
public:
    void notify(u32 events) override
    {
        if (events == 0 || events & wanted) wake_task(*task);
    }
    Task* task = nullptr;
    u32 wanted = 0;
};

constexpr u32 kAlwaysReported = abi::pollerr | abi::pollhup;
constexpr size_t kInlineWaiters = 4;

u64 scan(std::span<PollItem> items)
{
    u64 count = 0;
    for (PollItem& item : items) {
        if (item.file) item.ready = item.file->readiness() & (item.wanted | kAlwaysReported);
        if (item.ready) count++;
    }
    return count;
}

/// Waiters must not move while they are queued: a few live on the stack, more in one allocation.
void enqueue(std::span<PollItem> items, std::span<PollWaiter> waiters)
{
    for (size_t i = 0; i < items.size(); i++) {
        WaitQueue* queue = items[i].file ? items[i].file->wait_queue() : nullptr;
        if (!queue) continue;
        waiters[i].task = &current();
        waiters[i].wanted = items[i].wanted | kAlwaysReported;
        queue->add(waiters[i]);
    }
}

} // namespace

Result<u64> poll_items(std::span<PollItem> items, Nanoseconds deadline)
{
    u64 count = scan(items);
    if (count > 0 || deadline == kAtOnce) return count;
    std::array<PollWaiter, kInlineWaiters> few;
    std::unique_ptr<PollWaiter[]> many;
    if (items.size() > few.size()) many = std::make_unique<PollWaiter[]>(items.size());
    enqueue(items, { many ? many.get() : few.data(), items.size() });
    for (;;) {
        auto slept = sleep_current(deadline, Interruption::allowed);
        count = scan(items);
        if (count > 0) return count;
        if (slept.is_error()) return slept.error() == err::timedout ? Result<u64>(0) : err::restart_nohand;
    }
}

namespace {

/// poll(2) after its timeout became a deadline. Events are written back whatever the outcome, as Linux does.
SyscallResult poll_until(Task& task, GuestAddr address, u32 count, Nanoseconds deadline)
{
    if (count > task.limit(Resource::nofile)) return err::inval;
    auto entries = TRY(UserIn<abi::PollFd> { address }.copy_in_array(task, count));
    std::vector<PollItem> items(count);
    for (u32 i = 0; i < count; i++) {
        if (entries[i].fd < 0) continue;
        auto file = task.files().get(GuestFd(entries[i].fd));
        if (file.ok())
            items[i].file = file.release_value();
        else
            items[i].ready = abi::pollnval;
        items[i].wanted = u16(entries[i].events);
    }
    auto ready = poll_items(items, deadline);
    for (u32 i = 0; i < count; i++)
        entries[i].revents = i16(items[i].ready);
    TRY(UserOut<abi::PollFd> { address }.copy_out_array(task, entries));
    return i64(TRY(ready));
}

bool was_interrupted(SyscallResult const& result)
{
    return result.is_error() && result.error() == err::restart_nohand;
}

SyscallResult poll_restartable(Task& task, GuestAddr address, u32 count, Nanoseconds deadline)
{
    auto result = poll_until(task, address, count, deadline);
    if (!was_interrupted(result)) return result;
    task.restart_block = [=](Task& again) { return poll_restartable(again, address, count, deadline); };
    return err::restart_block;
}

/// Tells the guest how much of its timeout is left. ERESTARTNOHAND would start over with the timeout in
/// memory: if that could not be written, the call must fail instead (Linux: poll_select_finish).
template <typename WriteBack>
SyscallResult finish_timeout(
    Task const& task, SyscallResult const& result, Nanoseconds deadline, WriteBack write_back)
{
    if (deadline == kAtOnce || deadline == kNever) return result;
    // Nothing is written, as if it could not be (personality(2)).
    if (task.personality & abi::personality_sticky_timeouts)
        return was_interrupted(result) ? SyscallResult(err::intr) : result;
    if (write_back().is_error() && was_interrupted(result)) return err::intr;
    return result;
}

} // namespace

SyscallResult sys_poll(Task& task, UserInOut<abi::PollFd> fds, u32 count, i32 milliseconds)
{
    return poll_restartable(task, fds.address, count, deadline_after_milliseconds(task, milliseconds));
}

SyscallResult sys_ppoll(Task& task, UserInOut<abi::PollFd> fds, u32 count, UserInOut<abi::Timespec> timeout,
    UserIn<u64> mask, u64 mask_size)
{
    Nanoseconds deadline = kNever;
    if (!timeout.is_null()) deadline = deadline_after(task, TRY(to_nanoseconds(TRY(timeout.copy_in(task)))));
    auto temporary_mask = TRY(TemporaryMask::apply(task, mask, mask_size));
    auto result = poll_until(task, fds.address, count, deadline);
    temporary_mask.finish(was_interrupted(result));
    return finish_timeout(
        task, result, deadline, [&] { return timeout.copy_out(task, time_left(task, deadline)); });
}

namespace {

/// The three sets of a select(2), as words of 64 bits.
struct SelectSets {
    static constexpr u32 kEvents[3] = {
        abi::pollin | abi::pollrdnorm | abi::pollrdband | abi::pollhup | abi::pollerr,
        abi::pollout | abi::pollwrnorm | abi::pollwrband | abi::pollerr,
        abi::pollpri,
    };
    static constexpr u32 kAsked[3] = {
        abi::pollin | abi::pollrdnorm | abi::pollrdband,
        abi::pollout | abi::pollwrnorm | abi::pollwrband,
        abi::pollpri,
    };

    std::vector<u64> words[3];
    GuestAddr addresses[3];

    Result<void> copy_in(Task& task, u64 count)
    {
        for (int set = 0; set < 3; set++) {
            words[set].resize(count);
            if (!addresses[set].is_null())
                TRY(copy_from_user(task, words[set].data(), addresses[set], count * sizeof(u64)));
        }
        return {};
    }
    Result<void> copy_out(Task& task) const
    {
        for (int set = 0; set < 3; set++)
            if (!addresses[set].is_null())
                TRY(copy_to_user(task, addresses[set], words[set].data(), words[set].size() * sizeof(u64)));
        return {};
    }
    u32 wanted(u32 fd) const
    {
        u32 events = 0;
        for (int set = 0; set < 3; set++)
            if (words[set][fd / 64] >> (fd % 64) & 1) events |= kAsked[set];
        return events;
    }
    /// Leaves only what is ready of `fd`; returns how many bits that is.
    u32 keep_ready(u32 fd, u32 ready)
    {
        u32 count = 0;
        for (int set = 0; set < 3; set++) {
            u64 bit = u64 { 1 } << (fd % 64);
            if (!(words[set][fd / 64] & bit)) continue;
            if (ready & kEvents[set])
                count++;
            else
                words[set][fd / 64] &= ~bit;
        }
        return count;
    }
};

struct SelectItems {
    std::vector<PollItem> items;
    std::vector<u32> fds;
};

Result<SelectItems> files_of(Task& task, SelectSets const& sets, u32 count)
{
    SelectItems result;
    for (u32 fd = 0; fd < count; fd++) {
        u32 wanted = sets.wanted(fd);
        if (!wanted) continue;
        result.items.push_back({ TRY(task.files().get(GuestFd(i32(fd)))), wanted });
        result.fds.push_back(fd);
    }
    return result;
}

SyscallResult select_until(Task& task, i32 count, GuestAddr const (&addresses)[3], Nanoseconds deadline)
{
    if (count < 0) return err::inval;
    // Descriptors beyond the table are ignored; the table's size is a power of two of at least 64, as Linux's
    // is.
    u32 limit = std::min(u32(count), std::bit_ceil(u32(std::max(64, task.files().highest() + 1))));
    SelectSets sets;
    std::ranges::copy(addresses, sets.addresses);
    TRY(sets.copy_in(task, (limit + 63) / 64));
    auto [items, fds] = TRY(files_of(task, sets, limit));
    TRY(poll_items(items, deadline));
    i64 ready = 0;
    for (size_t i = 0; i < items.size(); i++)
        ready += sets.keep_ready(fds[i], items[i].ready);
    // Bits at or beyond `limit` of the last word name no descriptor that was asked for.
    if (limit % 64)
        for (auto& words : sets.words)
            words.back() &= (u64 { 1 } << (limit % 64)) - 1;
    TRY(sets.copy_out(task));
    return ready;
}

} // namespace

SyscallResult sys_select(Task& task, i32 count, UserInOut<u64> read_set, UserInOut<u64> write_set,
    UserInOut<u64> except_set, UserInOut<abi::Timeval> timeout)
{
    Nanoseconds deadline = kNever;
    if (!timeout.is_null()) {
        auto [sec, usec] = TRY(timeout.copy_in(task));
        // Microseconds beyond a second are carried, as Linux does.
        abi::Timespec time { sec + usec / 1'000'000, usec % 1'000'000 * 1000 };
        deadline = deadline_after(task, TRY(to_nanoseconds(time)));
    }
    auto result
        = select_until(task, count, { read_set.address, write_set.address, except_set.address }, deadline);
    return finish_timeout(task, result, deadline, [&] {
        auto left = time_left(task, deadline);
        return timeout.copy_out(task, { left.sec, left.nsec / 1000 });
    });
}

SyscallResult sys_pselect6(Task& task, i32 count, UserInOut<u64> read_set, UserInOut<u64> write_set,
    UserInOut<u64> except_set, UserInOut<abi::Timespec> timeout, UserIn<abi::SelectMask> mask_argument)
{
    Nanoseconds deadline = kNever;
    if (!timeout.is_null()) deadline = deadline_after(task, TRY(to_nanoseconds(TRY(timeout.copy_in(task)))));
    abi::SelectMask mask {};
    if (!mask_argument.is_null()) mask = TRY(mask_argument.copy_in(task));
    auto temporary_mask = TRY(TemporaryMask::apply(task, { GuestAddr(mask.address) }, mask.size));
    auto result
        = select_until(task, count, { read_set.address, write_set.address, except_set.address }, deadline);
    temporary_mask.finish(was_interrupted(result));
    return finish_timeout(
        task, result, deadline, [&] { return timeout.copy_out(task, time_left(task, deadline)); });
}

} // namespace umbra
