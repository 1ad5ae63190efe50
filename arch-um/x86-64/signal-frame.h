// SPDX-License-Identifier: GPL-2.0-or-later
// The guest's signal frames on x86-64: what a handler finds on its stack and what rt_sigreturn(2) takes back.
#pragma once

#include <memory>

#include "core/task/lifecycle.h"

namespace umbra::x86 {

std::unique_ptr<SignalFrames> make_signal_frames();

} // namespace umbra::x86
