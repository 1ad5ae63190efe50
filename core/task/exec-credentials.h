// SPDX-License-Identifier: GPL-2.0-or-later
// Who a task is after execve(2): set-id bits, file capabilities, root's privileges (capabilities(7), "Transformation of
// capabilities during execve()").
#pragma once

#include "core/task/task.h"
#include "core/vfs/file.h"

namespace umbra {

struct ExecCredentials {
    Ref<Credentials> credentials;
    bool secure; ///< AT_SECURE: more privileges than its caller's
};

/// EPERM for a program that cannot do without capabilities that the bounding set has no more. May wait.
Result<ExecCredentials> credentials_after_exec(Task& task, vfs::File& program);

} // namespace umbra
