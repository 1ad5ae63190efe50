// SPDX-License-Identifier: GPL-2.0-or-later
// timerfd: arming on three clocks, counting expiries.
#include "core/ipc/timerfd.h"

#include <algorithm>
#include <cstdio>

#include "core/kernel.h"

namespace umbra::ipc {

TimerFd::TimerFd(vfs::Path path, Kernel& kernel, i32 clock, u32 flags)
    : File(std::move(path), (flags & abi::o_nonblock) | abi::o_rdwr)
    , Timer(kernel)
    , clock_(clock)
{
}

Nanoseconds TimerFd::now() const
{
    switch (clock_) {
    case abi::clock_realtime:
    case abi::clock_realtime_alarm:
        return kernel_.time().realtime();
    case abi::clock_boottime:
    case abi::clock_boottime_alarm:
        return kernel_.platform().now(platform::HostClock::boottime); // as clock_gettime(2) reads it
    default:
        return kernel_.time().monotonic();
    }
}

void TimerFd::arm_for_next()
{
    is_expired_ = false;
    // The clocks advance alike; what differs between them is where they started.
    Nanoseconds wait = next_ - std::min(next_, now());
    arm(Timekeeper::add(kernel_.time().monotonic(), wait));
}

void TimerFd::expired()
{
    if (next_ > now()) return arm_for_next(); // the realtime clock was set back
    is_expired_ = true;
    ticks_++;
    queue_.wake_all(abi::pollin | abi::pollrdnorm);
}

void TimerFd::catch_up()
{
    if (!is_expired_ || interval_ == 0) return;
    Nanoseconds passed = std::max<Nanoseconds>(0, now() - next_);
    u64 more = u64(passed / interval_);
    ticks_ += more;
    next_ = Timekeeper::add(next_, Nanoseconds(more + 1) * interval_);
    arm_for_next();
}

TimerFd::Setting TimerFd::setting()
{
    catch_up();
    if (!is_armed()) return { 0, interval_ };
    return { std::max<Nanoseconds>(1, next_ - now()), interval_ };
}

TimerFd::Setting TimerFd::set(Setting wanted, u32 flags)
{
    Setting old = setting();
    cancel();
    ticks_ = 0;
    is_expired_ = false;
    set_flags_ = flags;
    interval_ = wanted.interval;
    if (wanted.value == 0) return old;
    next_ = flags & abi::tfd_timer_abstime ? wanted.value : Timekeeper::add(now(), wanted.value);
    if (next_ <= now())
        expired();
    else
        arm_for_next();
    return old;
}

Result<u64> TimerFd::read(IoBuffer& buffer, u64)
{
    u64 ticks;
    if (buffer.remaining() < sizeof ticks) return err::inval;
    if (ticks_ == 0) return err::again;
    catch_up();
    ticks = std::exchange(ticks_, 0);
    TRY(buffer.put_all(&ticks, sizeof ticks));
    return sizeof ticks;
}

u32 TimerFd::readiness() { return ticks_ > 0 ? abi::pollin | abi::pollrdnorm : 0; }

std::string TimerFd::fdinfo()
{
    Setting left = setting();
    auto value = Timekeeper::to_timespec(left.value), interval = Timekeeper::to_timespec(left.interval);
    char text[256];
    std::snprintf(text, sizeof text,
        "clockid: %d\nticks: %llu\nsettime flags: 0%o\nit_value: (%lld, %lld)\nit_interval: (%lld, %lld)\n",
        clock_, static_cast<unsigned long long>(ticks_), set_flags_, static_cast<long long>(value.sec),
        static_cast<long long>(value.nsec), static_cast<long long>(interval.sec),
        static_cast<long long>(interval.nsec));
    return text;
}

Ref<TimerFd> make_timerfd(Kernel& kernel, i32 clock, u32 flags)
{
    return make_ref<TimerFd>(
        vfs::make_anonymous_path(kernel, "anon_inode:[timerfd]", 0600), kernel, clock, flags);
}

TimerFd* as_timerfd(vfs::File& file) { return dynamic_cast<TimerFd*>(&file); }

} // namespace umbra::ipc
