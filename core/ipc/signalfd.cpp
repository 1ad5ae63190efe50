// SPDX-License-Identifier: GPL-2.0-or-later
// signalfd(2).
#include "core/ipc/signalfd.h"

#include <cstdio>
#include <string>

#include "core/abi/signalfd.h"
#include "core/kernel.h"
#include "core/task/task.h"

namespace umbra::ipc {

namespace {

constexpr u64 kNeverRead = abi::sigbit(abi::sigkill) | abi::sigbit(abi::sigstop);

abi::SignalfdInfo describe(abi::SigInfo const& info)
{
    abi::SignalfdInfo out {};
    out.signo = u32(info.signo);
    out.error = info.error;
    out.code = info.code;
    if (info.code == abi::si_timer) {
        out.timer_id = u32(info.timer.timer_id);
        out.overrun = u32(info.timer.overrun);
        out.pointer = info.timer.value;
        out.int_value = i32(info.timer.value);
        return out;
    }
    bool from_kernel = info.code > 0 && info.code != abi::si_kernel;
    if (from_kernel && info.signo == abi::sigchld) {
        out.status = info.child.status;
        out.utime = u64(info.child.utime);
        out.stime = u64(info.child.stime);
    } else if (from_kernel && info.signo == abi::sigio) {
        out.band = u32(info.poll.band);
        out.fd = info.poll.fd;
        return out;
    } else if (from_kernel && info.signo == abi::sigsys) {
        out.call_address = info.sys.call_address;
        out.syscall = info.sys.syscall;
        out.arch = info.sys.arch;
        return out;
    } else if (from_kernel) {
        out.address = info.fault.address;
        out.address_lsb = u16(info.fault.lsb);
        return out;
    } else if (info.code < 0) {
        out.pointer = info.kill.value;
        out.int_value = i32(info.kill.value);
    }
    // SI_USER, SI_QUEUE, SI_TKILL and SIGCHLD share the place of pid and uid.
    out.pid = u32(info.kill.pid);
    out.uid = info.kill.uid;
    return out;
}

class SignalFd final : public vfs::File {
public:
    SignalFd(vfs::Path path, u64 signals, u32 flags)
        : File(std::move(path), (flags & abi::o_nonblock) | abi::o_rdwr)
        , signals_(signals & ~kNeverRead)
    {
    }

    void set_signals(u64 signals)
    {
        signals_ = signals & ~kNeverRead;
        current().process().signal_waiters.wake_all();
    }

    bool can_splice() const override { return false; }
    Result<u64> read(IoBuffer& buffer, u64) override
    {
        if (buffer.remaining() < sizeof(abi::SignalfdInfo)) return err::inval;
        Task& task = current();
        u64 moved = 0;
        while (buffer.remaining() >= sizeof(abi::SignalfdInfo)) {
            abi::SigInfo info;
            if (!task.take_signal(signals_, info)) break;
            auto out = describe(info);
            if (buffer.put_all(&out, sizeof out).is_error())
                return moved > 0 ? Result<u64>(moved) : err::fault;
            moved += sizeof out;
        }
        return moved > 0 ? Result<u64>(moved) : err::again;
    }

    u32 readiness() override { return readiness_for(current()); }
    u32 readiness_for(Task& task) override
    {
        u64 pending = task.pending.set() | task.process().shared_pending.set();
        return pending & signals_ ? abi::pollin | abi::pollrdnorm : 0;
    }

    /// The queue of the task that asks: in an epoll set it stays that of the process that added it, as on
    /// Linux.
    WaitQueue* wait_queue() override { return &current().process().signal_waiters; }

    std::string fdinfo() override
    {
        char text[64];
        std::snprintf(text, sizeof text, "sigmask:\t%016llx\n", static_cast<unsigned long long>(signals_));
        return text;
    }

private:
    u64 signals_;
};

} // namespace

Ref<vfs::File> make_signalfd(Kernel& kernel, u64 signals, u32 flags)
{
    return make_ref<SignalFd>(
        vfs::make_anonymous_path(kernel, "anon_inode:[signalfd]", 0600), signals, flags);
}

Result<void> set_signalfd_signals(vfs::File& file, u64 signals)
{
    auto* signalfd = dynamic_cast<SignalFd*>(&file);
    if (!signalfd) return err::inval;
    signalfd->set_signals(signals);
    return {};
}

} // namespace umbra::ipc
