// SPDX-License-Identifier: GPL-2.0-or-later
// What a process has mapped, and strings of its memory: maps, smaps, cmdline, environ, auxv, mem.
#include <algorithm>

#include "core/fs/proc/pid-directory.h"
#include "core/fs/pseudo/text.h"
#include "core/kernel.h"
#include "core/mm/vma.h"

namespace umbra::fs {

std::string area_name(mm::AddressSpace const& memory, mm::Vma const& area)
{
    auto given = [&](char const* kind) { return "[" + std::string(kind) + ":" + area.anonymous_name + "]"; };
    if (area.path && !area.anonymous_name.empty()) return given("anon_shmem");
    if (area.path) return vfs::path_to_string(*area.path, current().fs().root);
    if (!area.label.empty()) return area.label;
    if (area.start < memory.break_end() && area.end > memory.break_start()) return "[heap]";
    if (area.start <= memory.stack_start.value && area.end >= memory.stack_start.value) return "[stack]";
    return area.anonymous_name.empty() ? std::string() : given("anon");
}

namespace {
using ull = unsigned long long;
using platform::Protection;

constexpr u64 kNameColumn = 73;
constexpr u64 kStringsMax
    = 2 << 20; ///< of cmdline and environ: nobody reads more, and the kernel must hold it

void add_area(std::string& out, mm::AddressSpace const& memory, mm::Vma const& area)
{
    size_t line = out.size();
    u64 device = 0, number = 0, offset = area.object ? area.object_page << kPageShift : 0;
    if (area.path) {
        device = area.path->inode().file_system().device();
        number = area.path->inode().number();
    }
    append_format(out, "%08llx-%08llx %c%c%c%c %08llx %02x:%02x %llu ", ull(area.start), ull(area.end),
        area.prot & 1 ? 'r' : '-', area.prot & 2 ? 'w' : '-', area.prot & 4 ? 'x' : '-',
        area.shared ? 's' : 'p', ull(offset), abi::dev_major(device), abi::dev_minor(device), ull(number));
    std::string name;
    if (area.path && area.anonymous_name.empty())
        append_escaped(name, area_name(memory, area), "\n");
    else
        name = area_name(memory, area);
    if (!name.empty()) {
        u64 used = out.size() - line;
        if (used < kNameColumn) out.append(kNameColumn - used, ' ');
        out += name;
    }
    out += '\n';
}

/// Pages of an area by kind, for smaps.
struct AreaPages {
    u64 size = 0, private_clean = 0, private_dirty = 0, shared_clean = 0, shared_dirty = 0, anonymous = 0,
        locked = 0;
    u64 share = 0; ///< proportional, in bytes
    u64 resident() const { return private_clean + private_dirty + shared_clean + shared_dirty; }
    void add(AreaPages const& o)
    {
        size += o.size, private_clean += o.private_clean, private_dirty += o.private_dirty;
        shared_clean += o.shared_clean, shared_dirty += o.shared_dirty, anonymous += o.anonymous;
        locked += o.locked, share += o.share;
    }
};

AreaPages count_pages(mm::AddressSpace& memory, mm::Vma const& area)
{
    AreaPages pages;
    pages.size = area.pages();
    auto& frames = memory.kernel().memory();
    memory.pages().for_each(area.start >> kPageShift, area.end >> kPageShift, [&](u64 page, mm::Pte& entry) {
        if (!entry.present()) {
            // Shown from the host's page cache, which every instance shares.
            ++pages.shared_clean;
            pages.share += kPageSize;
            return;
        }
        u32 users = std::max(frames.ref_count(entry.frame()), 1u);
        // What was written into a file's own page in memory is not told apart from what was read.
        bool const dirty = area.owns(page, entry.frame());
        ++(users > 1 ? (dirty ? pages.shared_dirty : pages.shared_clean)
                     : (dirty ? pages.private_dirty : pages.private_clean));
        if (dirty) ++pages.anonymous;
        pages.share += kPageSize / users;
    });
    if (area.locked) pages.locked = pages.resident();
    return pages;
}

void add_pages(std::string& out, AreaPages const& p, bool rollup)
{
    auto line = [&](char const* name, u64 kilobytes) {
        append_format(out, "%-16s%8llu kB\n", name, ull(kilobytes));
    };
    constexpr u64 k = kPageSize / 1024;
    if (!rollup) {
        line("Size:", p.size * k);
        line("KernelPageSize:", k);
        line("MMUPageSize:", k);
    }
    line("Rss:", p.resident() * k);
    line("Pss:", p.share / 1024);
    line("Shared_Clean:", p.shared_clean * k);
    line("Shared_Dirty:", p.shared_dirty * k);
    line("Private_Clean:", p.private_clean * k);
    line("Private_Dirty:", p.private_dirty * k);
    line("Referenced:", p.resident() * k);
    line("Anonymous:", p.anonymous * k);
    for (char const* none : { "LazyFree:", "AnonHugePages:", "ShmemPmdMapped:", "FilePmdMapped:",
             "Shared_Hugetlb:", "Private_Hugetlb:", "Swap:", "SwapPss:" })
        line(none, 0);
    line("Locked:", p.locked * k);
}

std::string area_flags(mm::Vma const& area)
{
    std::string out = "VmFlags:";
    auto flag = [&](bool on, char const* name) {
        if (on) out += name;
    };
    flag(area.prot & 1, " rd");
    flag(area.prot & 2, " wr");
    flag(area.prot & 4, " ex");
    flag(area.shared, " sh");
    flag(true, " mr");
    flag(area.may_write, " mw");
    flag(true, " me");
    flag(area.grows_down, " gd");
    flag(area.locked, " lo");
    flag(area.dont_fork, " dc");
    flag(area.dont_dump, " dd");
    flag(area.wipe_on_fork, " wf");
    return out + " \n";
}

/// [from, to) of another process's memory, cut where it is not readable.
Result<std::string> read_memory(mm::AddressSpace& memory, GuestAddr from, GuestAddr to)
{
    std::string out;
    if (to < from) return out;
    u64 wanted = std::min(to - from, kStringsMax);
    while (out.size() < wanted) {
        auto view = memory.kernel_view(from + out.size(), Protection::read);
        if (view.is_error()) break;
        u64 count = std::min<u64>(view.value().size(), wanted - out.size());
        out.append(view.value().begin(), view.value().begin() + std::ptrdiff_t(count));
    }
    return out;
}
} // namespace

Result<std::string> pid_maps(Subject const& subject)
{
    RefPtr<mm::AddressSpace> memory = subject.memory();
    std::string out;
    if (!memory) return out;
    mm::SpaceGuard guard(memory->lock);
    for (auto const& [start, area] : memory->areas())
        add_area(out, *memory, *area);
    return out;
}

Result<std::string> pid_smaps(Subject const& subject)
{
    RefPtr<mm::AddressSpace> memory = subject.memory();
    std::string out;
    if (!memory) return out;
    mm::SpaceGuard guard(memory->lock);
    for (auto const& [start, area] : memory->areas()) {
        add_area(out, *memory, *area);
        add_pages(out, count_pages(*memory, *area), false);
        out += "THPeligible:           0\n" + area_flags(*area);
    }
    return out;
}

Result<std::string> pid_smaps_rollup(Subject const& subject)
{
    RefPtr<mm::AddressSpace> memory = subject.memory();
    std::string out;
    if (!memory) return err::srch;
    mm::SpaceGuard guard(memory->lock);
    if (memory->areas().empty()) return out;
    AreaPages sum;
    for (auto const& [start, area] : memory->areas())
        sum.add(count_pages(*memory, *area));
    append_format(out, "%08llx-%08llx ---p 00000000 00:00 0 ", ull(memory->areas().begin()->first),
        ull(memory->areas().rbegin()->second->end));
    out.append(kNameColumn > out.size() ? kNameColumn - out.size() : 0, ' ');
    out += "[rollup]\n";
    add_pages(out, sum, true);
    return out;
}

Result<std::string> pid_command_line(Subject const& subject)
{
    RefPtr<mm::AddressSpace> memory = subject.memory();
    if (!memory) return std::string();
    std::string out = TRY(read_memory(*memory, memory->arguments_start, memory->arguments_end));
    if (out.empty() || out.back() == '\0') return out;
    // setproctitle: a program that overwrote the final NUL has a title that may run on into the environment.
    if (auto end = out.find('\0'); end != out.npos) return out.substr(0, end + 1);
    std::string rest = TRY(read_memory(*memory, memory->arguments_end, memory->environment_end));
    out += rest.substr(0, rest.find('\0'));
    return out;
}

Result<std::string> pid_environment(Subject const& subject)
{
    RefPtr<mm::AddressSpace> memory = subject.memory();
    if (!memory) return std::string();
    return read_memory(*memory, memory->environment_start, memory->environment_end);
}

Result<std::string> pid_auxv(Subject const& subject)
{
    RefPtr<mm::AddressSpace> memory = subject.memory();
    if (!memory) return std::string();
    auto const& words = memory->auxv;
    return std::string(
        reinterpret_cast<char const*>(words.data()), words.size() * sizeof(u64)); // bytes of the words
}

namespace {
/// /proc/PID/mem: the offset is the address.
class MemoryFile final : public vfs::File {
public:
    MemoryFile(vfs::Path const& path, u32 flags, RefPtr<mm::AddressSpace> memory)
        : File(path, flags)
        , memory_(std::move(memory))
    {
    }
    bool is_seekable() const override { return true; }
    u64 end_offset() override { return 0; }

