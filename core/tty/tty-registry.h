// SPDX-License-Identifier: GPL-2.0-or-later
// All terminals of a kernel.
#pragma once

namespace umbra::tty {

class TtyRegistry {
public:
    virtual ~TtyRegistry() = default;
};

} // namespace umbra::tty
