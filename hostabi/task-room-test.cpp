// SPDX-License-Identifier: GPL-2.0-or-later
// What is said to be left is there, and a limit is seen.
#include "hostabi/task-room.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace umbra::hostabi {
namespace {

TEST(TaskRoom, KnowsTheHost)
{
    u64 const room = room_for_tasks();
    EXPECT_GT(room, 0u);
    EXPECT_LT(room, UINT64_MAX); // threads-max is always there
}

TEST(TaskRoom, CountsWhatTheUserHas)
{
    // In a child: limits cannot be raised again, and the limit says nothing to root.
    pid_t const child = fork();
    if (child == 0) {
        uid_t const user = getuid() ? getuid() : 54321; // one that has nothing else
        rlimit const limit { 20000, 20000 };
        if (setrlimit(RLIMIT_NPROC, &limit) != 0 || setresuid(user, user, user) != 0) _exit(1);
        u64 const before = room_for_tasks();
        if (before >= 20000) _exit(2);
        pid_t const other = fork();
        if (other == 0) {
            pause();
            _exit(0);
        }
        u64 const after = room_for_tasks();
        kill(other, SIGKILL);
        waitpid(other, nullptr, 0);
        _exit(getuid() == 54321 && before - after != 1 ? 3 : 0);
    }
    int status;
    waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
}

} // namespace
} // namespace umbra::hostabi
