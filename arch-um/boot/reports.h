// SPDX-License-Identifier: GPL-2.0-or-later
// The commands that only print: doctor, version, syscalls. Each returns the text for standard output.
#pragma once

#include <string>

#include "hostabi/probe.h"

namespace umbra::boot {

std::string version_report();
std::string syscalls_report();
/// What the host offers, what lacking it costs, and which backend `auto` takes.
std::string doctor_report(hostabi::HostFeatures const& host);
std::string doctor_report_json(hostabi::HostFeatures const& host);
/// Text as a JSON string with its quotes.
std::string json_string(std::string_view text);

} // namespace umbra::boot
