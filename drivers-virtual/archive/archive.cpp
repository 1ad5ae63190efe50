// SPDX-License-Identifier: GPL-2.0-or-later
// Unpacking with libarchive, which sees the compressed stream only: what is in the tar is core/fs/tar's
// business. The library and those that it needs are loaded when there is something to unpack: an instance starts a
// millisecond earlier without.
#include "drivers-virtual/archive/archive.h"

#include <array>
#include <memory>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "drivers-virtual/archive/unpack.h"
#include "drivers-virtual/host-files/host-files.h"
#include "drivers-virtual/host-io.h"
#include "hostabi/library.h"
#include "hostabi/memory.h"

namespace umbra::drivers {

namespace {

using hostabi::OwnedFd;

/// An archive that was unpacked into a memfd, mapped once.
class UnpackedTar final : public fs::TarSource {
public:
    UnpackedTar(hostabi::OwnedMapping mapping, u64 size)
        : mapping_(std::move(mapping))
        , bytes_(fs::make_memory_tar({ mapping_.data(), size }))
    {
    }
    u64 size() const override { return bytes_->size(); }
    std::span<u8 const> memory() const override { return bytes_->memory(); }
    Result<u64> read(std::span<u8> out, u64 offset) override { return bytes_->read(out, offset); }

private:
    hostabi::OwnedMapping mapping_;
    Ref<fs::TarSource> bytes_;
};

/// What is used of libarchive(3), by its own names.
struct Libarchive {
    /// On an error `problem` says what is missing.
    explicit Libarchive(std::string& problem)
    {
        hostabi::Library const library("libarchive.so.13", problem);
        if (!library) return;
        bool all = true;
        auto find = [&](auto& function, char const* name) {
            library.find(function, name);
            all = all && function;
        };
        find(read_new, "archive_read_new");
        find(read_free, "archive_read_free");
        find(error_string, "archive_error_string");
        find(open_fd, "archive_read_open_fd");
        find(next_header, "archive_read_next_header");
        find(data_block, "archive_read_data_block");
        // Those that it decodes itself: for others it runs programs of the host.
        for (auto& [support, name] : supports)
            find(support, name);
        is_there = all;
        if (!all) problem = "libarchive.so.13 lacks something";
    }

    using Support = decltype(&archive_read_support_format_raw);
    decltype(&archive_read_new) read_new = nullptr;
    decltype(&archive_read_free) read_free = nullptr;
    decltype(&archive_error_string) error_string = nullptr;
    decltype(&archive_read_open_fd) open_fd = nullptr;
    decltype(&archive_read_next_header) next_header = nullptr;
    decltype(&archive_read_data_block) data_block = nullptr;
    std::pair<Support, char const*> supports[7] = {
        { nullptr, "archive_read_support_filter_gzip" },
        { nullptr, "archive_read_support_filter_bzip2" },
        { nullptr, "archive_read_support_filter_xz" },
        { nullptr, "archive_read_support_filter_lzma" },
        { nullptr, "archive_read_support_filter_zstd" },
        { nullptr, "archive_read_support_filter_lz4" },
        { nullptr, "archive_read_support_format_raw" },
    };
    bool is_there = false;
};

} // namespace

bool is_compressed(std::span<u8 const> start)
{
    using namespace std::string_view_literals;
    std::string_view text(reinterpret_cast<char const*>(start.data()), start.size());
    for (auto magic : { "\x1f\x8b"sv, "BZh"sv,
             "\xfd"
             "7zXZ\0"sv,
             "\x28\xb5\x2f\xfd"sv, "\x04\x22\x4d\x18"sv, "\x5d\0\0"sv })
        if (text.starts_with(magic)) return true;
    return false;
}

i32 unpack(int from, int to, u64& size, std::string& problem)
{
    Libarchive const library(problem);
    if (!library.is_there) {
        problem = "cannot be unpacked: " + problem + ": install libarchive13, or unpack it";
        return -ENOENT;
    }
    std::unique_ptr<struct archive, decltype(library.read_free)> reader(
        library.read_new(), library.read_free);
    constexpr size_t kReadBlock = 256 << 10;
    struct archive_entry* entry = nullptr;
    for (auto const& [support, name] : library.supports)
        support(reader.get());
    auto failed = [&] {
        char const* text = library.error_string(reader.get());
        problem = std::string("cannot be unpacked: ") + (text ? text : "unknown error");
        return -EINVAL;
    };
    if (library.open_fd(reader.get(), from, kReadBlock) != ARCHIVE_OK) return failed();
    if (library.next_header(reader.get(), &entry) != ARCHIVE_OK) return failed();
    size = 0;
    for (;;) {
        void const* data = nullptr;
        size_t length = 0;
        la_int64_t offset = 0;
        int const result = library.data_block(reader.get(), &data, &length, &offset);
        if (result == ARCHIVE_EOF) return 0;
        if (result < ARCHIVE_OK) return failed();
        auto written = hostabi::write_all(to, { static_cast<u8 const*>(data), length });
        if (written.is_error()) {
            problem = "no memory to unpack it";
            return -written.error().value;
        }
        size += length;
    }
}

namespace {

/// Opens, looks, unpacks if need be: everything that may block, on a helper thread.
struct Opening {
    std::string const& path;
    std::string& problem;
    OwnedFd file {};
    OwnedFd unpacked {};
    u64 size = 0;

    i32 run()
    {
        auto opened = OwnedFd::open(path.c_str(), O_RDONLY | O_NOCTTY);
        if (opened.is_error()) {
            problem = "cannot be opened";
            return -opened.error().value;
        }
        file = opened.release_value();
        std::array<u8, 8> start {};
        auto count = hostabi::read_all(file.get(), start);
        if (count.is_error()) {
            problem = "cannot be read";
            return -count.error().value;
        }
        if (!is_compressed(std::span(start).first(count.value()))) return 0;
        return unpack_from_start();
    }
    i32 unpack_from_start()
    {
        // A descriptor of its own, whose position is the beginning.
        auto again = OwnedFd::open(path.c_str(), O_RDONLY | O_NOCTTY);
        auto memory = OwnedFd::memfd("umbra-archive");
        if (again.is_error() || memory.is_error()) return -EMFILE;
        file = again.release_value();
        unpacked = memory.release_value();
        return unpack(file.get(), unpacked.get(), size, problem);
    }
};

} // namespace

Result<Ref<fs::TarSource>> open_tar(std::string const& path, HostIo& io, std::string& problem)
{
    Opening opening { path, problem };
    i32 result = await_request(io, [&](hostabi::Ring& ring, hostabi::Completion& done) {
        ring.offload([](void* o) { return static_cast<Opening*>(o)->run(); }, &opening, done);
    });
    if (result < 0) return hostabi::to_guest_errno(hostabi::HostErrno { -result });
    if (!opening.unpacked) return fs::make_host_tar(make_host_file(std::move(opening.file), io));
    auto mapping = hostabi::OwnedMapping::shared(opening.unpacked.get(), 0, opening.size, PROT_READ);
    if (mapping.is_error()) {
        problem = opening.size ? "no memory to map it" : "is empty";
        return hostabi::to_guest_errno(mapping.error());
    }
    return Ref<fs::TarSource>(make_ref<UnpackedTar>(mapping.release_value(), opening.size));
}

} // namespace umbra::drivers
