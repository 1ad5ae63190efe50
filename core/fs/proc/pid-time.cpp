// SPDX-License-Identifier: GPL-2.0-or-later
// timens_offsets: the clocks of the time namespace that a process's children will be in, written here until one is
// (time_namespaces(7)).
#include <array>
#include <charconv>

#include "core/abi/process.h"
#include "core/fs/proc/pid-directory.h"
#include "core/fs/pseudo/text.h"
#include "core/kernel.h"
#include "core/task/namespaces.h"
#include "core/task/permissions.h"
#include "core/time/time-namespace.h"

namespace umbra::fs {

namespace {

constexpr size_t kClocks = 2;
constexpr u64 kLongest = kPageSize - 1;
/// What a clock of 64-bit nanoseconds can read; half of it must be left for what is yet to come.
constexpr i64 kSecondsMax = INT64_MAX / kNanosecondsPerSecond;

struct NewOffset {
    i32 clock = 0;
    abi::Timespec value {};
};

struct NewOffsets {
    std::array<NewOffset, kClocks> offsets {};
    size_t count = 0;
    u64 length = 0; ///< of the text that was understood
};

/// A decimal number at the start of `text`, which is taken with the blanks before it. EINVAL.
template <typename Number> Result<Number> take_number(std::string_view& text)
{
    auto const start = text.find_first_not_of(" \t");
    if (start == text.npos) return err::inval;
    text.remove_prefix(start);
    Number value {};
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc()) return err::inval;
    text.remove_prefix(size_t(end - text.data()));
    return value;
}

/// "monotonic -10 500000000": a clock's name or number, seconds, nanoseconds. EINVAL.
Result<NewOffset> parse_line(std::string_view line)
{
    NewOffset offset;
    auto const clock = take_word(line);
    if (clock == "monotonic" || clock == "1")
        offset.clock = abi::clock_monotonic;
    else if (clock == "boottime" || clock == "7")
        offset.clock = abi::clock_boottime;
    else
        return err::inval;
    offset.value.sec = TRY(take_number<i64>(line));
    u64 const nanoseconds = TRY(take_number<u64>(line));
    if (nanoseconds >= u64(kNanosecondsPerSecond)) return err::inval;
    offset.value.nsec = i64(nanoseconds);
    return offset;
}

/// Lines up to the second; what follows is left for another write. EINVAL.
Result<NewOffsets> parse(std::string_view text)
{
    NewOffsets found;
    std::string_view rest = text.substr(0, text.find('\0'));
    do {
        auto const end = rest.find('\n');
        found.offsets[found.count++] = TRY(parse_line(rest.substr(0, end)));
        rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
    } while (!rest.empty() && found.count < kClocks);
    found.length = rest.empty() ? text.size() : u64(rest.data() - text.data());
    return found;
}

/// ERANGE: the clock would read less than nothing, or so much that it could come to its end.
Result<void> check_range(Kernel& kernel, NewOffset const& offset)
{
    auto const source = offset.clock == abi::clock_monotonic ? platform::HostClock::monotonic
                                                             : platform::HostClock::boottime;
    auto const now = Timekeeper::to_timespec(kernel.platform().now(source));
    if (offset.value.sec > kSecondsMax || offset.value.sec < -kSecondsMax) return err::range;
    i64 const carry = (now.nsec + offset.value.nsec) / kNanosecondsPerSecond;
    i64 const seconds = now.sec + offset.value.sec + carry;
    return seconds < 0 || seconds > kSecondsMax / 2 ? err::range : Result<void>();
}

/// EPERM, ERANGE, EACCES: somebody is in the namespace already.
Result<void> set_offsets(Credentials const& opener, Task& task, NewOffsets const& wanted)
{
    TimeNamespace& time = *task.namespaces().time_for_children;
    if (!is_capable(opener, *time.owner(), Capability::sys_time)) return err::perm;
    for (size_t i = 0; i < wanted.count; ++i)
        TRY(check_range(task.kernel(), wanted.offsets[i]));
    if (time.frozen) return err::acces;
    for (size_t i = 0; i < wanted.count; ++i) {
        auto const [clock, value] = wanted.offsets[i];
        auto& offset = clock == abi::clock_monotonic ? time.offsets.monotonic : time.offsets.boottime;
        offset = value.sec * kNanosecondsPerSecond + value.nsec;
    }
    return {};
}

class TimeOffsetsInode final : public TextInode {
public:
    TimeOffsetsInode(vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes)
        : TextInode(fs, attributes)
        , reference_(reference)
    {
    }
    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override;
    Result<std::string> make_text() override
    {
        auto const& offsets = TRY(task())->namespaces().time_for_children->offsets;
        return line("monotonic", offsets.monotonic) + line("boottime", offsets.boottime);
    }
    Result<Ref<Task>> task() { return live_task(TRY(find_subject(fs_.kernel(), reference_))); }

private:
    static std::string line(char const* name, Nanoseconds offset)
    {
        auto const value = Timekeeper::to_timespec(offset);
        return format_text("%-10s %10lld %9lld\n", name, static_cast<long long>(value.sec),
            static_cast<long long>(value.nsec));
    }

    PidReference reference_;
};

/// Who opened it counts, not who writes.
class TimeOffsetsFile final : public TextFile {
public:
    using TextFile::TextFile;
    Result<u64> write(IoBuffer& buffer, u64 offset) override
    {
        if (offset != 0 || buffer.remaining() > kLongest) return err::inval;
        std::string text(buffer.remaining(), '\0');
        text.resize(TRY(buffer.take(text.data(), text.size())));
        auto written = write_text(text);
        buffer.rewind(text.size() - (written.ok() ? written.value() : 0));
        return written;
    }

private:
    Result<u64> write_text(std::string_view text)
    {
        auto const wanted = TRY(parse(text));
        auto task = TRY(static_cast<TimeOffsetsInode&>(inode()).task());
        TRY(set_offsets(*opener_, *task, wanted));
        return wanted.length;
    }

    Ref<Credentials> opener_ = current().credentials_ref();
};

Result<Ref<vfs::File>> TimeOffsetsInode::open(vfs::Path const& path, u32 flags)
{
    TRY(check_open(flags));
    return Ref<vfs::File>(make_ref<TimeOffsetsFile>(path, flags));
}

} // namespace

Ref<vfs::Inode> make_time_offsets(
    vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes)
{
    return make_ref<TimeOffsetsInode>(fs, reference, attributes);
}

} // namespace umbra::fs
