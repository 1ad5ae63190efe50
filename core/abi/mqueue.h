// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's ABI for POSIX message queues: mq_overview(7), mq_getattr(3).
#pragma once

#include "core/base/types.h"

namespace umbra::abi {

/// struct mq_attr
struct MqAttributes {
    i64 flags; ///< O_NONBLOCK or 0
    i64 max_messages, message_size; ///< how many, and bytes of the largest
    i64 messages; ///< queued now
    i64 reserved[4] {};
};
static_assert(sizeof(MqAttributes) == 64);

constexpr u32 mq_priorities = 32768; ///< MQ_PRIO_MAX

} // namespace umbra::abi