    Result<u64> read(IoBuffer& buffer, u64 offset) override
    {
        return move(
            buffer, offset, [&](std::span<u8> view) { return buffer.put(view.data(), view.size()); },
            Protection::read);
    }
    /// As ptrace's POKE, a write goes to private pages that the process itself may only read.
    Result<u64> write(IoBuffer& buffer, u64 offset) override
    {
        return move(
            buffer, offset, [&](std::span<u8> view) { return buffer.take(view.data(), view.size()); },
            Protection::write);
    }

private:
    template <typename Copy> Result<u64> move(IoBuffer& buffer, u64 address, Copy copy, Protection access)
    {
        // As Linux: the file was opened on one program's memory; once that is gone, it is at its end.
        if (!memory_ || memory_->users == 0) return u64 { 0 };
        u64 total = 0;
        u8 page[kPageSize];
        while (buffer.remaining()) {
            u64 room = kPageSize - (address + total) % kPageSize;
            u64 count = std::min(buffer.remaining(), room);
            auto moved = access == Protection::read ? read_piece(address + total, { page, count }, copy)
                                                    : write_piece(address + total, { page, count }, copy);
            if (moved.is_error()) return total ? Result<u64>(total) : Result<u64>(moved.error());
            total += moved.value();
            if (moved.value() < count) break;
        }
        return total;
    }
    // By way of a copy: moving to the caller's memory may wait, and a view lasts until the next wait only.
    template <typename Copy> Result<u64> read_piece(u64 address, std::span<u8> piece, Copy copy)
    {
        auto view = memory_->kernel_view(GuestAddr(address), Protection::read, true);
        if (view.is_error()) return err::io;
        std::copy_n(view.value().begin(), std::ptrdiff_t(piece.size()), piece.begin());
        return copy(piece);
    }
    template <typename Copy> Result<u64> write_piece(u64 address, std::span<u8> piece, Copy copy)
    {
        // First: bytes that were taken from the caller count as written.
        if (memory_->kernel_view(GuestAddr(address), Protection::write, true).is_error()) return err::io;
        u64 count = TRY(copy(piece));
        auto view = memory_->kernel_view(GuestAddr(address), Protection::write, true);
        if (view.is_error()) return err::io;
        std::copy_n(piece.begin(), std::ptrdiff_t(count), view.value().begin());
        return count;
    }

