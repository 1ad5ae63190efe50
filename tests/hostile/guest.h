// SPDX-License-Identifier: GPL-2.0-or-later
// What the attacks of the hostile guest share. Each attack is a function; main.cpp has the table. An attack calls
// under_way() once it has begun, which the driver waits for, and ends by itself, in a number of steps and not by time.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include <sys/types.h>

namespace hostile {

/// Prints a line and ends the program as failed.
[[noreturn, gnu::format(printf, 1, 2)]] void fail(char const* format, ...);
/// fail() with errno's text.
[[noreturn]] void fail_errno(char const* what);
void under_way();

/// A page that forked children share with their parent.
void* shared_memory(size_t size);
template <typename T> T& shared() { return *new (shared_memory(sizeof(T))) T {}; }

/// Waits for one child; its wait status.
int wait_for(pid_t child);
/// Runs `body` in a child that may die as it likes; its wait status.
int in_child(std::function<void()> const& body);

/// Runs body(i) for i from 0 to count in a child that the attack may kill or hang: when it has not moved for a while, it is
/// ended, and another one goes on behind the step at which it stood. Returns how many children that took.
unsigned in_children(unsigned count, std::function<void(unsigned)> const& body);

/// Numbers that are the same in each run.
class Random {
public:
    explicit Random(uint64_t seed)
        : state_(seed * 0x9e3779b97f4a7c15 + 1)
    {
    }
    uint64_t next();
    uint64_t below(uint64_t limit) { return next() % limit; }

private:
    uint64_t state_;
};

/// A system call with whatever in the six registers: the result, or a negative errno.
long raw_call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0);

// junk.cpp
void junk_as_root();
void junk_as_user();
// calls.cpp
void forge_calls();
// stub.cpp
void jump_into_the_stub();
void scribble_over_the_stub();
void leave_out_operations();
void reach_for_the_stub();
void host_numbers();
// races.cpp
void flip_paths();
// bombs.cpp
void fork_bomb();
void thread_bomb();
void memory_bomb();
void many_files();
void many_descriptors();
void deep_directories();
void hoard_buffers();
// storms.cpp
void signal_storm();
void timer_storm();

} // namespace hostile
