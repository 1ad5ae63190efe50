// SPDX-License-Identifier: GPL-2.0-or-later
// The few threads on which a ring runs host calls that block: all of offload(), and the file I/O of the epoll
// engine. Threads start when there is work and end with the pool. The owner (a vCPU thread) never takes a
// lock here: it hands jobs over and takes results back through two lock-free lists (law 2).
#pragma once

#include <atomic>
#include <mutex>
#include <vector>

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#include "core/base/list.h"
#include "core/base/types.h"
#include "hostabi/ring.h"

namespace umbra::hostabi {

class WakeFlag;

/// What a helper runs: a plain host call, or a function.
struct HelperCall {
    long number = -1; ///< of a host system call; -1: call `function`
    long args[6] = {};
    i32 (*function)(void*) = nullptr;
    void* argument = nullptr;
};

class HelperPool {
public:
    /// `wake` is notified whenever a result is there; it outlives the pool. The helpers run on the CPUs that
    /// the constructing thread may use, wherever the owner is pinned later.
    explicit HelperPool(WakeFlag& wake);
    /// Interrupts what still runs and waits for the threads. Runs no completions.
    ~HelperPool();

    /// A call that fails with EINTR without having been cancelled is made again. -EAGAIN if no thread can be
    /// had.
    void post(HelperCall const& call, Completion& done);
    /// False when no job of `done` is here. A running call is interrupted; if it still succeeds, it
    /// succeeded.
    bool cancel(Completion& done);

    bool has_results() const { return finished_.load(std::memory_order_acquire) || !early_.empty(); }
    /// Runs the completions of finished jobs. Returns how many.
    unsigned dispatch();
    unsigned in_flight() const { return in_flight_; }

private:
    struct Job;
    struct Early {
        Completion* done;
        i32 result;
    };

    bool start_thread();
    static void* thread_main(void* pool);
    void run_jobs();
    Job* next_job();
    void run(Job& job);
    static void push(std::atomic<Job*>& list, Job& job);
    static Job* take_all_in_order(std::atomic<Job*>& list);
    static void delete_all(Job* list);

    WakeFlag& wake_;
    cpu_set_t affinity_;

    // The owner's.
    List<Job> jobs_; ///< jobs whose completion is due
    std::vector<Early> early_; ///< completions that need no helper any more
    std::vector<pthread_t> threads_;
    unsigned in_flight_ = 0;
    unsigned unfinished_ = 0; ///< jobs that a helper has or will take

    // Handed over, newest first.
    std::atomic<Job*> inbox_ = nullptr; ///< owner to helpers
    std::atomic<Job*> finished_ = nullptr; ///< helpers to owner
    std::atomic<bool> stopping_ = false;
    std::atomic<unsigned> live_threads_ = 0;
    sem_t work_; ///< one post for each job, and one for each thread at the end

    // The helpers'.
    std::mutex mutex_; ///< guards queue_
    Job* queue_ = nullptr; ///< taken from the inbox, oldest first
};

} // namespace umbra::hostabi
