// SPDX-License-Identifier: GPL-2.0-or-later
// See zygote-handle.h; the other side is zygote.cpp.
#include "arch-um/stub/zygote-handle.h"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <sys/syscall.h>

#include "arch-um/stub/host-vdso.h"
#include "arch-um/stub/image.h"
#include "hostabi/host-call.h"
#include "hostabi/process.h"

namespace umbra::stub {

using hostabi::host_call;
using hostabi::HostErrno;
using hostabi::HostResult;
using hostabi::is_host_error;

namespace {
constexpr u64 kStagingControl = kStaging + 0x40000;
constexpr u64 kStagingStack = kStaging + 0x80000;
constexpr int kBootTimeoutMs = 5000;

/// The host writes the current CPU into libc's rseq area whenever it likes; that memory is about to go.
void unregister_rseq()
{
    if (__rseq_size == 0) return;
    auto* area = static_cast<char*>(__builtin_thread_pointer()) + __rseq_offset;
    // The size must be that of the registration: 32 for glibc before 2.40, the feature size rounded up since.
    for (u32 size : { 32u, __rseq_size, (__rseq_size + 31) & ~31u })
        if (host_call(SYS_rseq, area, size, RSEQ_FLAG_UNREGISTER, RSEQ_SIG) == 0) return;
}

HostResult<void> set_file_size(hostabi::OwnedFd const& fd, u64 size)
{
    return hostabi::host_status(host_call(SYS_ftruncate, fd.get(), size));
}
} // namespace

HostResult<std::unique_ptr<ZygoteHandle>> ZygoteHandle::start(
    ZygoteOptions const& options, HostVdso const& vdso, int& boot_step)
{
    std::unique_ptr<ZygoteHandle> handle(new ZygoteHandle);
    boot_step = 0;
    TRY(handle->prepare(options, vdso));
    TRY(handle->launch(boot_step));
    return handle;
}

HostResult<void> ZygoteHandle::prepare(ZygoteOptions const& options, HostVdso const& vdso)
{
    auto const bytes = image_bytes();
    image_fd_ = TRY(hostabi::OwnedFd::memfd("umbra-stub"));
    TRY(hostabi::write_all(image_fd_.get(), bytes));
    TRY(set_file_size(image_fd_, page_up(bytes.size())));
    // Nobody, the kernel included, changes the code that runs beside guests.
    TRY(hostabi::host_status(host_call(
        SYS_fcntl, image_fd_.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)));
    control_fd_ = TRY(hostabi::OwnedFd::memfd("umbra-zygote"));
    TRY(set_file_size(control_fd_, kPageSize));
    control_ = TRY(hostabi::OwnedMapping::shared(control_fd_.get(), 0, kPageSize, PROT_READ | PROT_WRITE));
    order_event_ = TRY(hostabi::OwnedFd::eventfd());
    done_event_ = TRY(hostabi::OwnedFd::eventfd(0, EFD_NONBLOCK));

    Control& c = control();
    c.image_fd = image_fd_.get();
    c.control_fd = control_fd_.get();
    c.area_fd = options.area_fd;
    c.order_event = order_event_.get();
    c.done_event = done_event_.get();
    c.kernel_pid = hostabi::process::own_pid();
    c.image_size = page_up(bytes.size());
    c.kind = options.kind;
    c.filter_flags = options.filter_flags;
    c.fsgsbase = options.fsgsbase;
    c.userfault = options.userfault;
    c.vdso_base = vdso.base();
    for (auto const& part : vdso.parts())
        c.vdso_parts[c.vdso_part_count++] = part;
    return {};
}

HostResult<void> ZygoteHandle::launch(int& boot_step)
{
    // A signal handler of the kernel must not run in the child, whose memory is on its way out.
    u64 const all = ~u64 { 0 };
    u64 before = 0;
    host_call(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
    i64 const pid = host_call(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) enter_staging();
    host_call(SYS_rt_sigprocmask, SIG_SETMASK, &before, nullptr, sizeof before);
    if (is_host_error(pid)) return HostErrno { static_cast<i32>(-pid) };
    pid_ = static_cast<i32>(pid);

    pollfd done { done_event_.get(), POLLIN, 0 };
    while (host_call(SYS_poll, &done, 1, kBootTimeoutMs) == -EINTR) { }
    u64 count;
    host_call(SYS_read, done_event_.get(), &count, sizeof count);
    boot_step = control().boot_step;
    if (__atomic_load_n(&control().ready, __ATOMIC_ACQUIRE)) return {};
    i32 const error = control().boot_error;
    return HostErrno { error ? -error : ETIMEDOUT };
}

/// In the child: moves to the staging address, from where the rest can be unmapped. Raw host calls only:
/// other threads of the kernel may have held libc's locks.
void ZygoteHandle::enter_staging()
{
    unregister_rseq();
    Control& c = control();
    auto const map = [](u64 address, u64 size, int protection, int flags, int fd) {
        return host_call(SYS_mmap, address, size, protection, flags | MAP_FIXED_NOREPLACE, fd, 0);
    };
    i64 result = map(kStaging, c.image_size, PROT_READ | PROT_EXEC, MAP_SHARED, c.image_fd);
    if (!is_host_error(result))
        result = map(kStagingControl, kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, c.control_fd);
    if (!is_host_error(result))
        result
            = map(kStagingStack, kZygoteStackSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    if (is_host_error(result)) {
        c.boot_error = static_cast<i32>(result);
        u64 const one = 1;
        host_call(SYS_write, c.done_event, &one, sizeof one);
        for (;;)
            host_call(SYS_exit_group, 1);
    }
    // zygote_entry(Control&) through the image's first instruction; a call would leave the stack like this.
    asm volatile("mov %0, %%rsp\n\txor %%ebp, %%ebp\n\tcall *%1"
                 :
                 : "r"(kStagingStack + kZygoteStackSize), "r"(kStaging), "D"(kStagingControl)
                 : "memory");
    __builtin_unreachable();
}

ZygoteHandle::~ZygoteHandle() { stop(); }

void ZygoteHandle::stop()
{
    if (!pid_) return;
    if (control().ready) {
        // Not killed: an order half done would leave a stub that nobody knows.
        __atomic_store_n(&control().stop, 1, __ATOMIC_RELEASE);
        u64 const one = 1;
        host_call(SYS_write, order_event_.get(), &one, sizeof one);
    } else {
        (void)hostabi::process::send_signal(pid_, SIGKILL); // never came up: nothing to lose
    }
    (void)hostabi::process::wait_for_child(pid_);
    pid_ = 0;
}

bool ZygoteHandle::order(u64 service_offset)
{
    Control& c = control();
    if (c.ordered - taken_ == kMaxOrders) return false;
    c.orders[c.ordered % kMaxOrders]
        = { .service_offset = service_offset, .pid = 0, .listener = -1, .userfault = kNoUserfault };
    // release: the zygote sees the order that the counter announces.
    __atomic_store_n(&c.ordered, c.ordered + 1, __ATOMIC_RELEASE);
    u64 const one = 1;
    host_call(SYS_write, order_event_.get(), &one, sizeof one);
    return true;
}

bool ZygoteHandle::take_answer(StubOrder& out)
{
    Control& c = control();
    if (taken_ == __atomic_load_n(&c.answered, __ATOMIC_ACQUIRE)) return false;
    out = c.orders[taken_++ % kMaxOrders];
    return true;
}

} // namespace umbra::stub
