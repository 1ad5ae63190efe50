// SPDX-License-Identifier: GPL-2.0-or-later
// The host's vDSO in the kernel process: where its mappings are (the zygote moves its copies into the stub
// zone) and where its functions are.
#pragma once

#include <string_view>
#include <vector>

#include "arch-um/stub/layout.h"
#include "core/base/types.h"

namespace umbra::stub {

class HostVdso {
public:
    /// Reads /proc/self/maps. A host without a vDSO gives an empty one.
    static HostVdso find();

    std::vector<VdsoPart> const& parts() const { return parts_; }
    u64 base() const { return parts_.empty() ? 0 : parts_.front().start; }
    /// The address that the function has inside a stub, or 0.
    u64 function_in_stub(std::string_view name) const;

private:
    std::vector<VdsoPart> parts_; ///< ascending
    u64 image_ = 0; ///< the ELF image among them
};

} // namespace umbra::stub
