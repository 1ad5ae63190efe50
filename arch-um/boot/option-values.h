// SPDX-License-Identifier: GPL-2.0-or-later
// The values of the command line's options: text in, checked value out. Every function throws UsageError with
// one sentence that says what would be right; `option` is the option's name for that sentence.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "arch-um/boot/options.h"

namespace umbra::boot {

struct UsageError {
    std::string message;
};

/// A number of bytes with K, M, G or T (powers of 1024), within [least, most].
u64 parse_size(std::string_view option, std::string_view text, u64 least, u64 most);
u32 parse_number(std::string_view option, std::string_view text, u32 least, u32 most);
/// UID[:GID]; the group is the user's number unless given.
UserChoice parse_user(std::string_view text);
/// HOST:GUEST[:ro|:rw]; HOST must exist and is made absolute from `directory`.
VolumeChoice parse_volume(std::string_view text, std::string const& directory);
/// [ADDR:]HOSTPORT:GUESTPORT[/tcp|/udp]; an IPv6 address stands in brackets.
PortChoice parse_port(std::string_view text);
/// "user", "none", "host" or "switch:NAME[,latency=TIME][,loss=SHARE][,reorder=SHARE][,rate=RATE][,seed=N]".
NetworkChoice parse_network(std::string_view text);
BackendChoice parse_backend(std::string_view text);
FaultPathChoice parse_fault_path(std::string_view text);
std::string parse_hostname(std::string_view text);
/// "open,read" or "!open,read" or "all".
StraceChoice parse_strace(std::string_view text);
/// Sets K=V in `environment`; a bare K takes the caller's value, if there is one.
void set_environment(std::vector<std::string>& environment, std::string_view setting, Caller const& caller);
/// The value of a key, or an empty string.
std::string environment_value(std::vector<std::string> const& environment, std::string_view key);
/// `path` made absolute from `directory`, "." and ".." left as they are.
std::string absolute_path(std::string_view path, std::string const& directory);

} // namespace umbra::boot
