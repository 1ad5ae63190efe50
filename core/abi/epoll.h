// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for epoll(7): operations, flag bits beside poll's, the packed event.
#pragma once

#include "core/base/types.h"

namespace umbra::abi {

constexpr i32 epoll_ctl_add = 1, epoll_ctl_del = 2, epoll_ctl_mod = 3;
constexpr u32 epollexclusive = 1u << 28, epollwakeup = 1u << 29, epolloneshot = 1u << 30, epollet = 1u << 31;

struct __attribute__((packed)) EpollEvent {
    u32 events;
    u64 data;
};
static_assert(sizeof(EpollEvent) == 12);

} // namespace umbra::abi
