// SPDX-License-Identifier: GPL-2.0-or-later
// What tests of namespaces share: a namespace of one's own, for root and for everybody.
#pragma once

#include <sched.h>

#include "abi-test.h"

namespace abi_test {

/// Flags for unshare(2) and its kin. Root needs no user namespace, and keeps his rights without one.
inline int with_rights(int kind) { return kind | (::geteuid() == 0 ? 0 : CLONE_NEWUSER); }

inline bool may_unshare(int kind)
{
    return wait_for(start([=] {
        if (::unshare(with_rights(kind)) != 0) ::_exit(1);
    })) == exited(0);
}

#define NEEDS_NAMESPACES(kind)                                                                               \
    if (!may_unshare(kind)) SKIP_AS_HOST_LACKS("namespaces for everybody: " #kind)

/// Runs the body in a child with a namespace of its own.
template <typename Body> void in_namespace(int kind, Body&& body)
{
    in_child([&] {
        ASSERT_OK(::unshare(with_rights(kind)));
        body();
    });
}

} // namespace abi_test
