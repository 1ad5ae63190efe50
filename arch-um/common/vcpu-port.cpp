// SPDX-License-Identifier: GPL-2.0-or-later
// See vcpu-port.h.
#include "arch-um/common/vcpu-port.h"

#include "hostabi/clock.h"
#include "hostabi/process.h"

namespace umbra::um {

/// A move is made by taking the CPU that is left out of the thread's set; the set is as it was again at the next look. In
/// between the stub's thread traps, wakes this one where it now is, and is woken there by the answer.
void UmPort::look_around()
{
    using namespace hostabi;
    Nanoseconds const now = monotonic_now();
    crowded = spread->is_crowded(index_, now);
    if (is_displaced_) {
        is_displaced_ = false;
        (void)process::set_affinity(0, home_); // it was this before
        return;
    }
    if (!spread->should_move(index_, process::current_cpu(), now)) return;
    auto const cpus = process::affinity(0);
    if (cpus.is_error()) return;
    home_ = cpus.value();
    cpu_set_t const others = spread->free_of(home_, index_, now);
    if (CPU_COUNT(&others) > 0) is_displaced_ = process::set_affinity(0, others).ok();
}

} // namespace umbra::um
