// SPDX-License-Identifier: GPL-2.0-or-later
#include "drivers-virtual/root-image/root-image.h"

#include <algorithm>
#include <cstring>

#include "hostabi/memory.h"

extern "C" {
// Labels around the image, where the linker put it; their addresses are all there is to them.
[[gnu::visibility("hidden")]] extern umbra::u8 const umbra_root_image[];
[[gnu::visibility("hidden")]] extern umbra::u8 const umbra_root_image_end[];
}

namespace umbra::drivers {

namespace {

/// Bytes on either side of what is read that the host may have brought into memory as well (its fault-around).
constexpr u64 kBroughtAlong = 64 << 10;

class RootImage final : public fs::TarSource {
public:
    u64 size() const override { return image_.size(); }
    std::span<u8 const> memory() const override { return image_; }
    Result<u64> read(std::span<u8> out, u64 offset) override
    {
        if (offset >= image_.size()) return u64 { 0 };
        auto const piece = image_.subspan(offset, std::min<u64>(out.size(), image_.size() - offset));
        std::memcpy(out.data(), piece.data(), piece.size());
        u64 const first = offset - std::min(offset, kBroughtAlong);
        hostabi::release_file_pages(
            image_.subspan(first, std::min(image_.size(), offset + piece.size() + kBroughtAlong) - first));
        return piece.size();
    }

private:
    std::span<u8 const> const image_ { umbra_root_image, umbra_root_image_end };
};

} // namespace

Ref<fs::TarSource> open_root_image() { return make_ref<RootImage>(); }

} // namespace umbra::drivers
