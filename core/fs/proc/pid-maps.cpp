// SPDX-License-Identifier: GPL-2.0-or-later
// /proc/PID/maps as a file: its text, and PROCMAP_QUERY, which asks for one area (ioctl_procmap_query in Linux's
// Documentation/filesystems/proc.rst).
#include <algorithm>
#include <cstring>

#include "core/fs/proc/pid-directory.h"
#include "core/kernel.h"
#include "core/mm/vma.h"

namespace umbra::fs {

namespace {

constexpr u32 kProcmapQuery = 0xc0686611;
constexpr u64 kReadable = 1, kWritable = 2, kExecutable = 4, kShared = 8, kOrNext = 16, kOfFile = 32;
constexpr u64 kProtections = kReadable | kWritable | kExecutable | kShared;
constexpr u64 kPathMax = 4096, kMostBuildId = 20;

/// struct procmap_query.
struct Query {
    u64 size, flags, address;
    u64 start, end, area_flags, page_size, offset, inode;
    u32 device_major, device_minor, name_size, build_id_size;
    u64 name_address, build_id_address;
};
static_assert(sizeof(Query) == 104);
constexpr u64 kLeastSize = 24;

u64 flags_of(mm::Vma const& area) { return (area.prot & 7) | (area.shared ? kShared : 0); }

bool fits(mm::Vma const& area, u64 wanted)
{
    if ((wanted & kOfFile) && !area.path) return false;
    return (flags_of(area) & wanted & kProtections) == (wanted & kProtections);
}

/// The area at the address or, with kOrNext, the first that fits from there on. Null.
mm::Vma const* find_area(mm::AddressSpace const& memory, Query const& query)
{
    for (auto const& [start, area] : memory.areas()) {
        if (area->end <= query.address) continue;
        bool const next = query.flags & kOrNext;
        if (!next && area->start > query.address) return nullptr;
        if (fits(*area, query.flags)) return area.get();
        if (!next) return nullptr;
    }
    return nullptr;
}

/// Reads a mapped file in pieces. May wait.
class FileBytes {
public:
    FileBytes(mm::PhysicalMemory& frames, Ref<mm::MemoryObject> object, u64 end)
        : frames_(frames)
        , object_(std::move(object))
        , end_(end)
    {
    }
    /// ENOENT: there is not so much.
    Result<void> read(u64 offset, std::span<u8> to)
    {
        for (u64 done = 0; done < to.size();) {
            u64 const at = offset + done, within = at & kPageMask;
            u64 const count = std::min<u64>(kPageSize - within, to.size() - done);
            if (at < offset || at + count > end_) return err::noent;
            auto const frame = TRY(object_->page(at >> kPageShift, mm::PageUse::read));
            std::memcpy(to.data() + done, frames_.data(frame) + within, count);
            done += count;
        }
        return {};
    }
    template <typename T> Result<T> get(u64 offset)
    {
        T value;
        TRY(read(offset, { reinterpret_cast<u8*>(&value), sizeof value }));
        return value;
    }

private:
    mm::PhysicalMemory& frames_;
    Ref<mm::MemoryObject> object_;
    u64 end_;
};

constexpr u64 note_padded(u64 size) { return (size + 3) & ~u64 { 3 }; }

/// The note NT_GNU_BUILD_ID of [offset, end), elf(5). ENOENT.
Result<std::string> find_note(FileBytes& file, u64 offset, u64 end)
{
    struct Header {
        u32 name_size, size, type;
    };
    constexpr u32 build_id = 3;
    while (offset + sizeof(Header) <= end) {
        auto const note = TRY(file.get<Header>(offset));
        u64 const name_at = offset + sizeof note, at = name_at + note_padded(note.name_size);
        bool const wanted
            = note.type == build_id && note.name_size == 4 && note.size > 0 && note.size <= kMostBuildId;
        if (wanted && TRY(file.get<u32>(name_at)) == 0x00554e47) { // "GNU"
            std::string id(note.size, '\0');
            TRY(file.read(at, { reinterpret_cast<u8*>(id.data()), id.size() }));
            return id;
        }
        offset = at + note_padded(note.size);
    }
    return err::noent;
}

/// The build id of a mapped ELF file; ENOENT if it has none.
Result<std::string> build_id_of(FileBytes file)
{
    auto const magic = TRY(file.get<u32>(0));
    bool const is_64 = TRY(file.get<u8>(4)) == 2;
    if (magic != 0x464c457f || !is_64) return err::noent;
    u64 const table = TRY(file.get<u64>(32));
    u16 const entry_size = TRY(file.get<u16>(54)), count = TRY(file.get<u16>(56));
    if (entry_size != 56) return err::noent;
    for (u64 i = 0; i < count; ++i) {
        u64 const entry = table + i * entry_size;
        constexpr u32 note = 4;
        if (TRY(file.get<u32>(entry)) != note) continue;
        u64 const offset = TRY(file.get<u64>(entry + 8)), size = TRY(file.get<u64>(entry + 32));
        if (offset + size < offset) return err::noent;
        auto id = find_note(file, offset, offset + size);
        if (id.ok() || id.error() != err::noent) return id;
    }
    return err::noent;
}

/// What is found of an area, beside what stands in the query itself.
struct Found {
    std::string name;
    RefPtr<mm::MemoryObject> object; ///< of a file
    u64 file_size = 0;
};

/// Fills the answers in. ENOENT. Does not wait but for the lock.
Result<Found> answer(mm::AddressSpace& memory, Query& query)
{
    mm::SpaceGuard guard(memory.lock);
    auto const* area = find_area(memory, query);
    if (!area) return err::noent;
    query.start = area->start, query.end = area->end;
    query.area_flags = flags_of(*area), query.page_size = kPageSize;
    query.offset = area->path && area->object ? area->object_page << kPageShift : 0;
    query.inode = 0, query.device_major = query.device_minor = 0;
    Found found { .name = area_name(memory, *area) };
    if (!area->path) return found;
    auto const& inode = area->path->inode();
    query.inode = inode.number();
    query.device_major = abi::dev_major(inode.file_system().device());
    query.device_minor = abi::dev_minor(inode.file_system().device());
    if (inode.is_regular()) found.object = area->object, found.file_size = inode.attributes().size;
    return found;
}

/// The query as it was given: of a length of its own, what is beyond ours zero. E2BIG, EINVAL.
Result<Query> take_query(Task& task, GuestAddr address)
{
    u64 const size = TRY(UserIn<u64> { address }.copy_in(task));
    if (size > kPageSize) return err::too_big;
    if (size < kLeastSize) return err::inval;
    std::vector<u8> bytes(size);
    TRY(copy_from_user(task, bytes.data(), address, size));
    Query query {};
    u64 const known = std::min<u64>(size, sizeof query);
    if (std::any_of(bytes.begin() + std::ptrdiff_t(known), bytes.end(), [](u8 byte) { return byte != 0; }))
        return err::too_big;
    std::memcpy(&query, bytes.data(), known);
    query.size = size;
    if (query.flags & ~(kProtections | kOrNext | kOfFile)) return err::inval;
    if (!query.name_size != !query.name_address || !query.build_id_size != !query.build_id_address)
        return err::inval;
    return query;
}

class MapsFile final : public TextFile {
public:
    MapsFile(vfs::Path const& path, u32 flags, PidReference const& reference)
        : TextFile(path, flags)
        , reference_(reference)
    {
    }
    Result<i64> ioctl(Task& task, u32 command, u64 argument) override
    {
        if (command != kProcmapQuery) return File::ioctl(task, command, argument);
        GuestAddr const address(argument);
        auto query = TRY(take_query(task, address));
        auto const memory = TRY(find_subject(task.kernel(), reference_)).memory();
        if (!memory) return err::srch;
        auto found = TRY(answer(*memory, query));
        TRY(give_name(task, query, found.name));
        TRY(give_build_id(task, query, found));
        TRY(copy_to_user(task, address, &query, std::min<u64>(query.size, sizeof query)));
        return 0;
    }

private:
    static Result<void> give_name(Task& task, Query& query, std::string const& name)
    {
        if (!query.name_size) return {};
        u64 const room = std::min<u64>(query.name_size, kPathMax), size = name.empty() ? 0 : name.size() + 1;
        if (size > room) return err::nametoolong;
        query.name_size = u32(size);
        return size ? copy_to_user(task, GuestAddr(query.name_address), name.c_str(), size) : Result<void>();
    }
    static Result<void> give_build_id(Task& task, Query& query, Found const& found)
    {
        if (!query.build_id_size) return {};
        std::string id;
        if (found.object) {
            auto got = build_id_of(
                { task.kernel().memory(), Ref<mm::MemoryObject>(found.object), found.file_size });
            if (got.ok()) id = got.release_value();
        }
        if (id.size() > query.build_id_size) return err::nametoolong;
        query.build_id_size = u32(id.size());
        return id.empty() ? Result<void>()
                          : copy_to_user(task, GuestAddr(query.build_id_address), id.data(), id.size());
    }

    PidReference reference_;
};

class MapsInode final : public TextInode {
public:
    MapsInode(vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes)
        : TextInode(fs, attributes)
        , reference_(reference)
    {
    }
    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override
    {
        TRY(check_inspection(TRY(find_subject(fs_.kernel(), reference_))));
        return Ref<vfs::File>(make_ref<MapsFile>(path, flags, reference_));
    }
    Result<std::string> make_text() override
    {
        Subject subject = TRY(find_subject(fs_.kernel(), reference_));
        // Between open and read the process may have become somebody else by execve(2).
        TRY(check_inspection(subject));
        return pid_maps(subject);
    }

private:
    PidReference reference_;
};

} // namespace

Ref<vfs::Inode> make_maps_file(
    vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes)
{
    return make_ref<MapsInode>(fs, reference, attributes);
}

} // namespace umbra::fs
