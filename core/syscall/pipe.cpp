// SPDX-License-Identifier: GPL-2.0-or-later
// pipe, pipe2.
#include "core/ipc/pipe.h"

#include <array>

#include "core/syscall/syscall.h"

namespace umbra {

SyscallResult sys_pipe2(Task& task, UserOut<i32> fds, u32 flags)
{
    if (flags & ~(abi::o_cloexec | abi::o_nonblock | abi::o_direct)) return err::inval;
    auto ends = TRY(ipc::make_pipe(task.kernel(), flags));
    FdTable& files = task.files();
    GuestFd read_fd = TRY(files.reserve(task.limit(Resource::nofile)));
    auto write_fd = files.reserve(task.limit(Resource::nofile));
    if (write_fd.is_error()) {
        files.release(read_fd);
        return write_fd.error();
    }
    auto copied = fds.copy_out_array(task, std::array { read_fd.value, write_fd.value().value });
    if (copied.is_error()) {
        files.release(read_fd);
        files.release(write_fd.value());
        return copied.error();
    }
    files.install(read_fd, ends.read_end, flags & abi::o_cloexec);
    files.install(write_fd.value(), ends.write_end, flags & abi::o_cloexec);
    return 0;
}

SyscallResult sys_pipe(Task& task, UserOut<i32> fds) { return sys_pipe2(task, fds, 0); }

} // namespace umbra
