// SPDX-License-Identifier: GPL-2.0-or-later
// The filter assembler and the calls of the seccomp supervisor.
#include "hostabi/seccomp.h"

#include <cerrno>
#include <cstddef>

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "core/base/panic.h"
#include "hostabi/host-call.h"

// Linux 6.6; Debian 12's headers are older.
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif

namespace umbra::hostabi {

SeccompAssembler::Label SeccompAssembler::new_label()
{
    labels_.push_back(-1);
    return { static_cast<u16>(labels_.size() - 1) };
}

void SeccompAssembler::bind(Label label)
{
    UMBRA_ASSERT(labels_[label.id] < 0);
    labels_[label.id] = static_cast<i32>(program_.size());
}

void SeccompAssembler::emit(u16 code, u32 k)
{
    program_.push_back({ .code = code, .jt = 0, .jf = 0, .k = k });
}

void SeccompAssembler::load(u32 offset) { emit(BPF_LD | BPF_W | BPF_ABS, offset); }

void SeccompAssembler::load_number() { load(offsetof(seccomp_data, nr)); }

void SeccompAssembler::load_architecture() { load(offsetof(seccomp_data, arch)); }

void SeccompAssembler::load_argument_low(unsigned index)
{
    UMBRA_ASSERT(index < 6);
    load(static_cast<u32>(offsetof(seccomp_data, args) + index * 8)); // little-endian
}

void SeccompAssembler::load_argument_high(unsigned index)
{
    UMBRA_ASSERT(index < 6);
    load(static_cast<u32>(offsetof(seccomp_data, args) + index * 8 + 4));
}

void SeccompAssembler::load_instruction_pointer_low() { load(offsetof(seccomp_data, instruction_pointer)); }

void SeccompAssembler::load_instruction_pointer_high()
{
    load(offsetof(seccomp_data, instruction_pointer) + 4);
}

void SeccompAssembler::branch(u16 code, u32 k, Label target, Fixup::Field field)
{
    fixups_.push_back({ static_cast<u16>(program_.size()), target.id, field });
    emit(code, k);
}

void SeccompAssembler::jump(Label target) { branch(BPF_JMP | BPF_JA, 0, target, Fixup::Field::always); }

void SeccompAssembler::jump_if_equal(u32 value, Label target)
{
    branch(BPF_JMP | BPF_JEQ | BPF_K, value, target, Fixup::Field::if_true);
}

void SeccompAssembler::jump_if_not_equal(u32 value, Label target)
{
    branch(BPF_JMP | BPF_JEQ | BPF_K, value, target, Fixup::Field::if_false);
}

void SeccompAssembler::jump_if_above(u32 value, Label target)
{
    branch(BPF_JMP | BPF_JGT | BPF_K, value, target, Fixup::Field::if_true);
}

void SeccompAssembler::jump_if_at_least(u32 value, Label target)
{
    branch(BPF_JMP | BPF_JGE | BPF_K, value, target, Fixup::Field::if_true);
}

void SeccompAssembler::jump_if_any_bit(u32 mask, Label target)
{
    branch(BPF_JMP | BPF_JSET | BPF_K, mask, target, Fixup::Field::if_true);
}

void SeccompAssembler::and_with(u32 mask) { emit(BPF_ALU | BPF_AND | BPF_K, mask); }

void SeccompAssembler::return_action(u32 action) { emit(BPF_RET | BPF_K, action); }

void SeccompAssembler::return_action_if_equal(u32 value, u32 action)
{
    Label const next = new_label();
    jump_if_not_equal(value, next);
    return_action(action);
    bind(next);
}

std::span<sock_filter const> SeccompAssembler::finish()
{
    for (Fixup const& fixup : fixups_) {
        i32 const target = labels_[fixup.label];
        i32 const distance = target - fixup.instruction - 1;
        bool const far = fixup.field != Fixup::Field::always && distance > 255;
        // BPF jumps forward only. A label behind the last instruction is bound but leads nowhere.
        if (distance < 0 || far || target >= static_cast<i32>(program_.size()))
            panic("hostabi: seccomp filter: jump at %u cannot reach %d", fixup.instruction, target);
        sock_filter& instruction = program_[fixup.instruction];
        switch (fixup.field) {
        case Fixup::Field::always:
            instruction.k = static_cast<u32>(distance);
            break;
        case Fixup::Field::if_true:
            instruction.jt = static_cast<u8>(distance);
            break;
        case Fixup::Field::if_false:
            instruction.jf = static_cast<u8>(distance);
            break;
        }
    }
    fixups_.clear();
    return program_;
}

namespace {

HostResult<i64> set_filter(std::span<sock_filter const> program, u32 flags)
{
    // An unprivileged process may only filter itself once it can gain nothing by execve.
    TRY(host_status(host_call(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)));
    // const_cast: the structure is older than const; the host only reads.
    sock_fprog const argument { static_cast<unsigned short>(program.size()),
        const_cast<sock_filter*>(program.data()) };
    return host_value(host_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &argument));
}

} // namespace

HostResult<void> install_seccomp_filter(std::span<sock_filter const> program, u32 flags)
{
    // A positive value is the id of a thread that TSYNC could not synchronise.
    if (TRY(set_filter(program, flags)) > 0) return HostErrno { ESRCH };
    return {};
}

HostResult<OwnedFd> install_seccomp_filter_with_listener(std::span<sock_filter const> program, u32 flags)
{
    i64 const fd = TRY(set_filter(program, flags | SECCOMP_FILTER_FLAG_NEW_LISTENER));
    return OwnedFd::adopt(static_cast<int>(fd)); // always close-on-exec
}

bool seccomp_sizes_match()
{
    seccomp_notif_sizes sizes {};
    if (host_call(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0) return false;
    return sizes.seccomp_notif == sizeof(seccomp_notif)
        && sizes.seccomp_notif_resp == sizeof(seccomp_notif_resp);
}

namespace seccomp {

HostResult<void> receive(int listener, seccomp_notif& out)
{
    out = {}; // the host insists on zeroes
    return host_status(host_call(SYS_ioctl, listener, SECCOMP_IOCTL_NOTIF_RECV, &out));
}

bool has_notification(int listener)
{
    pollfd state { listener, POLLIN, 0 };
    return host_call(SYS_poll, &state, 1, 0) == 1 && (state.revents & POLLIN);
}

namespace {
HostResult<void> send(int listener, seccomp_notif_resp const& response)
{
    return host_status(host_call(SYS_ioctl, listener, SECCOMP_IOCTL_NOTIF_SEND, &response));
}
} // namespace

HostResult<void> answer(int listener, u64 id, i64 value)
{
    return send(listener, { .id = id, .val = value, .error = 0, .flags = 0 });
}

HostResult<void> answer_error(int listener, u64 id, i32 error)
{
    return send(listener, { .id = id, .val = 0, .error = -error, .flags = 0 });
}

HostResult<void> answer_continue(int listener, u64 id)
{
    return send(listener, { .id = id, .val = 0, .error = 0, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE });
}

bool is_valid(int listener, u64 id)
{
    return host_call(SYS_ioctl, listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

HostResult<void> set_synchronous_wake_up(int listener)
{
    return host_status(
        host_call(SYS_ioctl, listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP));
}

} // namespace seccomp

} // namespace umbra::hostabi
