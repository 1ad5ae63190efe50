// SPDX-License-Identifier: GPL-2.0-or-later
// Archives in memory and in host files.
#include <algorithm>
#include <cstring>

#include "core/fs/tar/tar.h"

namespace umbra::fs {

namespace {

class MemoryTar final : public TarSource {
public:
    explicit MemoryTar(std::span<u8 const> bytes)
        : bytes_(bytes)
    {
    }
    u64 size() const override { return bytes_.size(); }
    std::span<u8 const> memory() const override { return bytes_; }
    Result<u64> read(std::span<u8> out, u64 offset) override
    {
        if (offset >= bytes_.size()) return u64 { 0 };
        u64 count = std::min<u64>(out.size(), bytes_.size() - offset);
        std::memcpy(out.data(), bytes_.data() + offset, count);
        return count;
    }

private:
    std::span<u8 const> bytes_;
};

class HostTar final : public TarSource {
public:
    HostTar(Ref<device::HostFile> file, u64 size)
        : file_(std::move(file))
        , size_(size)
    {
    }
    u64 size() const override { return size_; }
    Result<u64> read(std::span<u8> out, u64 offset) override { return file_->read(out, offset); }

private:
    Ref<device::HostFile> file_;
    u64 size_;
};

} // namespace

Ref<TarSource> make_memory_tar(std::span<u8 const> bytes) { return make_ref<MemoryTar>(bytes); }

Result<Ref<TarSource>> make_host_tar(Ref<device::HostFile> file)
{
    u64 size = TRY(file->status()).attributes.size;
    return Ref<TarSource>(make_ref<HostTar>(std::move(file), size));
}

} // namespace umbra::fs
