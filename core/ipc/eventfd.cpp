// SPDX-License-Identifier: GPL-2.0-or-later
// eventfd(2). Reads take the counter (or one, as a semaphore), writes add to it; it never wraps.
#include "core/ipc/eventfd.h"

#include <string>

#include "core/kernel.h"

namespace umbra::ipc {

namespace {

constexpr u64 kOverflow = ~u64 { 0 };

class EventFd final : public vfs::File {
public:
    EventFd(vfs::Path path, u64 initial, u32 flags)
        : File(std::move(path), (flags & abi::o_nonblock) | abi::o_rdwr)
        , count_(initial)
        , is_semaphore_(flags & efd_semaphore)
    {
    }

    bool can_splice() const override { return false; }
    Result<u64> read(IoBuffer& buffer, u64) override
    {
        if (buffer.remaining() < sizeof count_) return err::inval;
        if (count_ == 0) return err::again;
        u64 taken = is_semaphore_ ? 1 : count_;
        count_ -= taken;
        queue_.wake_all(abi::pollout | abi::pollwrnorm);
        TRY(buffer.put_all(&taken, sizeof taken));
        return sizeof taken;
    }

    Result<u64> write(IoBuffer& buffer, u64) override
    {
        u64 added;
        if (buffer.remaining() < sizeof added) return err::inval;
        buffer.truncate(sizeof added);
        TRY(buffer.take_all(&added, sizeof added));
        if (added >= kOverflow - count_) {
            // Not accepted: the retry takes it again.
            buffer.rewind(sizeof added);
            return added == kOverflow ? err::inval : err::again;
        }
        count_ += added;
        queue_.wake_all(abi::pollin | abi::pollrdnorm);
        return sizeof added;
    }

    void signal()
    {
        if (count_ < kOverflow) ++count_;
        queue_.wake_all(abi::pollin | abi::pollrdnorm);
    }

    u32 readiness() override
    {
        u32 ready = 0;
        if (count_ > 0) ready |= abi::pollin | abi::pollrdnorm;
        if (count_ == kOverflow) ready |= abi::pollerr;
        if (count_ < kOverflow - 1) ready |= abi::pollout | abi::pollwrnorm;
        return ready;
    }

    WaitQueue* wait_queue() override { return &queue_; }

    std::string fdinfo() override
    {
        char text[64];
        std::snprintf(text, sizeof text, "eventfd-count: %16llx\n", static_cast<unsigned long long>(count_));
        return text;
    }

private:
    u64 count_;
    bool is_semaphore_;
    WaitQueue
        queue_; ///< readers and writers: each wake-up is for all, since one kind may hide behind the other
};

} // namespace

Ref<vfs::File> make_eventfd(Kernel& kernel, u64 initial, u32 flags)
{
    return make_ref<EventFd>(vfs::make_anonymous_path(kernel, "anon_inode:[eventfd]", 0600), initial, flags);
}

bool is_eventfd(vfs::File const& file) { return dynamic_cast<EventFd const*>(&file); }

void signal_eventfd(vfs::File& file) { static_cast<EventFd&>(file).signal(); }

} // namespace umbra::ipc
