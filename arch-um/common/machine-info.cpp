// SPDX-License-Identifier: GPL-2.0-or-later
// See machine-info.h.
#include "arch-um/common/machine-info.h"

#include <algorithm>
#include <charconv>

#include <fcntl.h>
#include <sys/auxv.h>

#include "arch-um/stub/layout.h"
#include "arch-um/x86-64/cpu.h"
#include "arch-um/x86-64/host-frame.h"
#include "hostabi/fd.h"

namespace umbra::um {

namespace {
constexpr u64 kUsualMinAddress = 65536;

std::string read_file(char const* path, u64 limit)
{
    auto fd = hostabi::OwnedFd::open(path, O_RDONLY);
    if (fd.is_error()) return {};
    std::string text(limit, '\0');
    auto count = hostabi::read_all(fd.value().get(), { reinterpret_cast<u8*>(text.data()), limit });
    text.resize(count.value_or(0));
    return text;
}

/// The value of "key<tabs>: value" in /proc/cpuinfo.
std::string cpuinfo_value(std::string const& text, std::string const& key)
{
    auto at = text.find(key + "\t");
    if (at == std::string::npos) return {};
    auto colon = text.find(": ", at);
    auto end = text.find('\n', at);
    if (colon == std::string::npos || colon > end) return {};
    return text.substr(colon + 2, end - colon - 2);
}

u64 min_address()
{
    auto const text = read_file("/proc/sys/vm/mmap_min_addr", 64);
    u64 value = kUsualMinAddress;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return std::max(page_up(value), kPageSize);
}
} // namespace

platform::MachineInfo machine_info(std::string backend)
{
    platform::MachineInfo info {};
    info.task_size = stub::kZone;
    info.hwcap = getauxval(AT_HWCAP);
    info.hwcap2 = getauxval(AT_HWCAP2);
    info.xsave_size = static_cast<u32>(x86_64::fp_image_size(x86_64::xsave_image_size()));
    info.xsave_features = x86_64::xsave_features();
    info.min_address = min_address();
    info.backend = std::move(backend);
    info.host_cpuinfo = read_file("/proc/cpuinfo", 16 << 10);
    if (auto end = info.host_cpuinfo.find("\n\n"); end != std::string::npos)
        info.host_cpuinfo.resize(end + 1);
    info.cpuinfo_model = cpuinfo_value(info.host_cpuinfo, "model name");
    return info;
}

} // namespace umbra::um
