// SPDX-License-Identifier: GPL-2.0-or-later
// What the host's answers about its sockets mean to a guest.
#pragma once

#include <cerrno>

#include "hostabi/host-result.h"

namespace umbra::drivers {

inline bool is_not_now(hostabi::HostErrno error) { return error.value == EAGAIN || error.value == EINTR; }

/// Errors of the way and of the peer are the guest's too; those of the host's own means become ENOBUFS.
inline Errno guest_error(hostabi::HostErrno error)
{
    switch (error.value) {
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ETIMEDOUT:
    case EMSGSIZE:
    case EAGAIN:
        return to_guest_errno(error);
    case EADDRNOTAVAIL: // no address to send from: IPv6 is not there
    case EAFNOSUPPORT:
        return err::netunreach;
    case EPERM: // a firewall's
    case EACCES:
        return err::hostunreach;
    default:
        return err::nobufs;
    }
}

} // namespace umbra::drivers
