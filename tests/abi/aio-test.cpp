// SPDX-License-Identifier: GPL-2.0-or-later
// Asynchronous I/O: io_setup(2), io_submit(2), io_getevents(2), io_cancel(2), and the ring that libraries read.
#include "abi-test.h"

#include <array>
#include <linux/aio_abi.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <thread>
#include <vector>

namespace abi_test {
namespace {

/// struct aio_ring of the kernel, which libaio knows, too.
struct Ring {
    unsigned id, capacity, head, tail, magic, compatible, incompatible, header_length;
    io_event events[1];
};

long number_of(std::string const& path) { return std::stol(read_file(path)); }

class Aio : public InScratchDirectory {
protected:
    void SetUp() override { ASSERT_EQ(raw(SYS_io_setup, 8u, &id_), 0); }
    void TearDown() override
    {
        if (!id_) return;
        EXPECT_EQ(raw(SYS_io_destroy, id_), 0);
    }
    Ring& ring() const { return *reinterpret_cast<Ring*>(id_); }
    long submit(iocb* block) const { return raw(SYS_io_submit, id_, 1L, &block); }
    long events(long least, long most, io_event* out, timespec const* timeout = nullptr) const
    {
        return raw(SYS_io_getevents, id_, least, most, out, timeout);
    }
    /// Submits, waits, and gives the event's result.
    long run(iocb* block) const
    {
        long result = submit(block);
        if (result != 1) return result;
        io_event event {};
        EXPECT_EQ(events(1, 1, &event), 1);
        EXPECT_EQ(event.obj, uint64_t(block));
        EXPECT_EQ(event.data, block->aio_data);
        EXPECT_EQ(event.res2, 0);
        return long(event.res);
    }
    static iocb block(int fd, int command, void const* buffer = nullptr, size_t length = 0, long offset = 0)
    {
        iocb made {};
        made.aio_fildes = uint32_t(fd), made.aio_lio_opcode = uint16_t(command);
        made.aio_buf = uint64_t(buffer), made.aio_nbytes = length, made.aio_offset = offset;
        made.aio_data = 0x1234;
        return made;
    }
    static iocb poll_block(int fd, unsigned events)
    {
        return block(fd, IOCB_CMD_POLL, reinterpret_cast<void*>(uintptr_t(events)));
    }

