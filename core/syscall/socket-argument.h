// SPDX-License-Identifier: GPL-2.0-or-later
// Arguments that the socket calls share: the socket behind a descriptor, addresses in and out, waiting.
#pragma once

#include "core/net/socket.h"
#include "core/syscall/syscall.h"

namespace umbra {

/// A file that is known to be a socket.
struct SocketArgument {
    Ref<vfs::File> file;
    net::Socket& socket;
    net::Socket* operator->() const { return &socket; }
    net::Socket& operator*() const { return socket; }
};

/// EBADF, ENOTSOCK.
Result<SocketArgument> socket_argument(Task& task, GuestFd fd);
/// A sockaddr of the guest's. EINVAL for more than 128 bytes.
Result<net::SocketAddress> import_address(Task& task, GuestAddr address, i32 length);
/// Writes as much of an address as fits in the `*length` bytes there, and its real length. EINVAL.
Result<void> export_address(
    Task& task, net::SocketAddress const& value, GuestAddr address, UserInOut<i32> length);

} // namespace umbra
