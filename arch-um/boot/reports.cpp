// SPDX-License-Identifier: GPL-2.0-or-later
// The texts of doctor, version and syscalls.
#include "arch-um/boot/reports.h"

#include <algorithm>
#include <cstdio>

#include "arch-um/boot/backend-choice.h"
#include "core/syscall/names.h"

namespace umbra::boot {

using hostabi::FeatureReport;
using hostabi::FeatureState;

namespace {
void append_padded(std::string& out, std::string_view text, size_t width)
{
    out += text;
    out.append(text.size() < width ? width - text.size() : 1, ' ');
}

char const* state_name(FeatureState state)
{
    switch (state) {
    case FeatureState::present:
        return "present";
    case FeatureState::missing:
        return "missing";
    default:
        return "not probed";
    }
}
} // namespace

std::string version_report()
{
    return "umbra " UMBRA_VERSION " (the guest sees Linux 6.12.0-umbra, x86-64)\n";
}

std::string syscalls_report()
{
    std::string rows;
    unsigned full = 0, partial = 0, refused = 0, missing = 0;
    for (i64 number = 0; number < kSyscallNumberLimit; ++number) {
        SyscallText const* text = syscall_text(number);
        if (!text) continue;
        ++(text->level == "full"           ? full
                : text->level == "partial" ? partial
                : text->level == "refused" ? refused
                                           : missing);
        append_padded(rows, std::to_string(number), 5);
        append_padded(rows, text->name, 26);
        if (text->note.empty()) {
            rows += text->level;
        } else {
            append_padded(rows, text->level, 9);
            rows += text->note;
        }
        rows += '\n';
    }
    return rows + std::to_string(full) + " full, " + std::to_string(partial) + " partial, "
        + std::to_string(refused) + " refused as Linux may refuse them, " + std::to_string(missing)
        + " missing (ENOSYS)\n";
}

std::string doctor_report(hostabi::HostFeatures const& host)
{
    std::string out;
    for (FeatureReport const& report : host.all()) {
        out += report.state == FeatureState::present ? "[ok] "
            : report.state == FeatureState::missing  ? "[--] "
                                                     : "[??] ";
        append_padded(out, report.name, 28);
        out += report.detail.empty() ? state_name(report.state) : report.detail;
        out += '\n';
        if (report.state == FeatureState::missing && !report.cost.empty())
            out += "       without it: " + std::string(report.cost) + "\n";
    }
    out += '\n';
    BackendDecision decision = decide_backend(host, BackendChoice::automatic);
    if (decision.backend == BackendChoice::automatic)
        return out + "backend: none; umbra cannot run here: " + decision.refusal + "\n";
    out += "backend: auto takes " + std::string(backend_name(decision.backend)) + "\n";
    auto faults = decide_fault_path(host, decision.backend, FaultPathChoice::automatic);
    out += "page faults: auto takes " + std::string(fault_path_name(faults.path)) + "\n";
    for (auto other : { BackendChoice::seccomp, BackendChoice::ptrace }) {
        std::string why = why_unusable(host, other);
        if (!why.empty())
            out += "backend: " + std::string(backend_name(other)) + " cannot run: " + why + "\n";
    }
    return out;
}

std::string doctor_report_json(hostabi::HostFeatures const& host)
{
    BackendDecision decision = decide_backend(host, BackendChoice::automatic);
    bool usable = decision.backend != BackendChoice::automatic;
    std::string out = "{\n  \"version\": " + json_string(UMBRA_VERSION) + ",\n  \"backend\": "
        + (usable ? json_string(backend_name(decision.backend)) : "null") + ",\n  \"fault_path\": "
        + (usable ? json_string(
               fault_path_name(decide_fault_path(host, decision.backend, FaultPathChoice::automatic).path))
                  : "null")
        + ",\n  \"backends\": {";
    char const* separator = "\n";
    for (auto backend : { BackendChoice::seccomp, BackendChoice::ptrace }) {
        std::string why = why_unusable(host, backend);
        out += separator + ("    " + json_string(backend_name(backend)))
            + ": { \"usable\": " + (why.empty() ? "true" : "false, \"reason\": " + json_string(why)) + " }";
        separator = ",\n";
    }
    out += "\n  },\n  \"features\": [";
    separator = "\n";
    for (FeatureReport const& report : host.all()) {
        out += separator + ("    { \"name\": " + json_string(report.name)) + ", \"state\": "
            + json_string(state_name(report.state)) + ", \"detail\": " + json_string(report.detail)
            + ", \"cost\": " + json_string(report.cost) + " }";
        separator = ",\n";
    }
    return out + "\n  ]\n}\n";
}

std::string json_string(std::string_view text)
{
    std::string out = "\"";
    for (char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (u8(c) < ' ') {
            char escaped[8];
            std::snprintf(escaped, sizeof escaped, "\\u%04x", unsigned(u8(c)));
            out += escaped;
        } else {
            out += c;
        }
    }
    return out + '"';
}

} // namespace umbra::boot
