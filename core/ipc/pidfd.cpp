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
    PidFd(vfs::Path path, Ref<Process> process, u32 flags)
        : File(std::move(path), (flags & abi::o_nonblock) | abi::o_rdwr)
        , process_(std::move(process))
    {
    }

    Ref<Process> const& process() const { return process_; }

    bool can_splice() const override { return false; }
    u32 readiness() override
    {
        if (process_->state != ProcessState::zombie) return 0;
        u32 ready = abi::pollin | abi::pollrdnorm;
        return is_reaped() ? ready | abi::pollhup : ready;
    }
    WaitQueue* wait_queue() override { return &process_->exit_waiters; }

    std::string fdinfo() override
    {
        if (is_reaped()) return "Pid:\t-1\nNSpid:\t-1\n";
        Kernel& kernel = process_->kernel;
        PidNamespace const& reader = pid_namespace(current());
        i32 const number = pid_out(kernel, reader, process_->id);
        std::string text = "Pid:\t" + std::to_string(number) + "\nNSpid:";
        if (!number) return text + "\t0\n";
        for (i32 inner : numbers_below(kernel, reader, *process_->pids, process_->id))
            text += "\t" + std::to_string(inner);
        return text + "\n";
    }

private:
    bool is_reaped() const
    {
        return process_->kernel.processes().find_process(process_->id) != process_.get();
    }

    Ref<Process> process_;
};

} // namespace

Ref<vfs::File> make_pidfd(Process& process, u32 flags)
{
    auto path = vfs::make_anonymous_path(process.kernel, "anon_inode:[pidfd]", 0600);
    return make_ref<PidFd>(std::move(path), Ref<Process>(process), flags);
}

Result<Ref<Process>> process_of_pidfd(vfs::File& file)
{
    auto* pidfd = dynamic_cast<PidFd*>(&file);
    if (!pidfd) return err::badf;
    return pidfd->process();
}

} // namespace umbra::ipc

namespace umbra::vfs {

Result<Pid> pidfd_process(File& file) { return TRY(ipc::process_of_pidfd(file))->id; }

} // namespace umbra::vfs
