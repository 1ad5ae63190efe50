// SPDX-License-Identifier: GPL-2.0-or-later
// Names of flags and numbers of system calls, as strace(1) shows them.
#pragma once

#include <span>
#include <string>

#include "core/base/types.h"

namespace umbra::trace {

struct ValueName {
    u64 value;
    char const* name;
};
using ValueNames = std::span<ValueName const>;

/// "A|B|0x40": names of the bits, what has none in hexadecimal; `zero` for no bit at all.
void append_flags(std::string& out, u64 value, ValueNames names, char const* zero = "0");
/// The name of a number, or the number.
void append_name(std::string& out, i64 value, ValueNames names);

void append_signal(std::string& out, i64 signal); ///< "SIGINT", "SIGRT_3"
void append_signal_set(std::string& out, u64 set); ///< "[INT CHLD]", "~[KILL STOP]" where that is shorter
void append_open_flags(std::string& out, u64 flags);
void append_file_mode(std::string& out, u64 mode); ///< octal
void append_stat_mode(std::string& out, u64 mode); ///< "S_IFREG|0644"
void append_errno(std::string& out, i32 error); ///< "ENOENT (No such file or directory)"
void append_device(std::string& out, u64 device); ///< "makedev(0x1, 0x3)"

extern ValueNames const kAccessModes, kAtFlags, kSeekOrigins, kProtections, kMapFlags, kRemapFlags, kAdvices,
    kSyncFlags;
extern ValueNames const kCloneFlags, kWaitFlags, kMaskChanges, kActionFlags, kClocks, kTimers, kResources,
    kIoctls;
extern ValueNames const kFcntls, kFdFlags, kFutexCommands, kEpollOperations, kPollEvents, kEpollEvents,
    kRandomFlags;
extern ValueNames const kPrctls, kArchPrctls, kPtraceRequests, kSeccompOperations, kRusageWho, kUnmountFlags,
    kMountFlags, kRenameFlags, kFlockOperations, kIpcFlags;
extern ValueNames const kSignalCodes, kChildCodes, kFaultCodes, kDomains, kSocketTypes, kSocketFlags,
    kIdTypes, kShmCommands, kSemCommands, kMsgCommands;

} // namespace umbra::trace
