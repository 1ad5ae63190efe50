// SPDX-License-Identifier: GPL-2.0-or-later
// The umbra command.
#include <cstdio>

#include "arch-um/boot/compose.h"
#include "arch-um/boot/options.h"
#include "arch-um/boot/panic.h"
#include "arch-um/boot/reports.h"
#include "hostabi/probe.h"

using namespace umbra::boot;
using umbra::hostabi::HostFeatures;

namespace {
/// A report that did not reach its reader is an error, as `umbra doctor >/dev/full` shows.
int print(std::string const& text, int status = 0)
{
    std::fputs(text.c_str(), stdout);
    if (std::fflush(stdout) == 0) return status;
    std::perror("umbra: standard output");
    return kExitUmbraError;
}
} // namespace

int main(int argument_count, char** arguments)
{
    size_t count = argument_count > 1 ? size_t(argument_count - 1) : 0;
    Command command = parse_command_line({ arguments + 1, count }, this_caller());
    switch (command.kind) {
    case Command::Kind::run:
        install_panic_handlers();
        return run_instance(command.run);
    case Command::Kind::doctor:
        return print(command.json ? doctor_report_json(HostFeatures::probe_full())
                                  : doctor_report(HostFeatures::probe_full()));
    case Command::Kind::version:
        return print(version_report());
    case Command::Kind::syscalls:
        return print(syscalls_report());
    case Command::Kind::nothing:
        break;
    }
    std::fputs(command.error.c_str(), stderr);
    return print(command.output, command.exit_status);
}
