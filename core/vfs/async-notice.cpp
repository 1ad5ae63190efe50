// SPDX-License-Identifier: GPL-2.0-or-later
// The waiter behind O_ASYNC. It is queued where readers and writers of the file sleep, so it tells of every wake-up:
// of more than Linux where that also wakes nobody, never of less.
#include "core/vfs/async-notice.h"

#include "core/abi/poll.h"
#include "core/kernel.h"
#include "core/vfs/file-system.h"

namespace umbra::vfs {

namespace {

constexpr u32 kInput = abi::pollin | abi::pollrdnorm | abi::pollpri;
constexpr u32 kOutput = abi::pollout | abi::pollwrnorm;

/// Owned by its file: ends with it, or with the flag.
class AsyncNotice final : public Waiter, public FileWatcher {
public:
    AsyncNotice(File& file, i32 fd)
        : fd(fd)
        , file_(file)
    {
        file.wait_queue()->add(*this);
        file.watchers.push_back(*this);
        // Pipes tell of each write once somebody has looked whether there is anything.
        (void)file.readiness();
    }

    void notify(u32 events) override
    {
        if (file_.ref_count() == 0) return; // it is being closed, and wakes those who slept on it
        if (!events) events = file_.readiness();
        if (events & abi::pollhup)
            tell(AsyncEvent::hang_up);
        else if (events & kInput)
            tell(AsyncEvent::in);
        else if (events & kOutput)
            tell(AsyncEvent::out);
    }
    void file_released() override { delete this; }

    i32 fd;

private:
    void tell(AsyncEvent event)
    {
        send_async_event(file_.inode().file_system().kernel(), file_.async_owner, fd, event);
    }

    File& file_;
};

AsyncNotice* find_notice(File& file)
{
    for (FileWatcher& watcher : file.watchers)
        if (auto* notice = dynamic_cast<AsyncNotice*>(&watcher)) return notice;
    return nullptr;
}

} // namespace

void set_async(File& file, i32 fd, bool on)
{
    AsyncNotice* notice = find_notice(file);
    file.set_status_flags(on ? file.flags() | abi::o_async : file.flags() & ~abi::o_async);
    if (!on) {
        delete notice;
        return;
    }
    if (notice)
        notice->fd = fd;
    else
        new AsyncNotice(file, fd); // the file's: file_released() ends it
}

} // namespace umbra::vfs
