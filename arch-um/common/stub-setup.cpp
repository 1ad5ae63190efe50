// SPDX-License-Identifier: GPL-2.0-or-later
// See stub-setup.h.
#include "arch-um/common/stub-setup.h"

#include <cstring>

#include "arch-um/x86-64/cpu.h"
#include "arch-um/x86-64/vdso/image.h"
#include "hostabi/process.h"

namespace umbra::um {

namespace {
std::string describe(char const* what, hostabi::HostErrno error)
{
    return std::string(what) + ": " + std::strerror(error.value);
}
} // namespace

std::optional<StubSetup> prepare_stubs(std::string& problem)
{
    if (x86_64::largest_signal_frame() + sizeof(stub::AreaTail) > stub::kAreaSize) {
        problem = "the host's signal frames are larger than a thread's area";
        return {};
    }
    auto areas = AreaFile::create();
    if (areas.is_error()) {
        problem = describe("cannot make the stubs' shared memory", areas.error());
        return {};
    }
    auto child_signal = hostabi::process::take_child_signals();
    if (child_signal.is_error()) {
        problem = describe("cannot watch for the end of stubs", child_signal.error());
        return {};
    }
    return StubSetup { std::move(areas).release_value(), std::move(child_signal).release_value(),
        stub::HostVdso::find() };
}

std::unique_ptr<stub::ZygoteHandle> StubSetup::start_zygote(
    stub::ZygoteOptions const& options, std::string& problem) const
{
    int step = 0;
    auto zygote = stub::ZygoteHandle::start(options, vdso, step);
    if (zygote.ok()) return std::move(zygote).release_value();
    problem
        = describe("cannot start the first stub", zygote.error()) + " (step " + std::to_string(step) + ")";
    return nullptr;
}

std::vector<u8> StubSetup::vdso_image() const { return x86_64::vdso_image(vdso); }

} // namespace umbra::um
