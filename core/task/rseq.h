// SPDX-License-Identifier: GPL-2.0-or-later
// Restartable sequences (rseq(2)): a thread reads from its area on which CPU it runs, and is sent to an abort handler if
// it was interrupted within a critical section. A task that comes onto a vCPU has rseq_pending set, if it has an area;
// all else happens when it is about to run guest code. Nothing is written for a task that has stayed where it was.
#pragma once

#include "core/platform/registers.h"
#include "core/task/task.h"

namespace umbra::rseq {

/// Brings the area up to date, and leaves a critical section that the task was interrupted in. A bad area is a SIGSEGV.
/// May wait.
void prepare_to_return(Task& task);
/// A handler for `signal` is about to run: the same for what the signal frame will show. May wait.
void prepare_for_handler(Task& task, platform::Registers& regs, int signal);
/// The task is off its vCPU, or leaves its memory: another may have its concurrency id.
void release_id(Task& task);

} // namespace umbra::rseq