    RefPtr<mm::AddressSpace> memory_;
};

class MemoryInode final : public PseudoInode {
public:
    MemoryInode(vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes)
        : PseudoInode(fs, abi::s_ifreg, attributes)
        , reference_(reference)
    {
    }
    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override
    {
        Subject subject = TRY(find_subject(fs_.kernel(), reference_));
        TRY(check_inspection(subject));
        return Ref<vfs::File>(make_ref<MemoryFile>(path, flags, subject.memory()));
    }

private:
    PidReference reference_;
};
} // namespace

/// Empty for what has no memory, as on Linux.
Result<std::string> pid_coredump_filter(Subject const& subject)
{
    RefPtr<mm::AddressSpace> memory = subject.memory();
    return memory ? format_text("%08x\n", memory->dump_filter) : std::string();
}

Result<void> set_pid_coredump_filter(Subject const& subject, std::string_view text)
{
    constexpr u32 known = 0x1ff; // huge pages and DAX, which there are none of, included
    u32 const wanted = u32(TRY(parse_integer(text)));
    RefPtr<mm::AddressSpace> memory = subject.memory();
    if (!memory) return err::srch;
    memory->dump_filter = wanted & known;
    return {};
}

Ref<vfs::Inode> make_memory_file(
    vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes)
{
    return make_ref<MemoryInode>(fs, reference, attributes);
}

} // namespace umbra::fs
