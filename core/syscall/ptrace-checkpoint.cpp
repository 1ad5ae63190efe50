// SPDX-License-Identifier: GPL-2.0-or-later
// ptrace(2)'s requests for checkpoints: the seccomp filters of a stopped thread, its rseq(2) area, who catches its calls.
#include "core/seccomp/filter.h"
#include "core/syscall/prctl.h"
#include "core/syscall/ptrace-state.h"

namespace umbra::ptrace_state {

using namespace abi;

namespace {

Result<void> check_may_look(Task const& task)
{
    if (!task.credentials().has(Capability::sys_admin) || task.seccomp_mode) return err::acces;
    return {};
}

} // namespace

SyscallResult get_seccomp_filter(Task& task, Tracee& tracee, u64 index, GuestAddr out)
{
    TRY(check_may_look(task));
    auto filter = TRY(seccomp::nth(*tracee.task, index));
    auto const& code = filter->program.code();
    if (!out.is_null()) TRY(UserOut<SockFilter> { out }.copy_out_array(task, code));
    return i64(code.size());
}

SyscallResult get_seccomp_metadata(Task& task, Tracee& tracee, u64 size, GuestAddr out)
{
    TRY(check_may_look(task));
    size = std::min(size, sizeof(SeccompMetadata));
    if (size < sizeof(SeccompMetadata::filter_offset)) return err::inval;
    u64 const index = TRY(UserIn<u64> { out }.copy_in(task));
    if (!tracee.task) return err::srch; // killed while we waited
    auto filter = TRY(seccomp::nth(*tracee.task, index));
    SeccompMetadata const data { index, filter->log ? seccomp_flag_log : 0 };
    TRY(copy_to_user(task, out, &data, size));
    return i64(size);
}

SyscallResult get_rseq(Task& task, Tracee& tracee, u64 size, GuestAddr out)
{
    RseqRegistration const& rseq = tracee.task->rseq;
    PtraceRseqConfiguration const answer { rseq.area.value, rseq.length, rseq.signature, 0, 0 };
    TRY(copy_to_user(task, out, &answer, std::min<u64>(size, sizeof answer)));
    return i64(sizeof answer);
}

SyscallResult get_dispatch(Task& task, Tracee& tracee, u64 size, GuestAddr out)
{
    if (size != sizeof(PtraceDispatchConfig)) return err::inval;
    SyscallDispatch const& d = tracee.task->dispatch;
    u64 const mode = tracee.task->syscall_work & work_dispatch ? dispatch_on : dispatch_off;
    TRY(UserOut<PtraceDispatchConfig> { out }.copy_out(task, { mode, d.selector.value, d.start, d.length }));
    return 0;
}

SyscallResult set_dispatch(Task& task, Tracee& tracee, u64 size, GuestAddr in)
{
    if (size != sizeof(PtraceDispatchConfig)) return err::inval;
    auto const wanted = TRY(UserIn<PtraceDispatchConfig> { in }.copy_in(task));
    if (!tracee.task) return err::srch; // killed while we waited
    TRY(set_syscall_dispatch(
        *tracee.task, wanted.mode, { wanted.offset, wanted.length, GuestAddr(wanted.selector) }));
    return 0;
}

} // namespace umbra::ptrace_state