    aio_context_t id_ = 0;
};

TEST_F(Aio, setup_checks_its_arguments)
{
    aio_context_t other = 0;
    EXPECT_EQ(raw(SYS_io_setup, 0u, &other), -EINVAL);
    EXPECT_EQ(raw(SYS_io_setup, ~0u, &other), -EINVAL);
    EXPECT_EQ(raw(SYS_io_setup, 2'000'000u, &other), -EAGAIN);
    EXPECT_EQ(raw(SYS_io_setup, 1u, nullptr), -EFAULT);
    other = 1;
    EXPECT_EQ(raw(SYS_io_setup, 1u, &other), -EINVAL);
    EXPECT_EQ(raw(SYS_io_destroy, 0ul), -EINVAL);
    EXPECT_EQ(raw(SYS_io_destroy, id_ + 4096), -EINVAL);
    // A page that cannot be written cannot be told the context.
    Mapping page(kPage, PROT_READ);
    long const before = number_of("/proc/sys/fs/aio-nr");
    EXPECT_EQ(raw(SYS_io_setup, 1u, page.data()), -EFAULT);
    EXPECT_EQ(number_of("/proc/sys/fs/aio-nr"), before);
}

TEST_F(Aio, the_ring_is_in_memory)
{
    EXPECT_EQ(ring().magic, 0xa10a10a1u);
    EXPECT_EQ(ring().header_length, 32u);
    EXPECT_EQ(ring().compatible, 1u);
    EXPECT_EQ(ring().incompatible, 0u);
    EXPECT_GE(ring().capacity, 16u);
    EXPECT_NE(read_file("/proc/self/maps").find("/[aio] (deleted)"), std::string::npos);

    Fd file = new_file("file");
    iocb write = block(file, IOCB_CMD_PWRITE, "hello", 5);
    ASSERT_EQ(submit(&write), 1);
    ASSERT_EQ(ring().tail, 1u);
    EXPECT_EQ(ring().head, 0u);
    EXPECT_EQ(ring().events[0].obj, uint64_t(&write));
    EXPECT_EQ(ring().events[0].res, 5);
    ring().head = 1; // as libaio does it
    io_event event;
    timespec const now {};
    EXPECT_EQ(events(1, 1, &event, &now), 0);
}

TEST_F(Aio, reads_and_writes)
{
    Fd file = new_file("file");
    iocb write = block(file, IOCB_CMD_PWRITE, "0123456789", 10, 2);
    write.aio_key = 7;
    EXPECT_EQ(run(&write), 10);
    EXPECT_EQ(write.aio_key, 0u);
    EXPECT_EQ(::lseek(file, 0, SEEK_CUR), 0);
    char buffer[8] = {};
    iocb read = block(file, IOCB_CMD_PREAD, buffer, 4, 5);
    EXPECT_EQ(run(&read), 4);
    EXPECT_STREQ(buffer, "3456");
    char a[3] = {}, b[3] = {};
    iovec pieces[] = { { a, 2 }, { b, 2 } };
    iocb read_vector = block(file, IOCB_CMD_PREADV, pieces, 2, 9);
    EXPECT_EQ(run(&read_vector), 3);
    EXPECT_STREQ(a, "78");
    EXPECT_STREQ(b, "9");
    iocb write_vector = block(file, IOCB_CMD_PWRITEV, pieces, 2, 0);
    EXPECT_EQ(run(&write_vector), 4);
    EXPECT_EQ(status_of("file").st_size, 12);
    iocb sync = block(file, IOCB_CMD_FSYNC), data_sync = block(file, IOCB_CMD_FDSYNC);
    EXPECT_EQ(run(&sync), 0);
    EXPECT_EQ(run(&data_sync), 0);
    sync.aio_nbytes = 1;
    EXPECT_EQ(submit(&sync), -EINVAL);
    iocb append = block(file, IOCB_CMD_PWRITE, "!", 1, 0);
    append.aio_rw_flags = RWF_APPEND;
    EXPECT_EQ(run(&append), 1);
    EXPECT_EQ(status_of("file").st_size, 13);
}

TEST_F(Aio, errors_of_blocks)
{
    Fd file = new_file("file");
    Fd reader = ::open("file", O_RDONLY), directory = ::open(".", O_RDONLY);
    Pipe pipe;
    char buffer[4];
    iocb request = block(-1, IOCB_CMD_PREAD, buffer, 4);
    EXPECT_EQ(submit(&request), -EBADF);
    request = block(reader, IOCB_CMD_PWRITE, buffer, 4);
    EXPECT_EQ(submit(&request), -EBADF);
    request = block(pipe.write_end, IOCB_CMD_PREAD, buffer, 4);
    EXPECT_EQ(submit(&request), -EBADF);
    request = block(directory, IOCB_CMD_PREAD, buffer, 4);
    EXPECT_EQ(submit(&request), -EINVAL);
    request = block(file, IOCB_CMD_NOOP);
    EXPECT_EQ(submit(&request), -EINVAL);
    request = block(file, 99);
    EXPECT_EQ(submit(&request), -EINVAL);
    request = block(file, IOCB_CMD_PREAD, buffer, 4, -1);
    EXPECT_EQ(submit(&request), -EINVAL);
    request = block(file, IOCB_CMD_PREAD, buffer, size_t(-1));
    EXPECT_EQ(submit(&request), -EINVAL);
    request = block(file, IOCB_CMD_PREAD, reinterpret_cast<void*>(~0xfffUL), 4);
    EXPECT_EQ(submit(&request), -EFAULT);
    request = block(file, IOCB_CMD_PREAD, buffer, 4);
    request.aio_reserved2 = 1;
    EXPECT_EQ(submit(&request), -EINVAL);
    request = block(file, IOCB_CMD_PREAD, buffer, 4);
    request.aio_rw_flags = int(0x80000000);
    EXPECT_EQ(submit(&request), -EOPNOTSUPP);
    request = block(pipe.read_end, IOCB_CMD_FSYNC);
    EXPECT_EQ(submit(&request), -EINVAL);
    request = poll_block(pipe.read_end, 0x10000);
    EXPECT_EQ(submit(&request), -EINVAL);
    request = poll_block(pipe.read_end, POLLIN);
    request.aio_offset = 1;
    EXPECT_EQ(submit(&request), -EINVAL);
    request = block(file, IOCB_CMD_PREAD, buffer, 4);
    request.aio_flags = IOCB_FLAG_RESFD, request.aio_resfd = uint32_t(int(file));
    EXPECT_EQ(submit(&request), -EINVAL);
    request.aio_resfd = uint32_t(-1);
    EXPECT_EQ(submit(&request), -EBADF);
    request.aio_flags = IOCB_FLAG_IOPRIO, request.aio_reqprio = int16_t(0xa000); // no such class
    EXPECT_EQ(submit(&request), -EINVAL);
    EXPECT_EQ(submit(nullptr), -EFAULT);
    EXPECT_EQ(raw(SYS_io_submit, id_, 1L, nullptr), -EFAULT);
    EXPECT_EQ(raw(SYS_io_submit, id_, -1L, nullptr), -EINVAL);
    EXPECT_EQ(raw(SYS_io_submit, id_, 0L, nullptr), 0);
    EXPECT_EQ(raw(SYS_io_submit, 0ul, 0L, nullptr), -EINVAL);
}

TEST_F(Aio, errors_in_events)
{
    Pipe pipe(O_NONBLOCK);
    char buffer[4];
    iocb read = block(pipe.read_end, IOCB_CMD_PREAD, buffer, 4);
    EXPECT_EQ(run(&read), -EAGAIN);
    ASSERT_EQ(::write(pipe.write_end, "ab", 2), 2);
    EXPECT_EQ(run(&read), 2);
    Fd file = new_file("file");
    ASSERT_EQ(::write(file, "abcd", 4), 4);
    Mapping page(kPage, PROT_NONE);
    read = block(file, IOCB_CMD_PREAD, page.data(), 4);
    EXPECT_EQ(run(&read), -EFAULT);
    set_handler(SIGPIPE, [](int) {});
    pipe.read_end.reset();
    iocb write = block(pipe.write_end, IOCB_CMD_PWRITE, "x", 1);
    EXPECT_EQ(run(&write), -EPIPE);
}

TEST_F(Aio, several_at_once_until_one_is_wrong)
{
    Fd file = new_file("file");
    iocb blocks[3] = { block(file, IOCB_CMD_PWRITE, "ab", 2), block(file, IOCB_CMD_PWRITE, "cd", 2, 2),
        block(-1, IOCB_CMD_PWRITE, "ef", 2, 4) };
    iocb* list[] = { &blocks[0], &blocks[1], &blocks[2], &blocks[0] };
    EXPECT_EQ(raw(SYS_io_submit, id_, 4L, list), 2);
    io_event got[4] = {};
    EXPECT_EQ(events(2, 4, got), 2);
    EXPECT_EQ(got[0].obj, uint64_t(&blocks[0]));
    EXPECT_EQ(got[1].obj, uint64_t(&blocks[1]));
    EXPECT_EQ(read_file("file"), "abcd");
}

TEST_F(Aio, a_full_ring_takes_no_more)
{
    Fd file = new_file("file");
    iocb write = block(file, IOCB_CMD_PWRITE, "x", 1);
    long taken = 0, result;
    while ((result = submit(&write)) == 1 && taken < 1000)
        taken++;
    EXPECT_EQ(result, -EAGAIN);
    EXPECT_GE(taken, 8);
    EXPECT_LT(taken, long(ring().capacity));
    std::vector<io_event> got(1000);
    timespec const now {};
    EXPECT_EQ(events(0, 1000, got.data(), &now), taken);
    EXPECT_EQ(submit(&write), 1);
}

TEST_F(Aio, getevents_checks_its_arguments)
{
    io_event event;
    timespec const now {}, soon { 0, 1'000'000 };
    EXPECT_EQ(events(2, 1, &event), -EINVAL);
    EXPECT_EQ(events(-1, 1, &event), -EINVAL);
    EXPECT_EQ(raw(SYS_io_getevents, id_ + 8, 0L, 1L, &event, &now), -EINVAL);
    EXPECT_EQ(raw(SYS_io_getevents, 0ul, 0L, 1L, &event, 1L), -EFAULT);
    EXPECT_EQ(events(0, 1, &event), 0);
    EXPECT_EQ(events(0, 0, nullptr), 0);
    EXPECT_EQ(events(1, 1, &event, &now), 0);
    EXPECT_EQ(events(1, 1, &event, &soon), 0);
    Fd file = new_file("file");
    iocb write = block(file, IOCB_CMD_PWRITE, "x", 1);
    ASSERT_EQ(submit(&write), 1);
    EXPECT_EQ(events(1, 1, nullptr), -EFAULT);
    EXPECT_EQ(events(2, 2, std::array<io_event, 2>().data(), &soon), 1);
}

TEST_F(Aio, polls)
{
    Pipe pipe;
    iocb request = poll_block(pipe.write_end, POLLOUT);
    EXPECT_EQ(run(&request), POLLOUT);
    request = poll_block(pipe.read_end, POLLIN);
    ASSERT_EQ(submit(&request), 1);
    io_event event;
    timespec const now {};
    EXPECT_EQ(events(0, 1, &event, &now), 0);
    ASSERT_EQ(::write(pipe.write_end, "x", 1), 1);
    ASSERT_EQ(events(1, 1, &event), 1);
    EXPECT_TRUE(event.res & POLLIN);
    EXPECT_EQ(event.obj, uint64_t(&request));
    // Once only, and of what is there already.
    EXPECT_EQ(run(&request), POLLIN);
    char byte;
    ASSERT_EQ(::read(pipe.read_end, &byte, 1), 1);
    ASSERT_EQ(submit(&request), 1);
    pipe.write_end.reset();
    ASSERT_EQ(events(1, 1, &event), 1);
    EXPECT_TRUE(event.res & POLLHUP);
}

TEST_F(Aio, a_poll_wakes_who_waits_for_events)
{
    Pipe pipe;
    iocb request = poll_block(pipe.read_end, POLLIN);
    ASSERT_EQ(submit(&request), 1);
    std::thread writer([&, waiter = ::getpid()] {
        wait_until_sleeping(waiter);
        EXPECT_EQ(::write(pipe.write_end, "x", 1), 1);
    });
    io_event event;
    EXPECT_EQ(events(1, 1, &event), 1);
    EXPECT_TRUE(event.res & POLLIN);
    writer.join();
}

TEST_F(Aio, a_poll_is_seen_in_the_ring_without_a_call)
{
    Pipe pipe;
    iocb request = poll_block(pipe.read_end, POLLIN);
    ASSERT_EQ(submit(&request), 1);
    ASSERT_EQ(::write(pipe.write_end, "x", 1), 1);
    while (__atomic_load_n(&ring().tail, __ATOMIC_ACQUIRE) == 0)
        continue;
    EXPECT_TRUE(ring().events[0].res & POLLIN);
}

TEST_F(Aio, cancels_polls)
{
    Pipe pipe;
    iocb request = poll_block(pipe.read_end, POLLIN);
    io_event event {};
    EXPECT_EQ(raw(SYS_io_cancel, id_, &request, &event), -EINVAL);
    ASSERT_EQ(submit(&request), 1);
    EXPECT_EQ(raw(SYS_io_cancel, id_, &request, &event), -EINPROGRESS);
    ASSERT_EQ(events(1, 1, &event), 1);
    EXPECT_EQ(event.obj, uint64_t(&request));
    EXPECT_EQ(event.res, 0);
    EXPECT_EQ(raw(SYS_io_cancel, id_, &request, &event), -EINVAL);
    request.aio_key = 1;
    EXPECT_EQ(raw(SYS_io_cancel, id_, &request, &event), -EINVAL);
    EXPECT_EQ(raw(SYS_io_cancel, id_, nullptr, &event), -EFAULT);
    request.aio_key = 0;
    EXPECT_EQ(raw(SYS_io_cancel, 0ul, &request, &event), -EINVAL);
}

TEST_F(Aio, events_count_in_an_eventfd)
{
    Fd counter = ::eventfd(0, EFD_NONBLOCK), file = new_file("file");
    iocb write = block(file, IOCB_CMD_PWRITE, "x", 1);
    write.aio_flags = IOCB_FLAG_RESFD, write.aio_resfd = uint32_t(int(counter));
    ASSERT_EQ(submit(&write), 1);
    ASSERT_EQ(submit(&write), 1);
    uint64_t count = 0;
    ASSERT_EQ(::read(counter, &count, sizeof count), ssize_t(sizeof count));
    EXPECT_EQ(count, 2u);
    // A poll of the eventfd that its own event is counted in.
    iocb request = poll_block(counter, POLLIN);
    request.aio_flags = IOCB_FLAG_RESFD, request.aio_resfd = uint32_t(int(counter));
    ASSERT_EQ(submit(&request), 1);
    count = 1;
    ASSERT_EQ(::write(counter, &count, sizeof count), ssize_t(sizeof count));
    io_event got[3];
    EXPECT_EQ(events(3, 3, got), 3);
    for (uint64_t sum = 0; sum < 2; sum += count) {
        pollfd wait { counter, POLLIN, 0 };
        ASSERT_EQ(::poll(&wait, 1, -1), 1);
        ASSERT_EQ(::read(counter, &count, sizeof count), ssize_t(sizeof count));
    }
}

TEST_F(Aio, the_end_of_a_poll_is_what_another_waits_for)
{
    Pipe pipe;
    Fd counter = ::eventfd(0, EFD_NONBLOCK);
    iocb first = poll_block(pipe.read_end, POLLIN), second = poll_block(counter, POLLIN);
    first.aio_flags = IOCB_FLAG_RESFD, first.aio_resfd = uint32_t(int(counter));
    ASSERT_EQ(submit(&first), 1);
    ASSERT_EQ(submit(&second), 1);
    // Cancelled where it may be told of just then: there is one event of it either way.
    ASSERT_EQ(::write(pipe.write_end, "x", 1), 1);
    io_event got[2] {};
    long const cancelled = raw(SYS_io_cancel, id_, &second, &got[0]);
    EXPECT_TRUE(cancelled == -EINPROGRESS || cancelled == -EINVAL) << cancelled;
    ASSERT_EQ(events(2, 2, got), 2);
    EXPECT_EQ(got[0].obj + got[1].obj, uint64_t(&first) + uint64_t(&second));

    uint64_t count = 0;
    ASSERT_EQ(::read(counter, &count, sizeof count), ssize_t(sizeof count));
    char byte;
    ASSERT_EQ(::read(pipe.read_end, &byte, 1), 1);
    ASSERT_EQ(submit(&first), 1);
    ASSERT_EQ(submit(&second), 1);
    ASSERT_EQ(raw(SYS_io_destroy, id_), 0);
    id_ = 0;
    ASSERT_EQ(::read(counter, &count, sizeof count), ssize_t(sizeof count));
    EXPECT_EQ(count, 1u);
    ASSERT_EQ(::write(counter, &count, sizeof count), ssize_t(sizeof count)) << "nobody is told any more";
}

TEST_F(Aio, a_signal_ends_the_wait)
{
    RepeatingAlarm alarm(0);
    io_event event;
    EXPECT_EQ(events(1, 1, &event), -EINTR);
}

TEST_F(Aio, pgetevents_waits_with_a_mask)
{
    static volatile sig_atomic_t caught = 0;
    set_handler(SIGUSR1, [](int) { caught = 1; });
    block_signals({ SIGUSR1 });
    ::raise(SIGUSR1);
    sigset_t none;
    sigemptyset(&none);
    struct {
        sigset_t const* mask;
        size_t size;
    } set { &none, 8 };
    io_event event;
    timespec const now {};
    EXPECT_EQ(raw(SYS_io_pgetevents, id_, 1L, 1L, &event, &now, nullptr), 0);
    EXPECT_EQ(caught, 0);
    EXPECT_EQ(raw(SYS_io_pgetevents, id_, 1L, 1L, &event, nullptr, &set), -EINTR);
    EXPECT_EQ(caught, 1);
    set.size = 4;
    EXPECT_EQ(raw(SYS_io_pgetevents, id_, 1L, 1L, &event, &now, &set), -EINVAL);
    EXPECT_EQ(raw(SYS_io_pgetevents, id_, 1L, 1L, &event, &now, 1L), -EFAULT);
}

TEST_F(Aio, contexts_count)
{
    long const before = number_of("/proc/sys/fs/aio-nr");
    EXPECT_GE(number_of("/proc/sys/fs/aio-max-nr"), 65536);
    in_child([&] {
        aio_context_t own = 0;
        // A child has a copy of the ring, and no context for it.
        io_event event;
        timespec const now {};
        EXPECT_EQ(raw(SYS_io_getevents, id_, 0L, 1L, &event, &now), -EINVAL);
        EXPECT_EQ(ring().magic, 0xa10a10a1u);
        EXPECT_EQ(raw(SYS_io_setup, 100u, &own), 0);
        EXPECT_GE(number_of("/proc/sys/fs/aio-nr"), 100);
    });
    (void)before; // others on the host come and go
}

TEST_F(Aio, a_moved_ring_is_its_new_address)
{
    size_t const size = (ring().capacity + 1) * sizeof(io_event);
    Mapping place(size);
    auto const old = id_;
    void* moved
        = ::mremap(reinterpret_cast<void*>(id_), size, size, MREMAP_MAYMOVE | MREMAP_FIXED, place.data());
    ASSERT_EQ(moved, place.data());
    id_ = aio_context_t(moved);
    io_event event;
    timespec const now {};
    EXPECT_EQ(events(0, 1, &event, &now), 0);
    EXPECT_EQ(raw(SYS_io_getevents, old, 0L, 1L, &event, &now), -EINVAL);
    EXPECT_EQ(raw(SYS_io_destroy, std::exchange(id_, 0)), 0);
}

TEST_F(Aio, destroy_ends_a_wait_and_unmaps)
{
    Pipe pipe;
    iocb request = poll_block(pipe.read_end, POLLIN);
    ASSERT_EQ(submit(&request), 1);
    std::thread destroyer([&, waiter = ::getpid()] {
        wait_until_sleeping(waiter);
        EXPECT_EQ(raw(SYS_io_destroy, id_), 0);
    });
    io_event event;
    EXPECT_EQ(events(1, 1, &event), -EINVAL);
    destroyer.join();
    EXPECT_FALSE(can_read(reinterpret_cast<void*>(id_)));
    id_ = 0;
}

} // namespace
} // namespace abi_test
