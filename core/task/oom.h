// SPDX-License-Identifier: GPL-2.0-or-later
// Out of memory: gives caches back, then kills a guest process, never the instance.
#pragma once

namespace umbra {
class Task;

/// Tries to make frames free: false if the calling task's own process was chosen to die. May wait.
bool relieve_memory(Task& task);
} // namespace umbra
