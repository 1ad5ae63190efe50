// SPDX-License-Identifier: GPL-2.0-or-later
// Which options of a guest's socket are the host's business. What could reach beyond the socket (filters and tables, whose
// values hold pointers or descriptors) or needs a privilege that the guest's user and the host's do not share is not.
#pragma once

#include "core/base/types.h"

namespace umbra::drivers {

enum class OptionPlace : u8 {
    kernel, ///< our own socket layer keeps it: identities, time limits of calls
    host,
    both,
    nowhere, ///< ENOPROTOOPT
};

OptionPlace place_of_option(i32 level, i32 name);

} // namespace umbra::drivers
