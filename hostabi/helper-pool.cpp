// SPDX-License-Identifier: GPL-2.0-or-later
// The helper threads. A running call is interrupted with a signal that has an empty handler, so that the host
// call under way fails with EINTR. SIGURG: its default is to be ignored, and nothing else in the kernel
// process uses it.
#include "hostabi/helper-pool.h"

#include <cerrno>
#include <csignal>

#include <sys/syscall.h>
#include <unistd.h>

#include "hostabi/host-call.h"
#include "hostabi/wake-flag.h"

namespace umbra::hostabi {

namespace {

constexpr unsigned kMaxThreads = 8;
constexpr std::size_t kStackSize = 256 * 1024;
constexpr int kInterruptSignal = SIGURG;

void install_interrupt_handler()
{
    struct sigaction action { };
    action.sa_handler = [](int) {};
    // No SA_RESTART: the point is that the call ends.
    sigaction(kInterruptSignal, &action, nullptr);
}

} // namespace

struct HelperPool::Job : ListNode {
    enum class State : u8 { queued, running, cancelled };

    HelperCall call;
    Completion* done = nullptr;
    i32 result = 0;
    std::atomic<State> state = State::queued;
    std::atomic<bool> cancel_requested = false;
    std::atomic<i32> tid = 0;
    Job* next_job = nullptr; ///< in inbox_, queue_ or finished_
};

HelperPool::HelperPool(WakeFlag& wake)
    : wake_(wake)
{
    sem_init(&work_, 0, 0);
    if (sched_getaffinity(0, sizeof affinity_, &affinity_) != 0) CPU_ZERO(&affinity_);
}

HelperPool::~HelperPool()
{
    stopping_ = true;
    for (std::size_t i = 0; i < threads_.size(); i++)
        sem_post(&work_);
    // A signal that arrives just before a host call begins is lost, so it is sent until the thread has
    // noticed.
    while (live_threads_ != 0) {
        for (pthread_t thread : threads_)
            pthread_kill(thread, kInterruptSignal);
        usleep(500);
    }
    for (pthread_t thread : threads_)
        pthread_join(thread, nullptr);
    delete_all(inbox_);
    delete_all(queue_);
    delete_all(finished_);
    sem_destroy(&work_);
}

void HelperPool::delete_all(Job* list)
{
    while (list) {
        Job* const next = list->next_job;
        delete list;
        list = next;
    }
}

void HelperPool::post(HelperCall const& call, Completion& done)
{
    in_flight_++;
    if (unfinished_ >= threads_.size() && threads_.size() < kMaxThreads && !start_thread()
        && threads_.empty()) {
        early_.push_back({ &done, -EAGAIN });
        return;
    }
    Job* const job = new Job;
    job->call = call;
    job->done = &done;
    jobs_.push_back(*job);
    unfinished_++;
    push(inbox_, *job);
    sem_post(&work_);
}

bool HelperPool::cancel(Completion& done)
{
    for (Job& job : jobs_) {
        if (job.done != &done) continue;
        Job::State expected = Job::State::queued;
        if (job.state.compare_exchange_strong(expected, Job::State::cancelled)) {
            // The helper that finds it hands it back without a completion.
            job.unlink();
            job.done = nullptr;
            early_.push_back({ &done, -ECANCELED });
            return true;
        }
        job.cancel_requested = true;
        if (i32 const tid = job.tid) host_call(SYS_tgkill, getpid(), tid, kInterruptSignal);
        return true;
    }
    return false;
}

unsigned HelperPool::dispatch()
{
    unsigned count = 0;
    for (Early const& early : std::exchange(early_, {})) {
        in_flight_--;
        count++;
        early.done->complete(early.result);
    }
    Job* job = take_all_in_order(finished_);
    while (job) {
        Job* const next = job->next_job;
        Completion* const done = job->done;
        i32 const result = job->result;
        unfinished_--;
        delete job;
        job = next;
        if (!done) continue;
        in_flight_--;
        count++;
        done->complete(result);
    }
    return count;
}

bool HelperPool::start_thread()
{
    install_interrupt_handler();
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, kStackSize);
    // Helpers take no signal but the interrupting one; a new thread inherits the mask of its creator.
    sigset_t blocked, before;
    sigfillset(&blocked);
    sigdelset(&blocked, kInterruptSignal);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    pthread_t thread;
    live_threads_++;
    bool const started = pthread_create(&thread, &attributes, thread_main, this) == 0;
    if (started)
        threads_.push_back(thread);
    else
        live_threads_--;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_attr_destroy(&attributes);
    return started;
}

void* HelperPool::thread_main(void* pool)
{
    auto& self = *static_cast<HelperPool*>(pool);
    pthread_setname_np(pthread_self(), "umbra-helper");
    if (CPU_COUNT(&self.affinity_) != 0) sched_setaffinity(0, sizeof self.affinity_, &self.affinity_);
    self.run_jobs();
    self.live_threads_--;
    return nullptr;
}

void HelperPool::run_jobs()
{
    for (;;) {
        while (sem_wait(&work_) != 0) { } // EINTR
        if (stopping_) return;
        if (Job* const job = next_job()) run(*job);
    }
}

HelperPool::Job* HelperPool::next_job()
{
    std::lock_guard const lock(mutex_);
    if (!queue_) queue_ = take_all_in_order(inbox_);
    Job* const job = queue_;
    if (job) queue_ = job->next_job;
    return job;
}

void HelperPool::run(Job& job)
{
    job.tid = static_cast<i32>(host_call(SYS_gettid));
    Job::State expected = Job::State::queued;
    if (job.state.compare_exchange_strong(expected, Job::State::running)) {
        HelperCall const& c = job.call;
        i64 result = -EINTR;
        while (result == -EINTR && !job.cancel_requested && !stopping_) {
            result = c.number < 0
                ? c.function(c.argument)
                : host_call(c.number, c.args[0], c.args[1], c.args[2], c.args[3], c.args[4], c.args[5]);
        }
        job.result = result == -EINTR ? -ECANCELED : static_cast<i32>(result);
    }
    push(finished_, job);
    wake_.notify();
}

void HelperPool::push(std::atomic<Job*>& list, Job& job)
{
    job.next_job = list.load(std::memory_order_relaxed);
    // release: whoever takes the list sees the job as it is now.
    while (!list.compare_exchange_weak(
        job.next_job, &job, std::memory_order_release, std::memory_order_relaxed)) { }
}

HelperPool::Job* HelperPool::take_all_in_order(std::atomic<Job*>& list)
{
    Job* newest = list.exchange(nullptr, std::memory_order_acquire);
    Job* ordered = nullptr;
    while (newest) {
        Job* const next = newest->next_job;
        newest->next_job = ordered;
        ordered = newest;
        newest = next;
    }
    return ordered;
}

} // namespace umbra::hostabi
