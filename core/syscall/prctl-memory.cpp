// SPDX-License-Identifier: GPL-2.0-or-later
// prctl(2): what the kernel knows of where a program's parts are (PR_SET_MM, for checkpoints), names of anonymous
// memory, memory that is either writable or executable.
#include <algorithm>

#include "core/mm/address-space.h"
#include "core/syscall/prctl.h"
#include "core/vfs/access.h"

namespace umbra {

using namespace abi;

namespace {

/// What PR_SET_MM_MAP would set to leave all as it is.
PrctlMmMap current_map(mm::AddressSpace const& m)
{
    return { m.code_start.value, m.code_end.value, m.data_start.value, m.data_end.value, m.break_start(),
        m.break_end(), m.stack_start.value, m.arguments_start.value, m.arguments_end.value,
        m.environment_start.value, m.environment_end.value, 0, 0, ~u32 { 0 } };
}

void apply_map(mm::AddressSpace& m, PrctlMmMap const& map)
{
    m.code_start = GuestAddr(map.start_code), m.code_end = GuestAddr(map.end_code);
    m.data_start = GuestAddr(map.start_data), m.data_end = GuestAddr(map.end_data);
    m.set_break_range(map.start_brk, map.brk);
    m.stack_start = GuestAddr(map.start_stack);
    m.arguments_start = GuestAddr(map.arg_start), m.arguments_end = GuestAddr(map.arg_end);
    m.environment_start = GuestAddr(map.env_start), m.environment_end = GuestAddr(map.env_end);
}

/// EINVAL for a place where no program can be, an end before its start, or more data than RLIMIT_DATA.
Result<void> check_map(Task& task, PrctlMmMap const& map)
{
    auto const& machine = task.kernel().platform().machine();
    for (u64 address : { map.start_code, map.end_code, map.start_data, map.end_data, map.start_brk, map.brk,
             map.start_stack, map.arg_start, map.arg_end, map.env_start, map.env_end })
        if (address < machine.min_address || address >= machine.task_size) return err::inval;
    if (map.start_code >= map.end_code || map.start_data > map.end_data || map.start_brk > map.brk
        || map.arg_start > map.arg_end || map.env_start > map.env_end)
        return err::inval;
    u64 const limit = task.limit(Resource::data);
    u64 const data = (map.brk - map.start_brk) + (map.end_data - map.start_data);
    return limit != kRlimInfinity && data > limit ? Result<void>(err::inval) : Result<void>();
}

/// The vector as the kernel keeps it: whole, ended. EFAULT, EINVAL.
Result<std::vector<u64>> copy_vector(Task& task, GuestAddr from, u64 size)
{
    if (from.is_null() || size > auxv_words * sizeof(u64)) return err::inval;
    std::vector<u64> words(auxv_words);
    TRY(copy_from_user(task, words.data(), from, size));
    words[auxv_words - 2] = words[auxv_words - 1] = 0;
    return words;
}

/// PR_SET_MM_EXE_FILE. EACCES, EBADF, EBUSY while the old program is mapped still.
Result<void> set_executable(Task& task, GuestFd fd)
{
    auto file = TRY(task.files().get(fd));
    auto& inode = file->inode();
    if (!inode.is_regular() || (file->path()->mount->flags() & vfs::kMountNoExec)) return err::acces;
    TRY(vfs::check_permission(task.credentials(), inode, x_ok));
    auto& memory = task.mm();
    auto const& old = memory.executable();
    for (auto const& [start, area] : memory.areas())
        if (old && area->path && &area->path->inode() == &old->inode()) return err::busy;
    if (inode.write_count > 0) return err::acces;
    memory.set_executable(*file->path());
    return {};
}

SyscallResult set_whole_map(Task& task, GuestAddr from, u64 size)
{
    if (size != sizeof(PrctlMmMap)) return err::inval;
    auto const map = TRY(UserIn<PrctlMmMap> { from }.copy_in(task));
    TRY(check_map(task, map));
    std::vector<u64> vector;
    if (map.auxv_size) vector = TRY(copy_vector(task, GuestAddr(map.auxv), map.auxv_size));
    auto const& cred = task.credentials();
    if (map.exe_fd != ~u32 { 0 }) {
        if (!cred.holds(Capability::sys_admin) && !cred.holds(Capability::checkpoint_restore))
            return err::perm;
        TRY(set_executable(task, GuestFd(i32(map.exe_fd))));
    }
    apply_map(task.mm(), map);
    if (map.auxv_size) task.mm().auxv = std::move(vector);
    return 0;
}

u64& field_of(PrctlMmMap& map, PrctlMm which)
{
    switch (which) {
    case PrctlMm::start_code:
        return map.start_code;
    case PrctlMm::end_code:
        return map.end_code;
    case PrctlMm::start_data:
        return map.start_data;
    case PrctlMm::end_data:
        return map.end_data;
    case PrctlMm::start_stack:
        return map.start_stack;
    case PrctlMm::start_brk:
        return map.start_brk;
    case PrctlMm::brk:
        return map.brk;
    case PrctlMm::arg_start:
        return map.arg_start;
    case PrctlMm::arg_end:
        return map.arg_end;
    case PrctlMm::env_start:
        return map.env_start;
    default:
        return map.env_end;
    }
}

SyscallResult set_one_field(Task& task, PrctlMm which, u64 address)
{
    auto const& machine = task.kernel().platform().machine();
    if (address >= machine.task_size || address < machine.min_address) return err::inval;
    if (which < PrctlMm::start_code || which > PrctlMm::env_end) return err::inval;
    auto map = current_map(task.mm());
    field_of(map, which) = address;
    TRY(check_map(task, map));
    // These lie in memory that is there.
    bool const mapped = which == PrctlMm::start_stack || which >= PrctlMm::arg_start;
    if (mapped && !task.mm().find_from(address)) return err::fault;
    apply_map(task.mm(), map);
    return 0;
}

SyscallResult set_memory_map(Task& task, PrctlCall const& call)
{
    auto const which = PrctlMm(call.a);
    bool const sized = which == PrctlMm::auxv || which == PrctlMm::map || which == PrctlMm::map_size;
    if (call.d || (call.c && !sized)) return err::inval;
    if (which == PrctlMm::map_size) {
        TRY(UserOut<u32> { GuestAddr(call.b) }.copy_out(task, sizeof(PrctlMmMap)));
        return 0;
    }
    if (which == PrctlMm::map) return set_whole_map(task, GuestAddr(call.b), call.c);
    if (!task.credentials().has(Capability::sys_resource)) return err::perm;
    if (which == PrctlMm::exe_file) {
        TRY(set_executable(task, GuestFd(i32(call.b))));
        return 0;
    }
    if (which == PrctlMm::auxv) {
        task.mm().auxv = TRY(copy_vector(task, GuestAddr(call.b), call.c));
        return 0;
    }
    return set_one_field(task, which, call.b);
}

SyscallResult get_vector(Task& task, PrctlCall const& call)
{
    if (call.c || call.d) return err::inval;
    std::vector<u64> words = task.mm().auxv;
    words.resize(auxv_words);
    u64 const size = auxv_words * sizeof(u64);
    TRY(copy_to_user(task, GuestAddr(call.a), words.data(), std::min(size, call.b)));
    return i64(size);
}

bool may_be_in_name(char c)
{
    return c >= ' ' && c <= '~' && std::string_view("\\`$[]").find(c) == std::string_view::npos;
}

SyscallResult name_memory(Task& task, PrctlCall const& call)
{
    if (call.a != vma_anonymous_name) return err::inval;
    std::string name;
    if (call.d) name = TRY(copy_string_from_user(task, GuestAddr(call.d), vma_name_max, err::inval));
    if (!std::all_of(name.begin(), name.end(), may_be_in_name)) return err::inval;
    TRY(task.mm().name_range(call.b, call.c, name));
    return 0;
}

SyscallResult set_write_or_execute(Task& task, PrctlCall const& call)
{
    if (call.b || call.c || call.d || (call.a & ~(mdwe_refuse_exec_gain | mdwe_no_inherit)))
        return err::inval;
    if (call.a == mdwe_no_inherit) return err::inval;
    u32& current = task.mm().write_or_execute;
    if (current && current != call.a) return err::perm; // once and for all
    current = u32(call.a);
    return 0;
}

} // namespace

PrctlResult prctl_memory(Task& task, PrctlCall const& call)
{
    switch (call.option) {
    case Prctl::set_mm:
        return set_memory_map(task, call);
    case Prctl::get_auxv:
        return get_vector(task, call);
    case Prctl::set_vma:
        return name_memory(task, call);
    case Prctl::set_mdwe:
        return set_write_or_execute(task, call);
    case Prctl::get_mdwe:
        return call.has_any() ? SyscallResult(err::inval) : SyscallResult(task.mm().write_or_execute);
    default:
        return {};
    }
}

} // namespace umbra
