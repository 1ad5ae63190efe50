// SPDX-License-Identifier: GPL-2.0-or-later
// The ELF image of a core: a header, one note segment, and a segment for each area (elf(5), core(5)).
#include <algorithm>
#include <cstring>
#include <string>

#include "core/abi/core-file.h"
#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/task/core-dump.h"
#include "core/task/pid-namespace.h"
#include "core/task/scheduler.h"
#include "core/task/task.h"
#include "core/vfs/operations.h"

namespace umbra {

using namespace abi;
using platform::Protection;

namespace {

std::span<u8 const> bytes_of(auto const& value)
{
    return { reinterpret_cast<u8 const*>(&value), sizeof value }; // plain records without padding
}

/// Notes one behind the other.
class Notes {
public:
    void add(std::string_view owner, u32 type, std::span<u8 const> description)
    {
        append(bytes_of(ElfNoteHeader { u32(owner.size() + 1), u32(description.size()), type }));
        bytes_.insert(bytes_.end(), owner.begin(), owner.end());
        bytes_.push_back(0);
        align();
        append(description);
        align();
    }
    std::vector<u8> const& bytes() const { return bytes_; }

private:
    void append(std::span<u8 const> what) { bytes_.insert(bytes_.end(), what.begin(), what.end()); }
    void align() { bytes_.resize((bytes_.size() + 3) & ~size_t { 3 }); }
    std::vector<u8> bytes_;
};

CoreStatus::Time to_time(Nanoseconds t)
{
    return { t / kNanosecondsPerSecond, t % kNanosecondsPerSecond / 1000 };
}

CoreStatus status_of(Task& task, CoreThread const& thread, SigInfo const& info)
{
    Process& process = task.process();
    CoreStatus status {};
    // Of every thread: readers take the last one's for the cause.
    status.signal = info.signo;
    status.current_signal = i16(info.signo);
    status.pending = thread.pending;
    status.held = thread.blocked;
    status.pid = thread.tid;
    status.parent = process.parent ? pid_out(task, process.parent->id) : 0;
    status.group = pid_out(task, process.group->id);
    status.session = pid_out(task, process.session().id);
    status.user = to_time(thread.user);
    status.system = to_time(thread.system);
    status.children_user = to_time(process.children_usage.user);
    status.children_system = to_time(process.children_usage.system);
    status.registers = thread.registers;
    status.fp_valid = !thread.fp_state.empty();
    return status;
}

/// The command line, its NULs as spaces. Short if its memory is gone.
std::string arguments_of(Task& task)
{
    auto& space = task.mm();
    std::string text;
    u64 address = space.arguments_start.value;
    while (address < space.arguments_end.value && text.size() < sizeof(CoreProcess::arguments) - 1) {
        auto view = space.kernel_view(GuestAddr(address), Protection::read);
        if (view.is_error()) break;
        u64 const count = std::min<u64>({ view.value().size(), space.arguments_end.value - address,
            sizeof(CoreProcess::arguments) - 1 - text.size() });
        text.append(reinterpret_cast<char const*>(view.value().data()), count); // bytes of text
        address += count;
    }
    std::ranges::replace(text, '\0', ' ');
    return text;
}

CoreProcess process_of(Task& task)
{
    Process& process = task.process();
    CoreProcess info {};
    info.state_letter = 'R';
    info.nice = i8(task.nice);
    Credentials const& who = task.credentials();
    info.uid = who.user_namespace->uid_out(who.uid);
    info.gid = who.user_namespace->gid_out(who.gid);
    info.pid = pid_out(task, process.id);
    info.parent = process.parent ? pid_out(task, process.parent->id) : 0;
    info.group = pid_out(task, process.group->id);
    info.session = pid_out(task, process.session().id);
    task.name().copy(info.name, sizeof info.name - 1);
    arguments_of(task).copy(info.arguments, sizeof info.arguments - 1);
    return info;
}

constexpr u64 kMostFileNote = 4 << 20; ///< as Linux: a longer one is left out

/// NT_FILE: which area shows which file from where. Empty if that is too much.
std::vector<u8> file_note(Task& task)
{
    std::vector<u64> numbers { 0, kPageSize };
    std::string names;
    for (auto const& [start, area] : task.mm().areas()) {
        if (!area->path) continue;
        numbers.insert(numbers.end(), { area->start, area->end, area->object_page });
        names += vfs::path_to_string(*area->path, task.fs().root);
        names += '\0';
        numbers[0]++;
        if (numbers.size() * sizeof(u64) + names.size() > kMostFileNote) return {};
    }
    std::vector<u8> note(numbers.size() * sizeof(u64) + names.size());
    std::memcpy(note.data(), numbers.data(), numbers.size() * sizeof(u64));
    std::memcpy(note.data() + numbers.size() * sizeof(u64), names.data(), names.size());
    return note;
}

void add_fp_notes(Notes& notes, CoreThread const& thread)
{
    constexpr u64 fxsave_size = 512;
    if (thread.fp_state.empty()) return;
    notes.add("CORE", nt_core_fpregset, std::span(thread.fp_state).first(fxsave_size));
    notes.add("LINUX", nt_core_xstate, thread.fp_state);
}

Notes make_notes(Task& task, std::vector<CoreThread> const& threads, SigInfo const& info)
{
    Notes notes;
    for (CoreThread const& thread : threads) {
        notes.add("CORE", nt_core_prstatus, bytes_of(status_of(task, thread, info)));
        if (&thread == &threads.front()) {
            notes.add("CORE", nt_core_prpsinfo, bytes_of(process_of(task)));
            notes.add("CORE", nt_core_siginfo, bytes_of(info));
            auto const& auxv = task.mm().auxv;
            notes.add("CORE", nt_core_auxv,
                { reinterpret_cast<u8 const*>(auxv.data()), auxv.size() * sizeof(u64) }); // its words
            if (auto const files = file_note(task); !files.empty()) notes.add("CORE", nt_core_file, files);
        }
        add_fp_notes(notes, thread);
    }
    return notes;
}

/// What the image says of an area, taken before anything waits: the area itself may go meanwhile.
struct Part {
    u64 start, end;
    u32 prot;
    u64 size; ///< bytes of it that are written
    bool is_head = false; ///< only its first page, and that only if an ELF header stands there
};

/// Whether a private area of a file has pages of its own.
bool has_own_pages(mm::AddressSpace& space, mm::Vma const& area)
{
    bool found = false;
    space.pages().for_each(area.start >> kPageShift, area.end >> kPageShift, [&](u64 page, mm::Pte& entry) {
        found = found || (entry.present() && area.owns(page, entry.frame()));
    });
    return found;
}

bool starts_with_elf_header(mm::AddressSpace& space, u64 start)
{
    auto view = space.kernel_view(GuestAddr(start), Protection::read);
    return view.ok() && view.value().size() >= 4 && !std::memcmp(view.value().data(), "\177ELF", 4);
}

/// vma_dump_size(): what of an area the filter asks for.
Part part_of(mm::AddressSpace& space, mm::Vma const& area)
{
    u64 const whole = area.end - area.start;
    u32 const filter = space.dump_filter;
    auto part = [&](u64 size, bool is_head = false) {
        return Part { area.start, area.end, area.prot, size, is_head };
    };
    if (area.label == "[vdso]") return part(whole);
    if (area.dont_dump) return part(0);
    if (area.shared) {
        bool const named = area.path && area.path->inode().attributes().nlink;
        return part(filter & (named ? dump_mapped_shared : dump_anonymous_shared) ? whole : 0);
    }
    if (!area.object) return part(filter & dump_anonymous_private ? whole : 0);
    if ((filter & dump_anonymous_private) && has_own_pages(space, area)) return part(whole);
    if (filter & dump_mapped_private) return part(whole);
    bool const head = (filter & dump_elf_headers) && area.object_page == 0 && (area.prot & 1);
    return part(head ? kPageSize : 0, head);
}

/// Writes one thing behind the other, up to the limit.
class Output {
public:
    Output(Task& task, vfs::File& file, u64 limit)
        : task_(task)
        , file_(file)
        , limit_(limit)
    {
    }
    /// EFBIG at the limit; EINTR if the dump was abandoned.
    Result<void> write(std::span<u8 const> bytes)
    {
        if (offset_ + bytes.size() > limit_) return err::fbig;
        while (!bytes.empty()) {
            if (task_.process().core_dump->is_abandoned()) return err::intr;
            u64 const count = TRY(write_some(bytes));
            if (!count) return err::io;
            offset_ += count;
            bytes = bytes.subspan(count);
        }
        return {};
    }
    /// A hole; zeroes for a program, which reads what comes. EFBIG if it reaches the limit.
    Result<void> skip_to(u64 offset)
    {
        static constexpr u8 kZeroes[kPageSize] {};
        while (!file_.is_seekable() && offset_ < offset) {
            task_.vcpu->reschedule_if_needed();
            TRY(write(std::span(kZeroes).first(std::min<u64>(kPageSize, offset - offset_))));
        }
        offset_ = offset;
        return offset > limit_ ? Result<void>(err::fbig) : Result<void>();
    }
    /// A hole at the end counts too.
    Result<void> finish()
    {
        if (file_.is_seekable() && offset_ > file_.inode().attributes().size)
            return vfs::truncate_file(task_, file_, std::min(offset_, limit_));
        return {};
    }

private:
    /// What there is room for; waits while there is none.
    Result<u64> write_some(std::span<u8 const> bytes)
    {
        auto buffer = IoBuffer::kernel_source(bytes);
        for (;;) {
            auto written = vfs::write_file(task_, file_, buffer, offset_);
            if (buffer.transferred()) return buffer.transferred();
            if (written.ok() || written.error() != err::again || !file_.wait_queue()) return written;
            TRY(task_.process().core_dump->wait_unless_abandoned(
                *file_.wait_queue(), [&] { return file_.readiness() & (abi::pollout | abi::pollerr); }));
        }
    }

