// SPDX-License-Identifier: GPL-2.0-or-later
// Looking at the standard descriptors.
#include "drivers-virtual/console/plan.h"

#include <fcntl.h>

#include "hostabi/stream.h"

namespace umbra::drivers {

ConsolePlan plan_console()
{
    ConsolePlan plan;
    u64 terminal = 0; // its device number
    for (int fd = 0; fd < 3; ++fd) {
        auto stream = hostabi::HostStream::duplicate(fd);
        if (stream.is_error() || stream.value().kind() != hostabi::StreamKind::terminal) continue;
        auto const status = stream.value().status();
        if (status.is_error() || (terminal != 0 && status.value().rdev != terminal)) continue;
        terminal = status.value().rdev;
        plan.is_console[size_t(fd)] = true;
        u32 const access = stream.value().flags() & O_ACCMODE;
        if (plan.input < 0 && access != O_WRONLY) plan.input = fd;
        if (plan.output < 0 && access != O_RDONLY) plan.output = fd;
    }
    bool const interactive = plan.is_console[0] && plan.is_console[1];
    if (terminal != 0) plan.use = interactive ? TerminalUse::from_start : TerminalUse::when_wanted;
    return plan;
}

} // namespace umbra::drivers
