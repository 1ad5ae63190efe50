// SPDX-License-Identifier: GPL-2.0-or-later
// The host's errors. A different type from the guest's Errno, so that one becomes the other only by an
// explicit call: to_guest_errno() where the host's answer is the guest's answer.
#pragma once

#include "core/base/error.h"
#include "core/base/result.h"

namespace umbra::hostabi {

/// A host errno, positive.
struct HostErrno {
    i32 value = 0;
    constexpr explicit operator int() const { return value; }
    constexpr bool operator==(HostErrno const&) const = default;
};

template <typename T> using HostResult = Expected<T, HostErrno>;

/// The guest errno of the same number. Use where the host did on the guest's behalf what the guest asked for.
inline Errno to_guest_errno(HostErrno e) { return static_cast<Errno>(e.value); }

} // namespace umbra::hostabi
