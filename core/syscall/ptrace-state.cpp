// SPDX-License-Identifier: GPL-2.0-or-later
// Memory, struct user and register sets of a stopped thread (ptrace(2)).
#include "core/syscall/ptrace-state.h"

#include <algorithm>
#include <cstring>

#include "core/abi/iovec.h"
#include "core/mm/address-space.h"
#include "core/task/scheduler.h"
#include "core/task/watchpoints.h"

namespace umbra::ptrace_state {

using platform::Protection;
using platform::Registers;

namespace {

/// The legacy area of the XSAVE image: what FXSAVE writes, and PTRACE_GETFPREGS reads.
constexpr u64 kFxsaveSize = 512, kSoftwareBytes = 464, kMxcsr = 24, kHeader = 512, kFeatures = 512;
constexpr u64 kFpMagic2Size = 4;
constexpr u64 kLegacyFeatures = 3;
constexpr u32 kMxcsrMask = 0xffff;
/// Flags that a tracer may change: CF PF AF ZF SF TF DF OF NT RF AC.
constexpr u64 kUserFlags = 0x00054dd5;
constexpr u64 kRegisterWords = sizeof(Registers) / sizeof(u64);

Result<Registers*> registers_of(Task& task, Tracee& tracee)
{
    // Killed while the request waited for the tracer's memory. Else the thread has loaded them: this does not wait.
    if (!tracee.task || !tracee.is_stopped()) return err::srch;
    auto* regs = tracee.task->guest().registers(*task.vcpu);
    if (!regs) return err::srch;
    return regs;
}

u64& word_of(Registers& regs, u64 index)
{
    return reinterpret_cast<u64*>(&regs)[index]; // 27 words, asserted in registers.h
}

constexpr u64 index_of(u64 offset) { return offset / sizeof(u64); }

/// EIO for a segment or a base that Linux would refuse.
Result<void> put_register(Task& task, Registers& regs, u64 index, u64 value)
{
    u64 const task_size = task.kernel().platform().machine().task_size;
    switch (index) {
    case index_of(offsetof(Registers, fs_base)):
    case index_of(offsetof(Registers, gs_base)):
        if (value >= task_size) return err::io;
        break;
    case index_of(offsetof(Registers, eflags)):
        value = (regs.eflags & ~kUserFlags) | (value & kUserFlags);
        break;
    case index_of(offsetof(Registers, cs)):
    case index_of(offsetof(Registers, ss)):
        // Only the flat 64-bit segments exist in a guest. Null, or a kernel's selector, is an error; others are ignored.
        if ((value & 3) != 3) return err::io;
        return {};
    case index_of(offsetof(Registers, ds)):
    case index_of(offsetof(Registers, es)):
    case index_of(offsetof(Registers, fs)):
    case index_of(offsetof(Registers, gs)):
        if (value != 0 && (value & 3) != 3) return err::io;
        return {};
    default:
        break;
    }
    word_of(regs, index) = value;
    return {};
}

Result<std::span<u8>> fp_image_of(Task& task, Tracee& tracee)
{
    if (!tracee.task || !tracee.is_stopped()) return err::srch;
    auto image = tracee.task->guest().fp_state(*task.vcpu);
    if (image.empty()) return err::srch;
    return image;
}

/// The image without the signal frame's trailer.
Result<std::vector<u8>> xsave_image(Task& task, Tracee& tracee)
{
    auto image = TRY(fp_image_of(task, tracee));
    return std::vector<u8>(image.begin(), image.end() - kFpMagic2Size);
}

/// PTRACE_SETREGSET of NT_X86_XSTATE. The software bytes stay ours. EINVAL for what XRSTOR would refuse.
Result<void> put_xsave_image(Task& task, Tracee& tracee, std::span<u8 const> from)
{
    auto image = TRY(fp_image_of(task, tracee));
    u64 known, wanted;
    u32 mxcsr;
    std::memcpy(&known, image.data() + kSoftwareBytes + 8, sizeof known);
    std::memcpy(&wanted, from.data() + kFeatures, sizeof wanted);
    std::memcpy(&mxcsr, from.data() + kMxcsr, sizeof mxcsr);
    bool clean
        = std::all_of(from.begin() + kHeader + 8, from.begin() + kHeader + 64, [](u8 b) { return !b; });
    if ((wanted & ~known) || !clean || (mxcsr & ~kMxcsrMask)) return err::inval;
    std::copy_n(from.begin(), kSoftwareBytes, image.begin());
    std::copy(from.begin() + kHeader, from.end(), image.begin() + kHeader);
    return {};
}

/// What FXSAVE would store. EINVAL for reserved bits of MXCSR.
Result<void> put_legacy_image(Task& task, Tracee& tracee, std::span<u8 const> from)
{
    auto image = TRY(fp_image_of(task, tracee));
    u32 mxcsr;
    std::memcpy(&mxcsr, from.data() + kMxcsr, sizeof mxcsr);
    if (mxcsr & ~kMxcsrMask) return err::inval;
    std::copy_n(from.begin(), kSoftwareBytes, image.begin());
    u64 features;
    std::memcpy(&features, image.data() + kFeatures, sizeof features);
    features |= kLegacyFeatures;
    std::memcpy(image.data() + kFeatures, &features, sizeof features);
    return {};
}

/// Moves a word at any alignment, over a page's end too.
Result<void> move_word(mm::AddressSpace& space, u64 address, u64& word, Protection access)
{
    auto* bytes = reinterpret_cast<u8*>(&word); // its bytes
    for (u64 done = 0; done < sizeof word;) {
        auto view = space.kernel_view(GuestAddr(address + done), access, true);
        if (view.is_error()) return err::io;
        u64 count = std::min<u64>(sizeof word - done, view.value().size());
        if (access == Protection::write)
            std::memcpy(view.value().data(), bytes + done, count);
        else
            std::memcpy(bytes + done, view.value().data(), count);
        done += count;
    }
    return {};
}

} // namespace

SyscallResult peek(Task& task, Tracee& tracee, u64 address, GuestAddr out)
{
    if (!tracee.task->has_mm()) return err::io;
    Ref<mm::AddressSpace> space(tracee.task->mm());
    u64 word = 0;
    TRY(move_word(*space, address, word, Protection::read));
    TRY(UserOut<u64> { out }.copy_out(task, word));
    return 0;
}

SyscallResult poke(Tracee& tracee, u64 address, u64 word)
{
    if (!tracee.task->has_mm()) return err::io;
    Ref<mm::AddressSpace> space(tracee.task->mm());
    // Linux writes what it can of a word over a page's end; a debugger cannot tell.
    TRY(move_word(*space, address, word, Protection::write));
    return 0;
}

SyscallResult peek_user(Task& task, Tracee& tracee, u64 offset, GuestAddr out)
{
    if (offset % sizeof(u64) || offset >= abi::user_area_size) return err::io;
    u64 value = 0; // the rest of struct user is of a core file
    if (offset < sizeof(Registers))
        value = word_of(*TRY(registers_of(task, tracee)), index_of(offset));
    else if (offset >= abi::user_debug_registers && tracee.task->watchpoints)
        value = tracee.task->watchpoints->get(index_of(offset - abi::user_debug_registers));
    TRY(UserOut<u64> { out }.copy_out(task, value));
    return 0;
}

SyscallResult poke_user(Task& task, Tracee& tracee, u64 offset, u64 value)
{
    if (offset % sizeof(u64) || offset >= abi::user_area_size) return err::io;
    if (offset < sizeof(Registers)) {
        TRY(put_register(task, *TRY(registers_of(task, tracee)), index_of(offset), value));
        return 0;
    }
    u64 const index = index_of(offset - abi::user_debug_registers);
    if (offset < abi::user_debug_registers || index == 4 || index == 5) return err::io;
    if (!tracee.task->has_mm()) return err::srch;
    if (!tracee.task->watchpoints) tracee.task->watchpoints = make_ref<Watchpoints>(tracee.task->mm());
    // Kept alive while the request waits: the thread may be killed meanwhile.
    Ref<Watchpoints> registers(*tracee.task->watchpoints);
    TRY(registers->set(index, value));
    return 0;
}

SyscallResult get_registers(Task& task, Tracee& tracee, GuestAddr out)
{
    Registers const copy = *TRY(registers_of(task, tracee));
    TRY(UserOut<Registers> { out }.copy_out(task, copy));
    return 0;
}

SyscallResult set_registers(Task& task, Tracee& tracee, GuestAddr in)
{
    Registers wanted = TRY(UserIn<Registers> { in }.copy_in(task));
    auto* regs = TRY(registers_of(task, tracee));
    for (u64 i = 0; i < kRegisterWords; ++i)
        TRY(put_register(task, *regs, i, word_of(wanted, i)));
    return 0;
}

SyscallResult get_fp_registers(Task& task, Tracee& tracee, GuestAddr out)
{
    auto image = TRY(xsave_image(task, tracee));
    std::fill(image.begin() + kSoftwareBytes, image.begin() + kFxsaveSize, 0);
    TRY(copy_to_user(task, out, image.data(), kFxsaveSize));
    return 0;
}

SyscallResult set_fp_registers(Task& task, Tracee& tracee, GuestAddr in)
{
    u8 image[kFxsaveSize];
    TRY(copy_from_user(task, image, in, sizeof image));
    TRY(put_legacy_image(task, tracee, image));
    return 0;
}

namespace {

struct RegisterSet {
    u32 type;
    u64 size;
};

Result<RegisterSet> register_set(Task& task, u32 type, abi::Iovec& vector)
{
    u64 size = 0;
    if (type == abi::nt_prstatus)
        size = sizeof(Registers);
    else if (type == abi::nt_prfpreg)
        size = kFxsaveSize;
    else if (type == abi::nt_x86_xstate)
        size = task.kernel().platform().machine().xsave_size - kFpMagic2Size;
    else
        return err::inval;
    if (vector.length % sizeof(u64)) return err::inval;
    vector.length = std::min(vector.length, size);
    return RegisterSet { type, size };
}

SyscallResult finish(Task& task, GuestAddr where, abi::Iovec const& vector)
{
    TRY(UserOut<u64> { where + offsetof(abi::Iovec, length) }.copy_out(task, vector.length));
    return 0;
}

} // namespace

SyscallResult get_register_set(Task& task, Tracee& tracee, u32 type, GuestAddr where)
{
    auto vector = TRY(UserIn<abi::Iovec> { where }.copy_in(task));
    auto set = TRY(register_set(task, type, vector));
    std::vector<u8> image;
    if (set.type == abi::nt_prstatus) {
        auto* bytes = reinterpret_cast<u8 const*>(TRY(registers_of(task, tracee))); // its bytes
        image.assign(bytes, bytes + sizeof(Registers));
    } else {
        image = TRY(xsave_image(task, tracee));
        // Debuggers learn from this word which parts there are.
        u64 const known = task.kernel().platform().machine().xsave_features;
        std::fill(image.begin() + kSoftwareBytes, image.begin() + kFxsaveSize, 0);
        if (set.type == abi::nt_x86_xstate) std::memcpy(image.data() + kSoftwareBytes, &known, sizeof known);
    }
    TRY(copy_to_user(task, GuestAddr(vector.base), image.data(), vector.length));
    return finish(task, where, vector);
}

SyscallResult set_register_set(Task& task, Tracee& tracee, u32 type, GuestAddr where)
{
    auto vector = TRY(UserIn<abi::Iovec> { where }.copy_in(task));
    auto set = TRY(register_set(task, type, vector));
    std::vector<u8> image(set.size);
    if (set.type == abi::nt_prstatus) {
        TRY(copy_from_user(task, image.data(), GuestAddr(vector.base), vector.length));
        auto* regs = TRY(registers_of(task, tracee));
        for (u64 i = 0; i < vector.length / sizeof(u64); ++i) {
            u64 value;
            std::memcpy(&value, image.data() + i * sizeof value, sizeof value);
            TRY(put_register(task, *regs, i, value));
        }
    } else {
        // These are set as a whole only.
        bool const xstate = set.type == abi::nt_x86_xstate;
        if (vector.length != set.size) return xstate ? Errno::fault : Errno::inval;
        TRY(copy_from_user(task, image.data(), GuestAddr(vector.base), vector.length));
        TRY(xstate ? put_xsave_image(task, tracee, image) : put_legacy_image(task, tracee, image));
    }
    return finish(task, where, vector);
}

SyscallResult arch_prctl(Task& task, Tracee& tracee, i32 code, u64 address)
{
    constexpr i32 kSetGs = 0x1001, kSetFs = 0x1002, kGetFs = 0x1003, kGetGs = 0x1004;
    auto* regs = TRY(registers_of(task, tracee));
    bool const fs = code == kSetFs || code == kGetFs;
    u64& base = fs ? regs->fs_base : regs->gs_base;
    if (code == kSetFs || code == kSetGs) {
        if (address >= task.kernel().platform().machine().task_size) return err::perm;
        base = address;
        return 0;
    }
    if (code != kGetFs && code != kGetGs) return err::inval;
    u64 const value = base;
    TRY(UserOut<u64> { GuestAddr(address) }.copy_out(task, value));
    return 0;
}

} // namespace umbra::ptrace_state
