// SPDX-License-Identifier: GPL-2.0-or-later
// Seccomp: a small assembler for filters, installing them, and the supervisor's end of user notifications.
// See seccomp(2), seccomp_unotify(2), and the kernel's Documentation/userspace-api/seccomp_filter.rst.
#pragma once

#include <span>
#include <vector>

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "core/base/types.h"
#include "hostabi/fd.h"
#include "hostabi/host-result.h"

namespace umbra::hostabi {

/// Writes a seccomp filter. Instructions work on one register, the accumulator; values are 32 bits wide.
/// A target that is not bound, or too far for a conditional jump (255 instructions), panics in finish().
class SeccompAssembler {
public:
    struct Label {
        u16 id;
    };
    Label new_label();
    /// Places `label` at the next instruction.
    void bind(Label label);

    void load_number();
    void load_architecture();
    void load_argument_low(unsigned index); ///< of args[index], bits 0 to 31
    void load_argument_high(unsigned index); ///< of args[index], bits 32 to 63
    void load_instruction_pointer_low(); ///< the address after the syscall instruction
    void load_instruction_pointer_high();

    void jump(Label target);
    void jump_if_equal(u32 value, Label target);
    void jump_if_not_equal(u32 value, Label target);
    void jump_if_above(u32 value, Label target); ///< unsigned, strictly
    void jump_if_at_least(u32 value, Label target); ///< unsigned
    void jump_if_any_bit(u32 mask, Label target);
    void and_with(u32 mask);
    void return_action(u32 action); ///< SECCOMP_RET_*
    void return_action_if_equal(u32 value, u32 action);

    /// Resolves the labels. The program lives as long as the assembler and is not extended any more.
    std::span<sock_filter const> finish();

private:
    struct Fixup {
        u16 instruction;
        u16 label;
        enum class Field : u8 { always, if_true, if_false } field;
    };
    void emit(u16 code, u32 k);
    void load(u32 offset);
    void branch(u16 code, u32 k, Label target, Fixup::Field field);

    std::vector<sock_filter> program_;
    std::vector<i32> labels_; ///< bound position, or -1
    std::vector<Fixup> fixups_;
};

/// Sets no_new_privs and installs `program` on the calling thread, forever. `flags`: SECCOMP_FILTER_FLAG_*.
HostResult<void> install_seccomp_filter(std::span<sock_filter const> program, u32 flags = 0);
/// The same, and returns the listener of SECCOMP_RET_USER_NOTIF. EBUSY when the thread already has one.
HostResult<OwnedFd> install_seccomp_filter_with_listener(std::span<sock_filter const> program, u32 flags = 0);
/// Whether the host's structures are those that we were compiled with; a larger one would overrun ours.
bool seccomp_sizes_match();

/// The supervisor's end. Operations are on a descriptor, so that the holder decides who owns it.
namespace seccomp {

/// Takes the oldest notification. Sleeps when there is none: call it only when poll said POLLIN, or
/// has_notification(), and while no other thread receives from the same listener. ENOENT: its thread has
/// died.
HostResult<void> receive(int listener, seccomp_notif& out);
bool has_notification(int listener);
/// The thread's call returns `value`. ENOENT: the thread was killed, or left the call for a signal.
HostResult<void> answer(int listener, u64 id, i64 value);
/// The thread's call fails with `error`, a positive errno.
HostResult<void> answer_error(int listener, u64 id, i32 error);
/// The host executes the call as it stands in the thread's registers. The caller has verified it.
HostResult<void> answer_continue(int listener, u64 id);
/// Whether the notification still stands. What was read of the thread before a true answer was the thread's.
bool is_valid(int listener, u64 id);
/// Wakes both ends on the waker's CPU (Linux 6.6; EINVAL before).
HostResult<void> set_synchronous_wake_up(int listener);

} // namespace seccomp

} // namespace umbra::hostabi
