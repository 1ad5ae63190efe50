// SPDX-License-Identifier: GPL-2.0-or-later
// cpuinfo: the host's text for one CPU, once for each of the guest's.
#include "core/fs/proc/proc-file-system.h"
#include "core/fs/pseudo/text.h"
#include "core/kernel.h"
#include "core/task/scheduler.h"

namespace umbra::fs {

namespace {
/// A line of the host's cpuinfo as it is for CPU `index` of `count` in the guest: one socket, one thread a
/// core.
std::string cpu_line(std::string_view line, unsigned index, unsigned count)
{
    auto colon = line.find(':');
    if (colon == line.npos) return std::string(line);
    std::string_view key = trimmed(line.substr(0, colon));
    auto with = [&](unsigned value) {
        return std::string(line.substr(0, colon + 1)) + " " + std::to_string(value);
    };
    if (key == "processor" || key == "core id" || key == "apicid" || key == "initial apicid")
        return with(index);
    if (key == "siblings" || key == "cpu cores") return with(count);
    if (key == "physical id") return with(0);
    return std::string(line);
}

std::string cpuinfo(Kernel& kernel)
{
    auto const& machine = kernel.platform().machine();
    std::string text = machine.host_cpuinfo;
    if (text.empty())
        text = "processor\t: 0\nvendor_id\t: unknown\nmodel name\t: " + machine.cpuinfo_model + "\n";
    unsigned count = kernel.scheduler().vcpu_count();
    std::string out;
    for (unsigned i = 0; i < count; ++i) {
        std::string_view rest = text;
        while (!rest.empty()) {
            auto end = rest.find('\n');
            std::string_view line = rest.substr(0, end);
            if (!line.empty()) out += cpu_line(line, i, count) + '\n';
            rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
        }
        out += '\n';
    }
    return out;
}
} // namespace

void add_machine_files(StaticDirectory& root, Kernel& kernel)
{
    root.add_text("cpuinfo", [&kernel] { return Result<std::string>(cpuinfo(kernel)); });
}

} // namespace umbra::fs
