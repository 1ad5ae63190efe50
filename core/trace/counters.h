// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel has done, as plain numbers that are always counted: an addition costs nothing beside a trap. Guarded by
// the kernel lock.
#pragma once

#include "core/base/types.h"

namespace umbra {

/// How pages came to be there, for a guest's fault or for the kernel's own access to guest memory.
struct FaultCounters {
    u64 anonymous = 0; ///< untouched memory was filled
    u64 file = 0; ///< a page of a file, or a private copy of one
    u64 image = 0; ///< all of a program or library was shown
    u64 host_file = 0; ///< a mapping was shown straight from the host's file
    u64 copied = 0; ///< shared with another process, and copied for the write
    u64 regained = 0; ///< written by the only owner that is left
    u64 shown = 0; ///< there already, but not in the guest's sight
    u64 refused = 0; ///< ended in a signal
};

struct Counters {
    FaultCounters faults {};
    u64 pages_filled = 0, pages_copied = 0; ///< of 4 KiB
    u64 bytes_from_guest = 0,
        bytes_to_guest = 0; ///< by copies; what is read straight into guest memory is not here
    u64 stub_maps = 0, stub_unmaps = 0,
        stub_protects = 0; ///< mappings that stubs were told to change, each a host call
    u64 calls_patched = 0; ///< `syscall` instructions that were given a gate
    u64 in_place = 0; ///< ranges changed without the stub (platform::InPlacePaging)
};

} // namespace umbra
