// SPDX-License-Identifier: GPL-2.0-or-later
// The tracer's desk: takes what the host reports of traced threads and carries it to them. All of ptrace
// happens on the thread that made the platform, which is why this backend has one vCPU.
#pragma once

#include <vector>

#include "absl/container/flat_hash_map.h"
#include "core/base/types.h"
#include "hostabi/process.h"

namespace umbra::um {

class Tracee {
public:
    /// A status as wait(2) gives it: the thread stopped, or is gone.
    virtual void take_status(i32 status) = 0;

protected:
    ~Tracee() = default;
};

class Tracer {
public:
    void add(i32 tid, Tracee& tracee);
    void remove(i32 tid) { tracees_.erase(tid); }
    /// Takes all that there is to report. Does not wait.
    void collect();

private:
    absl::flat_hash_map<i32, Tracee*> tracees_;
    std::vector<hostabi::process::WaitStatus> early_; ///< of threads that are not added yet
};

} // namespace umbra::um
