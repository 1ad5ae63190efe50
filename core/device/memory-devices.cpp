// SPDX-License-Identifier: GPL-2.0-or-later
// The devices of major 1 that need no hardware: null(4), zero(4), full(4), random(4), urandom(4).
#include <algorithm>

#include "core/device/device-table.h"
#include "core/fs/tmpfs/tmpfs.h"
#include "core/kernel.h"
#include "core/mm/memory-object.h"
#include "core/vfs/file.h"

namespace umbra::device {

namespace {

constexpr u32 kMemoryMajor = 1;
constexpr u32 kNull = 3, kZero = 5, kFull = 7, kRandom = 8, kUrandom = 9;

/// Has a position, at which nothing is: lseek(2) to anywhere ends at 0.
class Placeless : public vfs::File {
public:
    using File::File;
    bool is_seekable() const override { return true; }
    bool has_own_position() const override { return true; }
    Result<u64> seek_special(i64, i32) override { return u64 { 0 }; }
};

class NullFile : public Placeless {
public:
    using Placeless::Placeless;
    Result<u64> read(IoBuffer&, u64) override { return u64 { 0 }; }
    /// Takes everything without looking at it: a bad buffer is no error, as on Linux.
    Result<u64> write(IoBuffer& buffer, u64) override { return buffer.remaining(); }
};

class ZeroFile : public NullFile {
public:
    using NullFile::NullFile;
    Result<u64> read(IoBuffer& buffer, u64) override { return buffer.put_zeros(buffer.remaining()); }
    /// Shared: memory of its own, as MAP_ANONYMOUS; private mappings of it are anonymous too, and copy from
    /// this.
    Result<Ref<mm::MemoryObject>> mmap_object(u64 offset, u64 length, bool) override
    {
        auto& kernel = inode().file_system().kernel();
        auto memory = TRY(fs::make_shared_memory_file(kernel, "/dev/zero", offset + length));
        return memory->mmap_object(offset, length, true);
    }
};

class FullFile final : public ZeroFile {
public:
    using ZeroFile::ZeroFile;
    Result<u64> write(IoBuffer&, u64) override { return err::nospc; }
};

class RandomFile final : public Placeless {
public:
    using Placeless::Placeless;
    Result<u64> read(IoBuffer& buffer, u64) override
    {
        auto& platform = inode().file_system().kernel().platform();
        u64 total = 0;
        u8 chunk[256];
        while (buffer.remaining() > 0) {
            u64 count = std::min<u64>(buffer.remaining(), sizeof chunk);
            platform.random_bytes({ chunk, count });
            auto moved = buffer.put(chunk, count);
            if (moved.is_error()) return total > 0 ? Result<u64>(total) : moved;
            total += moved.value();
            if (moved.value() < count) break;
        }
        return total;
    }
    /// Adding entropy: the platform's generator needs none.
    Result<u64> write(IoBuffer& buffer, u64) override { return buffer.remaining(); }
    Result<i64> ioctl(Task& task, u32 command, u64 argument) override
    {
        constexpr u32 get_entropy_count = 0x80045200;
        if (command != get_entropy_count) return err::inval;
        TRY(UserOut<i32> { GuestAddr(argument) }.copy_out(task, 256));
        return 0;
    }
};

template <typename T> Result<Ref<vfs::File>> open_as(vfs::Path const& path, u32 flags)
{
    return Ref<vfs::File>(make_ref<T>(path, flags));
}

} // namespace

void add_memory_devices(DeviceTable& table)
{
    struct Row {
        char const* name;
        u32 minor;
        DeviceOpener open;
    };
    Row const rows[] = {
        { "null", kNull, open_as<NullFile> },
        { "zero", kZero, open_as<ZeroFile> },
        { "full", kFull, open_as<FullFile> },
        { "random", kRandom, open_as<RandomFile> },
        { "urandom", kUrandom, open_as<RandomFile> },
    };
    for (auto const& row : rows)
        table.add({ .major = kMemoryMajor,
            .first_minor = row.minor,
            .name = "mem",
            .open = row.open,
            .nodes = { { .path = row.name, .minor = row.minor, .mode = 0666 } } });
}

} // namespace umbra::device
