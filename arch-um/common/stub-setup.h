// SPDX-License-Identifier: GPL-2.0-or-later
// What every backend with stubs has to make before its platform: the shared memory, the watch for ends, the
// zygote.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "arch-um/common/area-file.h"
#include "arch-um/stub/host-vdso.h"
#include "arch-um/stub/zygote-handle.h"

namespace umbra::um {

struct StubSetup {
    std::unique_ptr<AreaFile> areas;
    hostabi::OwnedFd child_signal;
    stub::HostVdso vdso;

    std::unique_ptr<stub::ZygoteHandle> start_zygote(
        stub::ZygoteOptions const& options, std::string& problem) const;
    /// The guest's vDSO, for Platform::vdso_image().
    std::vector<u8> vdso_image() const;
};

/// Nothing on failure; `problem` then says why.
std::optional<StubSetup> prepare_stubs(std::string& problem);

} // namespace umbra::um
