// SPDX-License-Identifier: GPL-2.0-or-later
// Process descriptors: readiness at exit, fdinfo.
#include "core/ipc/pidfd.h"

#include <string>

#include "core/kernel.h"
#include "core/task/pid-namespace.h"
#include "core/task/process-table.h"

namespace umbra::ipc {

namespace {

class PidFd final : public vfs::File {
public:
    /// `thread`: the one that it stands for; null for the process.
    PidFd(vfs::Path path, Ref<Process> process, RefPtr<Task> thread, u32 flags)
        : File(std::move(path), (flags & abi::o_nonblock) | abi::o_rdwr)
        , process_(std::move(process))
        , thread_(std::move(thread))
    {
        if (thread_) flags_ |= pidfd_thread; // which is no flag of other files once they are open
    }

    Ref<Process> const& process() const { return process_; }
    RefPtr<Task> const& thread() const { return thread_; }

    bool can_splice() const override { return false; }
    u32 readiness() override
    {
        if (!has_ended()) return 0;
        u32 ready = abi::pollin | abi::pollrdnorm;
        return is_reaped() ? ready | abi::pollhup : ready;
    }
    WaitQueue* wait_queue() override { return &process_->exit_waiters; }

    /// Its number stands for it no longer.
    bool is_reaped() const
    {
        auto const& table = process_->kernel.processes();
        bool const process_is = table.find_process(process_->id) != process_.get();
        if (!thread_ || process_is) return process_is;
        // Of a process that has ended the leader's number stays until it is waited for.
        if (table.find_task(thread_->tid()) == thread_.get()) return false;
        return !(thread_->tid() == process_->id && process_->state == ProcessState::zombie);
    }

    std::string fdinfo() override
    {
        if (is_reaped()) return "Pid:\t-1\nNSpid:\t-1\n";
        Kernel& kernel = process_->kernel;
        PidNamespace const& reader = pid_namespace(current());
        Pid const id = thread_ ? thread_->tid() : process_->id;
        i32 const number = pid_out(kernel, reader, id);
        std::string text = "Pid:\t" + std::to_string(number) + "\nNSpid:";
        if (!number) return text + "\t0\n";
        for (i32 inner : numbers_below(kernel, reader, *process_->pids, id))
            text += "\t" + std::to_string(inner);
        return text + "\n";
    }

private:
    bool has_ended() const
    {
        if (process_->state == ProcessState::zombie) return true;
        return thread_ && (process_->zombie_leader == thread_ || is_reaped());
    }

    Ref<Process> process_;
    RefPtr<Task> thread_;
};

} // namespace

Ref<vfs::File> make_pidfd(Process& process, u32 flags)
{
    auto path = vfs::make_anonymous_path(process.kernel, "anon_inode:[pidfd]", 0600);
    return make_ref<PidFd>(std::move(path), Ref<Process>(process), nullptr, flags);
}

Ref<vfs::File> make_thread_pidfd(Task& thread, u32 flags)
{
    auto path = vfs::make_anonymous_path(thread.kernel(), "anon_inode:[pidfd]", 0600);
    return make_ref<PidFd>(std::move(path), Ref<Process>(thread.process()), Ref<Task>(thread), flags);
}

Result<Ref<Process>> process_of_pidfd(vfs::File& file)
{
    auto* pidfd = dynamic_cast<PidFd*>(&file);
    if (!pidfd) return err::badf;
    return pidfd->process();
}

Result<PidfdTarget> target_of_pidfd(vfs::File& file)
{
    auto* pidfd = dynamic_cast<PidFd*>(&file);
    if (!pidfd) return err::badf;
    if (pidfd->is_reaped()) return err::srch;
    return PidfdTarget { pidfd->process(), pidfd->thread() };
}

} // namespace umbra::ipc

namespace umbra::vfs {

Result<Pid> pidfd_process(File& file) { return TRY(ipc::process_of_pidfd(file))->id; }

} // namespace umbra::vfs