    Task& task_;
    vfs::File& file_;
    u64 limit_;
    u64 offset_ = 0;
};

/// Calls visit(page) for the pages of a part that are worth writing: what was never touched of anonymous memory, and what
/// lies behind a file's end, stays a hole. Visiting may wait.
template <typename Visit> Result<void> for_each_page(mm::AddressSpace& space, Part const& part, Visit visit)
{
    u64 const first = part.start >> kPageShift;
    u64 last = (part.start + part.size) >> kPageShift;
    mm::Vma const* area = space.find(part.start);
    if (area && area->object) {
        u64 const held = page_up(area->object->size()) >> kPageShift;
        last = std::min(last, first + held - std::min(held, area->object_page));
        for (u64 page = first; page < last; ++page)
            TRY(visit(page));
        return {};
    }
    std::vector<u64> pages; // the table may change while one waits
    space.pages().for_each(first, last, [&](u64 page, mm::Pte& entry) {
        if (entry.present()) pages.push_back(page);
    });
    for (u64 page : pages)
        TRY(visit(page));
    return {};
}

/// Writes a part at `offset` of the file.
Result<void> write_part(Task& task, Part const& part, u64 offset, Output& out)
{
    auto& space = task.mm();
    std::vector<u8> copy(kPageSize);
    TRY(for_each_page(space, part, [&](u64 page) -> Result<void> {
        task.vcpu->reschedule_if_needed();
        TRY(out.skip_to(offset + (page << kPageShift) - part.start));
        auto view = space.kernel_view(GuestAddr(page << kPageShift), Protection::read, true);
        if (view.is_error()) return {};
        // Writing may wait, and the view is good until then only.
        std::copy_n(view.value().begin(), kPageSize, copy.begin());
        return out.write(copy);
    }));
    return out.skip_to(offset + part.size);
}

ElfFileHeader file_header(size_t segments)
{
    ElfFileHeader header {};
    constexpr u8 identification[] = { 0x7f, 'E', 'L', 'F', 2 /* 64 bits */, 1 /* little endian */, 1 };
    std::copy(std::begin(identification), std::end(identification), header.identification);
    header.type = et_core;
    header.machine = em_x86_64;
    header.version = 1;
    header.program_headers = sizeof header;
    header.size = sizeof header;
    header.program_header_size = sizeof(ElfProgramHeader);
    header.program_header_count = u16(segments);
    return header;
}

u32 segment_flags(u32 prot) { return (prot & 1 ? 4 : 0) | (prot & 2 ? 2 : 0) | (prot & 4 ? 1 : 0); }

} // namespace

Result<void> write_core_image(
    Task& task, vfs::File& file, std::vector<CoreThread> const& threads, SigInfo const& info, u64 limit)
{
    constexpr size_t most_segments = 0xfffe; // beyond, the count would stand in a section header
    auto& space = task.mm();
    std::vector<Part> parts;
    for (auto const& [start, area] : space.areas())
        parts.push_back(part_of(space, *area));
    if (parts.size() > most_segments) return err::too_big;
    Notes const notes = make_notes(task, threads, info);
    for (Part& part : parts)
        if (part.is_head && !starts_with_elf_header(space, part.start)) part.size = 0;
    u64 offset = sizeof(ElfFileHeader) + (parts.size() + 1) * sizeof(ElfProgramHeader);
    std::vector<ElfProgramHeader> segments {
        { .type = pt_note, .offset = offset, .file_size = notes.bytes().size(), .alignment = 4 }
    };
    offset = (offset + notes.bytes().size() + kPageSize - 1) & ~(kPageSize - 1);
    for (Part const& part : parts) {
        segments.push_back({ .type = pt_load,
            .flags = segment_flags(part.prot),
            .offset = offset,
            .address = part.start,
            .file_size = part.size,
            .memory_size = part.end - part.start,
            .alignment = kPageSize });
        offset += part.size;
    }
    Output out(task, file, limit);
    TRY(out.write(bytes_of(file_header(segments.size()))));
    for (auto const& segment : segments)
        TRY(out.write(bytes_of(segment)));
    TRY(out.write(notes.bytes()));
    // A limit that cuts the memory short leaves a core all the same, as on Linux.
    for (size_t i = 0; i < parts.size(); ++i)
        if (write_part(task, parts[i], segments[i + 1].offset, out).is_error()) return {};
    (void)out.finish().ok();
    return {};
}

} // namespace umbra
