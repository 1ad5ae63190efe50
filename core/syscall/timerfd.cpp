// SPDX-License-Identifier: GPL-2.0-or-later
// timerfd_create, timerfd_settime, timerfd_gettime.
#include "core/ipc/timerfd.h"

#include "core/syscall/syscall.h"
#include "core/time/time-namespace.h"

namespace umbra {

namespace {

bool is_alarm(i32 clock) { return clock == abi::clock_realtime_alarm || clock == abi::clock_boottime_alarm; }

Result<Ref<vfs::File>> timerfd_file(Task& task, GuestFd fd)
{
    auto file = TRY(task.files().get(fd));
    if (!ipc::as_timerfd(*file)) return err::inval;
    return file;
}

abi::Itimerspec to_itimerspec(ipc::TimerFd::Setting const& setting)
{
    return { Timekeeper::to_timespec(setting.interval), Timekeeper::to_timespec(setting.value) };
}

} // namespace

SyscallResult sys_timerfd_create(Task& task, i32 clock, u32 flags)
{
    bool known
        = clock == abi::clock_realtime || clock == abi::clock_monotonic || clock == abi::clock_boottime;
    if (flags & ~(abi::o_cloexec | abi::o_nonblock) || (!known && !is_alarm(clock))) return err::inval;
    if (is_alarm(clock) && !task.credentials().has(Capability::wake_alarm)) return err::perm;
    auto fd = TRY(task.files().add(ipc::make_timerfd(task.kernel(), clock, flags), flags & abi::o_cloexec,
        task.limit(Resource::nofile)));
    return fd.value;
}

SyscallResult sys_timerfd_settime(
    Task& task, GuestFd fd, u32 flags, UserIn<abi::Itimerspec> wanted, UserOut<abi::Itimerspec> old)
{
    auto spec = TRY(wanted.copy_in(task));
    if (flags & ~(abi::tfd_timer_abstime | abi::tfd_timer_cancel_on_set)) return err::inval;
    if (!Timekeeper::is_valid(spec.value) || !Timekeeper::is_valid(spec.interval)) return err::inval;
    auto file = TRY(timerfd_file(task, fd));
    auto& timer = *ipc::as_timerfd(*file);
    Nanoseconds value = Timekeeper::from_timespec(spec.value);
    if (value && (flags & abi::tfd_timer_abstime))
        value = time_namespace(task).to_kernel(timer.clock(), value);
    auto before = timer.set({ value, Timekeeper::from_timespec(spec.interval) }, flags);
    if (!old.is_null()) TRY(old.copy_out(task, to_itimerspec(before)));
    return 0;
}

SyscallResult sys_timerfd_gettime(Task& task, GuestFd fd, UserOut<abi::Itimerspec> out)
{
    auto file = TRY(timerfd_file(task, fd));
    TRY(out.copy_out(task, to_itimerspec(ipc::as_timerfd(*file)->setting())));
    return 0;
}

} // namespace umbra
