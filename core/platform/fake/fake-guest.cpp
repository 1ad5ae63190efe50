// SPDX-License-Identifier: GPL-2.0-or-later
// Address spaces and guest threads of the fake platform; see fake-platform.h.
#include <algorithm>
#include <cstring>

#include "core/base/panic.h"
#include "core/platform/fake/fake-platform.h"

namespace umbra::platform::fake {

namespace {
constexpr u32 kMagic1 = 0x46505853, kMagic2 = 0x46505845; // FP_XSTATE_MAGIC1 and 2
constexpr u64 kSoftwareBytes = 464;

bool is_valid(FakePlatform const& platform, GuestAddr start, u64 length)
{
    u64 const end = platform.machine().task_size;
    return ((start.value | length) & kPageMask) == 0 && length != 0 && start.value < end
        && length <= end - start.value;
}

template <typename T> void put(std::vector<u8>& image, u64 offset, T value)
{
    std::memcpy(image.data() + offset, &value, sizeof value);
}
} // namespace

// --- Address space.

FakeAddressSpace::~FakeAddressSpace()
{
    UMBRA_ASSERT(threads_ == 0); // the contract: threads go first
    --platform_.live_address_spaces;
}

Result<void> FakeAddressSpace::begin()
{
    ++batches;
    if (fail_next) return *std::exchange(fail_next, {});
    return {};
}

/// Makes `address` a boundary between mappings.
void FakeAddressSpace::split(u64 address)
{
    auto it = mappings_.upper_bound(address);
    if (it == mappings_.begin()) return;
    Mapping& below = (--it)->second;
    u64 const offset = address - below.start.value;
    if (offset == 0 || offset >= below.length) return;
    Mapping above = below;
    above.start = GuestAddr(address);
    above.length -= offset;
    above.offset += offset;
    below.length = offset;
    mappings_[address] = above;
}

void FakeAddressSpace::cut(GuestAddr start, u64 length)
{
    split(start.value);
    split(start.value + length);
    mappings_.erase(mappings_.lower_bound(start.value), mappings_.lower_bound(start.value + length));
}

Result<void> FakeAddressSpace::map(VcpuContext&, std::span<Mapping const> batch)
{
    TRY(begin());
    for (Mapping const& m : batch) {
        if (!is_valid(platform_, m.start, m.length)) return err::inval;
        if (m.source == kNoHandle) return err::badf;
        cut(m.start, m.length);
        mappings_[m.start.value] = m;
    }
    return {};
}

Result<void> FakeAddressSpace::unmap(VcpuContext&, std::span<Range const> batch)
{
    TRY(begin());
    for (Range const& r : batch) {
        if (!is_valid(platform_, r.start, r.length)) return err::inval;
        cut(r.start, r.length);
    }
    return {};
}

Result<void> FakeAddressSpace::protect(VcpuContext&, std::span<ProtectRange const> batch)
{
    TRY(begin());
    for (ProtectRange const& r : batch) {
        if (!is_valid(platform_, r.start, r.length)) return err::inval;
        split(r.start.value);
        split(r.start.value + r.length);
        u64 const end = r.start.value + r.length;
        for (u64 at = r.start.value; at < end;) {
            auto const it = mappings_.find(at);
            if (it == mappings_.end()) return err::nomem; // as mprotect(2) says of a hole
            it->second.protection = r.protection;
            at += it->second.length;
        }
    }
    return {};
}

Result<std::unique_ptr<GuestThread>> FakeAddressSpace::create_thread(VcpuContext&)
{
    if (platform_.fail_next_thread) return *std::exchange(platform_.fail_next_thread, {});
    return std::unique_ptr<GuestThread>(std::make_unique<FakeGuestThread>(*this, next_thread_++));
}

Mapping const* FakeAddressSpace::find(GuestAddr address) const
{
    auto it = mappings_.upper_bound(address.value);
    if (it == mappings_.begin()) return nullptr;
    Mapping const& m = (--it)->second;
    return address - m.start < m.length ? &m : nullptr;
}

u8* FakeAddressSpace::at(GuestAddr address) const
{
    Mapping const* m = find(address);
    FakeBank* bank = m ? platform_.bank(m->source) : nullptr;
    if (!bank) return nullptr;
    u64 const offset = m->offset + (address - m->start);
    return offset < bank->size() ? bank->data() + offset : nullptr;
}

u64 FakeAddressSpace::mapped_bytes() const
{
    u64 sum = 0;
    for (auto const& [start, m] : mappings_)
        sum += m.length;
    return sum;
}

// --- Guest thread.

FakeGuestThread::FakeGuestThread(FakeAddressSpace& space, i32 id)
    : space_(space)
    , id_(id)
{
    ++space_.threads_;
    state.cs = kUserCodeSegment;
    state.ss = kUserDataSegment;
    state.eflags = 0x202;
    state.orig_rax = kNoSyscall;
    fp_image.resize(space_.platform_.machine().xsave_size);
    FakeVcpu none(space_.platform_.vcpu(0));
    reset_fp_state(none);
}

FakeGuestThread::~FakeGuestThread() { --space_.threads_; }

Trap FakeGuestThread::enter(VcpuContext& ctx)
{
    if (dead) return { .kind = TrapKind::died };
    if (ctx.attention()) return { .kind = TrapKind::interrupted };
    Program const& run = program ? program : space_.platform_.default_program;
    if (!run) {
        dead = true;
        return { .kind = TrapKind::died };
    }
    context = &ctx;
    state.orig_rax = kNoSyscall;
    Trap const trap = run(*this);
    context = nullptr;
    if (trap.kind == TrapKind::died) dead = true;
    return trap;
}

void FakeGuestThread::reset_fp_state(VcpuContext&)
{
    std::fill(fp_image.begin(), fp_image.end(), u8 { 0 });
    put<u16>(fp_image, 0, 0x37f); // x87 control word
    put<u32>(fp_image, 24, 0x1f80); // mxcsr
    put<u32>(fp_image, kSoftwareBytes, kMagic1);
    put<u32>(fp_image, kSoftwareBytes + 4, static_cast<u32>(fp_image.size()));
    put<u64>(fp_image, kSoftwareBytes + 8, 3); // x87 and SSE
    put<u32>(fp_image, kSoftwareBytes + 16, static_cast<u32>(fp_image.size()) - 4);
    put<u32>(fp_image, fp_image.size() - 4, kMagic2);
}

Result<void> FakeGuestThread::copy_state(VcpuContext& ctx, GuestThread& from)
{
    auto const* registers = from.registers(ctx);
    if (!registers || dead) return err::srch;
    state = *registers;
    auto const fp = from.fp_state(ctx);
    fp_image.assign(fp.begin(), fp.end());
    return {};
}

Trap FakeGuestThread::syscall(i64 number, std::initializer_list<u64> args)
{
    Trap trap { .kind = TrapKind::syscall, .number = number };
    std::copy(args.begin(), args.end(), trap.args);
    state.rax = state.orig_rax = static_cast<u64>(number);
    state.rip += kSyscallInstructionLength;
    state.rdi = trap.args[0], state.rsi = trap.args[1], state.rdx = trap.args[2];
    state.r10 = trap.args[3], state.r8 = trap.args[4], state.r9 = trap.args[5];
    trap.instruction = state.rip;
    return trap;
}

std::optional<Trap> FakeGuestThread::touch(GuestAddr address, Protection access) const
{
    Mapping const* m = space_.find(address);
    if (m && has(m->protection, access)) return {};
    constexpr u32 kPresent = 1, kWrite = 2, kUser = 4, kFetch = 16;
    u32 const error = kUser | (m ? kPresent : 0) | (access == Protection::write ? kWrite : 0)
        | (access == Protection::execute ? kFetch : 0);
    return Trap {
        .kind = TrapKind::fault, .address = address, .access = access, .vector = 14, .error_code = error
    };
}

std::optional<Trap> FakeGuestThread::load(GuestAddr from, std::span<u8> to) const
{
    for (u64 i = 0; i < to.size(); ++i) {
        if (auto fault = touch(from + i, Protection::read)) return fault;
        u8 const* byte = space_.at(from + i);
        to[i] = byte ? *byte : 0;
    }
    return {};
}

std::optional<Trap> FakeGuestThread::store(GuestAddr to, std::span<u8 const> from)
{
    for (u64 i = 0; i < from.size(); ++i) {
        if (auto fault = touch(to + i, Protection::write)) return fault;
        if (u8* byte = space_.at(to + i)) *byte = from[i];
    }
    return {};
}

} // namespace umbra::platform::fake
