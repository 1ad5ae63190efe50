// SPDX-License-Identifier: GPL-2.0-or-later
// Arguments as text. Reads the caller's memory where an argument points there; what cannot be read is shown
// as its address.
// size: one case for each kind of argument; the switches are tables that a split would only scatter
#include <algorithm>
#include <cinttypes>
#include <cstdarg>
#include <cstdio>
#include <optional>

#include "core/abi/epoll.h"
#include "core/abi/iovec.h"
#include "core/abi/poll.h"
#include "core/abi/process.h"
#include "core/abi/system.h"
#include "core/mm/user.h"
#include "core/task/task.h"
#include "core/trace/call-decoder.h"
#include "core/trace/flag-names.h"

namespace umbra::trace {

namespace {
constexpr u64 kStringMax = 32; ///< bytes of a string that are shown, as strace's -s
constexpr u64 kArrayMax = 16; ///< elements of an array
constexpr u64 kPathShown = 4096;

__attribute__((format(printf, 2, 3))) void append(std::string& out, char const* format, ...)
{
    char text[128];
    va_list arguments;
    va_start(arguments, format);
    (void)std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    out += text;
}

void append_address(std::string& out, u64 value)
{
    if (value)
        append(out, "%#" PRIx64, value);
    else
        out += "NULL";
}

void append_quoted(std::string& out, std::string_view text, bool cut)
{
    out += '"';
    for (size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        bool digit_follows = i + 1 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '9';
        switch (c) {
        case '\n':
            out += "\\n";
            break;
        case '\t':
            out += "\\t";
            break;
        case '\r':
            out += "\\r";
            break;
        case '\v':
            out += "\\v";
            break;
        case '\f':
            out += "\\f";
            break;
        case '"':
            out += "\\\"";
            break;
        case '\\':
            out += "\\\\";
            break;
        default:
            if (c >= ' ' && c < 127)
                out += c;
            else
                append(out, digit_follows ? "\\%03o" : "\\%o", unsigned(u8(c)));
        }
    }
    out += cut ? "\"..." : "\"";
}

template <typename T> std::optional<T> peek(Task& task, u64 address)
{
    if (!address) return {};
    auto value = UserIn<T> { GuestAddr(address) }.copy_in(task);
    return value.ok() ? std::optional<T>(value.value()) : std::nullopt;
}

void append_bytes(std::string& out, Task& task, u64 address, u64 length)
{
    char text[kStringMax];
    u64 count = std::min(length, kStringMax);
    if (count && (!address || copy_from_user(task, text, GuestAddr(address), count).is_error()))
        return append_address(out, address);
    append_quoted(out, { text, count }, length > count);
}

void append_string(std::string& out, Task& task, u64 address, u64 limit)
{
    if (!address) return append_address(out, 0);
    std::string text;
    while (text.size() <= limit) {
        char piece[64];
        auto got = copy_from_user_partial(task, piece, GuestAddr(address) + text.size(), sizeof piece);
        if (got.is_error()) return append_address(out, address);
        std::string_view view(piece, got.value());
        auto end = view.find('\0');
        text += view.substr(0, end);
        if (end != view.npos) break;
        if (view.size() < sizeof piece) return append_address(out, address);
    }
    bool cut = text.size() > limit;
    append_quoted(out, std::string_view(text).substr(0, limit), cut);
}

void append_path(std::string& out, Task& task, u64 address) { append_string(out, task, address, kPathShown); }

/// argv: ["ls", "-l"]; an environment as its address and the number of variables.
void append_string_array(std::string& out, Task& task, u64 address, bool count_only)
{
    if (!address) return append_address(out, 0);
    std::string list = "[";
    u64 count = 0;
    constexpr u64 most = 100'000;
    for (; count < most; ++count) {
        auto pointer = peek<u64>(task, address + count * 8);
        if (!pointer) return append_address(out, address);
        if (!*pointer) break;
        if (count_only || count > kArrayMax) continue;
        list += count ? ", " : "";
        if (count == kArrayMax)
            list += "...";
        else
            append_string(list, task, *pointer, kStringMax);
    }
    if (count_only)
        append(out, "%#" PRIx64 " /* %" PRIu64 " vars */", address, count);
    else
        out += list + "]";
}

void append_iovec(std::string& out, Task& task, u64 address, u64 count, u64 bytes)
{
    out += '[';
    for (u64 i = 0; i < std::min(count, kArrayMax); ++i) {
        auto segment = peek<IoBuffer::Segment>(task, address + i * sizeof(IoBuffer::Segment));
        if (!segment) {
            append_address(out, address);
            break;
        }
        out += i ? ", {iov_base=" : "{iov_base=";
        u64 shown = std::min(bytes, segment->length);
        append_bytes(out, task, segment->address, shown);
        bytes -= shown;
        append(out, ", iov_len=%" PRIu64 "}", segment->length);
    }
    out += count > kArrayMax ? ", ...]" : "]";
}

void append_timespec(std::string& out, abi::Timespec const& t)
{
    append(out, "{tv_sec=%" PRId64 ", tv_nsec=%" PRId64 "}", t.sec, t.nsec);
}
void append_timeval(std::string& out, abi::Timeval const& t)
{
    append(out, "{tv_sec=%" PRId64 ", tv_usec=%" PRId64 "}", t.sec, t.usec);
}

void append_struct(std::string& out, abi::Timespec const& t) { append_timespec(out, t); }
void append_struct(std::string& out, abi::Timeval const& t) { append_timeval(out, t); }
void append_struct(std::string& out, abi::Itimerspec const& t)
{
    out += "{it_interval=";
    append_timespec(out, t.interval);
    out += ", it_value=";
    append_timespec(out, t.value);
    out += '}';
}
void append_struct(std::string& out, abi::Itimerval const& t)
{
    out += "{it_interval=";
    append_timeval(out, t.interval);
    out += ", it_value=";
    append_timeval(out, t.value);
    out += '}';
}
void append_limit(std::string& out, u64 limit)
{
    if (limit == kRlimInfinity)
        out += "RLIM64_INFINITY";
    else if (limit > 1024 && limit % 1024 == 0)
        append(out, "%" PRIu64 "*1024", limit / 1024);
    else
        append(out, "%" PRIu64, limit);
}
void append_struct(std::string& out, abi::RlimitPair const& limit)
{
    out += "{rlim_cur=";
    append_limit(out, limit.current);
    out += ", rlim_max=";
    append_limit(out, limit.maximum);
    out += '}';
}
void append_struct(std::string& out, abi::Rusage const& usage)
{
    out += "{ru_utime=";
    append_timeval(out, usage.utime);
    out += ", ru_stime=";
    append_timeval(out, usage.stime);
    out += ", ...}";
}
void append_struct(std::string& out, abi::Stat const& s)
{
    out += "{st_mode=";
    append_stat_mode(out, s.mode);
    if ((s.mode & abi::s_ifmt) == abi::s_ifchr || (s.mode & abi::s_ifmt) == abi::s_ifblk) {
        out += ", st_rdev=";
        append_device(out, s.rdev);
    } else {
        append(out, ", st_size=%" PRId64, s.size);
    }
    out += ", ...}";
}
void append_struct(std::string& out, abi::Utsname const& names)
{
    append(out, "{sysname=\"%.64s\", nodename=\"%.32s\", ...}", names.sysname, names.nodename);
}
void append_struct(std::string& out, abi::KernelSigaction const& action)
{
    out += "{sa_handler=";
    if (action.handler == abi::sig_dfl)
        out += "SIG_DFL";
    else if (action.handler == abi::sig_ign)
        out += "SIG_IGN";
    else
        append_address(out, action.handler);
    out += ", sa_mask=";
    append_signal_set(out, action.mask);
    out += ", sa_flags=";
    append_flags(out, action.flags, kActionFlags);
    if (action.flags & abi::sa_restorer) append(out, ", sa_restorer=%#" PRIx64, action.restorer);
    out += '}';
}
void append_struct(std::string& out, abi::EpollEvent const& event)
{
    out += "{events=";
    append_flags(out, event.events, kEpollEvents);
    append(out, ", data=%#" PRIx64 "}", u64(event.data));
}
void append_struct(std::string& out, abi::CloneArgs const& a)
{
    out += "{flags=";
    append_flags(out, a.flags, kCloneFlags);
    out += ", exit_signal=";
    append_signal(out, i64(a.exit_signal));
    append(out, ", stack=%#" PRIx64 ", stack_size=%#" PRIx64 "}", a.stack, a.stack_size);
}

template <typename T> void append_pointed(std::string& out, Task& task, u64 address)
{
    auto value = peek<T>(task, address);
    if (value)
        append_struct(out, *value);
    else
        append_address(out, address);
}

void append_wait_status(std::string& out, Task& task, u64 address)
{
    auto status = peek<u32>(task, address);
    if (!status) return append_address(out, address);
    u32 s = *status;
    if ((s & 0x7f) == 0) {
        append(out, "[{WIFEXITED(s) && WEXITSTATUS(s) == %u}]", s >> 8 & 0xff);
    } else if ((s & 0xff) == 0x7f) {
        out += s == 0xffff ? "[{WIFCONTINUED(s)" : "[{WIFSTOPPED(s) && WSTOPSIG(s) == ";
        if (s != 0xffff) append_signal(out, s >> 8);
        out += "}]";
    } else {
        out += "[{WIFSIGNALED(s) && WTERMSIG(s) == ";
        append_signal(out, s & 0x7f);
        out += s & 0x80 ? " && WCOREDUMP(s)}]" : "}]";
    }
}

void append_poll_fds(std::string& out, Task& task, u64 address, u64 count, bool after)
{
    out += '[';
    bool first = true;
    for (u64 i = 0; i < std::min(count, kArrayMax); ++i) {
        auto entry = peek<abi::PollFd>(task, address + i * sizeof(abi::PollFd));
        if (!entry) break;
        if (after && !entry->revents) continue;
        append(out, "%s{fd=%d, %s=", first ? "" : ", ", entry->fd, after ? "revents" : "events");
        append_flags(out, u64(u16(after ? entry->revents : entry->events)), kPollEvents);
        out += '}';
        first = false;
    }
    out += count > kArrayMax ? ", ...]" : "]";
}

void append_epoll_events(std::string& out, Task& task, u64 address, u64 count)
{
    out += '[';
    for (u64 i = 0; i < std::min(count, kArrayMax); ++i) {
        out += i ? ", " : "";
        append_pointed<abi::EpollEvent>(out, task, address + i * sizeof(abi::EpollEvent));
    }
    out += count > kArrayMax ? ", ...]" : "]";
}

void append_futex_operation(std::string& out, u64 operation)
{
    constexpr u64 private_flag = 128, realtime_flag = 256;
    append_name(out, i64(operation & ~(private_flag | realtime_flag)), kFutexCommands);
    if (operation & private_flag) out += "_PRIVATE";
    if (operation & realtime_flag) out += "|FUTEX_CLOCK_REALTIME";
}

void append_futex_timeout(std::string& out, Call const& call)
{
    constexpr u64 command_mask = 127;
    u64 command = call.args[1] & command_mask;
    // WAKE, REQUEUE and WAKE_OP have a number or nothing here.
    bool has_timeout = command == 0 || command == 6 || command == 9 || command == 11 || command == 13;
    if (has_timeout)
        append_pointed<abi::Timespec>(out, call.task, call.args[3]);
    else
        append(out, "%" PRIu64, call.args[3]);
}

void append_fcntl_argument(std::string& out, u64 command, u64 argument)
{
    constexpr u64 setfd = 2, setfl = 4;
    if (command == setfd)
        append_flags(out, argument, kFdFlags);
    else if (command == setfl)
        append_open_flags(out, argument);
    else if (command <= 1030 && command >= 5 && command != 8 && command != 10 && command != 1030)
        append_address(out, argument);
    else
        append(out, "%" PRId64, i64(argument));
}

void append_clone_flags(std::string& out, u64 value)
{
    append_flags(out, value & ~u64 { 0xff }, kCloneFlags, "");
    if (!(value & 0xff)) return;
    if (value & ~u64 { 0xff }) out += '|';
    append_signal(out, i64(value & 0xff));
}

void append_fd(std::string& out, u64 value, bool directory)
{
    if (directory && i32(value) == abi::at_fdcwd)
        out += "AT_FDCWD";
    else
        append(out, "%d", i32(value));
}

void append_fd_pair(std::string& out, Task& task, u64 address)
{
    auto first = peek<i32>(task, address), second = peek<i32>(task, address + 4);
    if (first && second)
        append(out, "[%d, %d]", *first, *second);
    else
        append_address(out, address);
}

/// Flags and names that need nothing but the word; false if `kind` is none of those.
bool append_word(std::string& out, Arg kind, u64 value)
{
    switch (kind) {
    case Arg::integer:
        append(out, "%d", i32(value));
        return true;
    case Arg::long_integer:
        append(out, "%" PRId64, i64(value));
        return true;
    case Arg::unsigned_:
        append(out, "%" PRIu64, value);
        return true;
    case Arg::hex:
        append(out, value ? "%#" PRIx64 : "%" PRIu64, value);
        return true;
    case Arg::octal:
        append_file_mode(out, value);
        return true;
    case Arg::address:
        append_address(out, value);
        return true;
    case Arg::fd:
        append_fd(out, value, false);
        return true;
    case Arg::dirfd:
        append_fd(out, value, true);
        return true;
    case Arg::open_flags:
        append_open_flags(out, u32(value));
        return true;
    case Arg::file_mode:
        append_file_mode(out, value);
        return true;
    case Arg::node_mode:
        append_stat_mode(out, value);
        return true;
    case Arg::access_mode:
        append_flags(out, u32(value), kAccessModes, "F_OK");
        return true;
    case Arg::at_flags:
        append_flags(out, u32(value), kAtFlags);
        return true;
    case Arg::seek:
        append_name(out, i32(value), kSeekOrigins);
        return true;
    case Arg::prot:
        append_flags(out, value, kProtections, "PROT_NONE");
        return true;
    case Arg::map_flags:
        append_flags(out, value, kMapFlags);
        return true;
    case Arg::remap_flags:
        append_flags(out, value, kRemapFlags);
        return true;
    case Arg::advice:
        append_name(out, i32(value), kAdvices);
        return true;
    case Arg::sync_flags:
        append_flags(out, u32(value), kSyncFlags);
        return true;
    case Arg::signal:
        append_signal(out, i32(value));
        return true;
    case Arg::mask_change:
        append_name(out, i32(value), kMaskChanges);
        return true;
    case Arg::clone_flags:
        append_clone_flags(out, value);
        return true;
    case Arg::wait_flags:
        append_flags(out, u32(value), kWaitFlags);
        return true;
    case Arg::clock:
        append_name(out, i32(value), kClocks);
        return true;
    case Arg::timer:
        append_name(out, i32(value), kTimers);
        return true;
    case Arg::resource:
        append_name(out, i32(value), kResources);
        return true;
    case Arg::ioctl:
        append_name(out, i64(u32(value)), kIoctls);
        return true;
    case Arg::ioctl_argument:
        append_address(out, value);
        return true;
    case Arg::fcntl:
        append_name(out, i32(value), kFcntls);
        return true;
    case Arg::futex_operation:
        append_futex_operation(out, u32(value));
        return true;
    case Arg::epoll_operation:
        append_name(out, i32(value), kEpollOperations);
        return true;
    case Arg::random_flags:
        append_flags(out, u32(value), kRandomFlags);
        return true;
    case Arg::prctl:
        append_name(out, i32(value), kPrctls);
        return true;
    case Arg::arch_prctl:
        append_name(out, i32(value), kArchPrctls);
        return true;
    case Arg::seccomp_operation:
        append_name(out, i32(value), kSeccompOperations);
        return true;
    case Arg::ptrace_request:
        append_name(out, i32(value), kPtraceRequests);
        return true;
    case Arg::rusage_who:
        append_name(out, i32(value), kRusageWho);
        return true;
    case Arg::mount_flags:
        append_flags(out, value, kMountFlags);
        return true;
    case Arg::unmount_flags:
        append_flags(out, u32(value), kUnmountFlags);
        return true;
    case Arg::rename_flags:
        append_flags(out, u32(value), kRenameFlags);
        return true;
    case Arg::flock_operation:
        append_flags(out, u32(value), kFlockOperations);
        return true;
    case Arg::ipc_flags:
        if (u32 flags = u32(value) & ~0777u) {
            append_flags(out, flags, kIpcFlags);
            out += '|';
        }
        append_file_mode(out, value & 0777);
        return true;
    case Arg::shm_command:
        append_name(out, i32(value), kShmCommands);
        return true;
    case Arg::sem_command:
        append_name(out, i32(value), kSemCommands);
        return true;
    case Arg::msg_command:
        append_name(out, i32(value), kMsgCommands);
        return true;
    case Arg::device:
        append_device(out, value);
        return true;
    case Arg::domain:
        append_name(out, i32(value), kDomains);
        return true;
    case Arg::id_type:
        append_name(out, i32(value), kIdTypes);
        return true;
    case Arg::socket_type:
        append_name(out, i64(value & 0xf), kSocketTypes);
        if (value & ~u64 { 0xf }) out += '|', append_flags(out, u32(value) & ~0xfu, kSocketFlags);
        return true;
    default:
        return false;
    }
}

/// What a pointer that the kernel reads shows.
void append_input(std::string& out, Call const& call, Arg kind, unsigned index)
{
    Task& task = call.task;
    u64 value = call.args[index], next = index < 5 ? call.args[index + 1] : 0;
    switch (kind) {
    case Arg::path:
        append_path(out, task, value);
        break;
    case Arg::string:
        append_string(out, task, value, kStringMax);
        break;
    case Arg::data_in:
        append_bytes(out, task, value, next);
        break;
    case Arg::iovec_in:
        append_iovec(out, task, value, next, ~u64 { 0 });
        break;
    case Arg::strings:
        append_string_array(out, task, value, false);
        break;
    case Arg::environment:
        append_string_array(out, task, value, true);
        break;
    case Arg::signal_set_in:
        if (auto set = peek<u64>(task, value))
            append_signal_set(out, *set);
        else
            append_address(out, value);
        break;
    case Arg::action_in:
        append_pointed<abi::KernelSigaction>(out, task, value);
        break;
    case Arg::timespec_in:
        append_pointed<abi::Timespec>(out, task, value);
        break;
    case Arg::timeval_in:
        append_pointed<abi::Timeval>(out, task, value);
        break;
    case Arg::itimerspec_in:
        append_pointed<abi::Itimerspec>(out, task, value);
        break;
    case Arg::itimerval_in:
        append_pointed<abi::Itimerval>(out, task, value);
        break;
    case Arg::limit_in:
        append_pointed<abi::RlimitPair>(out, task, value);
        break;
    case Arg::clone_arguments:
        append_pointed<abi::CloneArgs>(out, task, value);
        break;
    case Arg::epoll_event:
        append_pointed<abi::EpollEvent>(out, task, value);
        break;
    case Arg::poll_fds:
        append_poll_fds(out, task, value, next, false);
        break;
    case Arg::futex_timeout:
        append_futex_timeout(out, call);
        break;
    case Arg::fcntl_argument:
        append_fcntl_argument(out, call.args[index - 1], value);
        break;
    default:
        append_address(out, value);
    }
}

/// What the call has written behind a pointer.
void append_output(std::string& out, Call const& call, Arg kind, unsigned index, i64 result)
{
    Task& task = call.task;
    u64 value = call.args[index], next = index < 5 ? call.args[index + 1] : 0;
    switch (kind) {
    case Arg::data_out:
        append_bytes(out, task, value, u64(result));
        break;
    case Arg::path_out:
        append_path(out, task, value);
        break;
    case Arg::iovec_out:
        append_iovec(out, task, value, next, u64(result));
        break;
    case Arg::signal_set_out:
        if (auto set = peek<u64>(task, value))
            append_signal_set(out, *set);
        else
            append_address(out, value);
        break;
    case Arg::action_out:
        append_pointed<abi::KernelSigaction>(out, task, value);
        break;
    case Arg::wait_status_out:
        // WNOHANG with nothing to report leaves it alone.
        if (result)
            append_wait_status(out, task, value);
        else
            append_address(out, value);
        break;
    case Arg::rusage_out:
        append_pointed<abi::Rusage>(out, task, value);
        break;
    case Arg::timespec_out:
        append_pointed<abi::Timespec>(out, task, value);
        break;
    case Arg::timeval_out:
        append_pointed<abi::Timeval>(out, task, value);
        break;
    case Arg::itimerspec_out:
        append_pointed<abi::Itimerspec>(out, task, value);
        break;
    case Arg::itimerval_out:
        append_pointed<abi::Itimerval>(out, task, value);
        break;
    case Arg::limit_out:
        append_pointed<abi::RlimitPair>(out, task, value);
        break;
    case Arg::stat_out:
        append_pointed<abi::Stat>(out, task, value);
        break;
    case Arg::utsname_out:
        append_pointed<abi::Utsname>(out, task, value);
        break;
    case Arg::fd_pair_out:
        append_fd_pair(out, task, value);
        break;
    case Arg::epoll_events_out:
        append_epoll_events(out, task, value, u64(result));
        break;
    case Arg::integer_out:
        if (auto number = peek<i32>(task, value))
            append(out, "[%d]", *number);
        else
            append_address(out, value);
        break;
    default:
        append_address(out, value);
    }
}
} // namespace

bool is_known_after(Arg kind)
{
    switch (kind) {
    case Arg::data_out:
    case Arg::path_out:
    case Arg::iovec_out:
    case Arg::signal_set_out:
    case Arg::action_out:
    case Arg::wait_status_out:
    case Arg::rusage_out:
    case Arg::timespec_out:
    case Arg::timeval_out:
    case Arg::itimerspec_out:
    case Arg::itimerval_out:
    case Arg::limit_out:
    case Arg::stat_out:
    case Arg::fd_pair_out:
    case Arg::epoll_events_out:
    case Arg::utsname_out:
    case Arg::integer_out:
        return true;
    default:
        return false;
    }
}

void append_argument(
    std::string& out, Call const& call, CallRow const& row, unsigned index, SyscallResult const* result)
{
    Arg kind = row.arguments[index];
    if (append_word(out, kind, call.args[index])) return;
    if (!is_known_after(kind)) return append_input(out, call, kind, index);
    if (result && result->ok()) return append_output(out, call, kind, index, result->value());
    append_address(out, call.args[index]);
}

} // namespace umbra::trace
