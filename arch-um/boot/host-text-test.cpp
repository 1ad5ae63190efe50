// SPDX-License-Identifier: GPL-2.0-or-later
// HostText over a pipe: nothing is lost that has room, nothing waits for a reader.
#include "arch-um/boot/host-text.h"

#include <csignal>
#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace umbra::boot {
namespace {

class HostTextTest : public testing::Test {
protected:
    void SetUp() override
    {
        ASSERT_EQ(::pipe2(ends_, O_CLOEXEC), 0);
        ring_ = hostabi::Ring::create(hostabi::RingEngine::epoll).release_value();
        text_ = std::make_unique<HostText>(ends_[1]);
    }
    void TearDown() override
    {
        text_.reset();
        ::close(ends_[0]);
    }
    void start()
    {
        text_->start(*ring_, [this](std::function<void()> work) { soon_.push_back(std::move(work)); });
    }
    void step(Nanoseconds deadline)
    {
        for (auto& work : std::exchange(soon_, {}))
            work();
        ring_->wait(deadline);
        ring_->dispatch();
    }
    /// Reads until `count` bytes are there, moving the ring along.
    std::string take(size_t count)
    {
        std::string got;
        while (got.size() < count) {
            step(0);
            char piece[4096];
            ssize_t const n = ::read(ends_[0], piece, std::min(sizeof piece, count - got.size()));
            if (n <= 0) break;
            got.append(piece, size_t(n));
        }
        return got;
    }

    int ends_[2];
    std::unique_ptr<hostabi::Ring> ring_;
    std::vector<std::function<void()>> soon_;
    std::unique_ptr<HostText> text_;
};

TEST_F(HostTextTest, KeepsWhatComesBeforeTheStart)
{
    text_->write("early\n");
    start();
    text_->write("late\n");
    EXPECT_EQ(take(11), "early\nlate\n");
    text_->finish();
}

TEST_F(HostTextTest, MoreThanAPipeHoldsComesInOrder)
{
    start();
    std::string all;
    for (int i = 0; i < 20'000; ++i) {
        std::string const line = "line " + std::to_string(i) + "\n";
        text_->write(line);
        all += line;
    }
    step(0); // a write that cannot end: the writer goes on
    EXPECT_EQ(take(all.size()), all);
    text_->finish();
}

TEST_F(HostTextTest, FinishWritesTheRest)
{
    start();
    text_->write("one\n");
    step(0);
    text_->write("two\n");
    text_->finish();
    char piece[16];
    EXPECT_EQ(::read(ends_[0], piece, sizeof piece), 8);
}

TEST_F(HostTextTest, RecordsBeyondTheRoomAreDroppedAndCounted)
{
    start();
    LogRecord record {
        .sequence = 0, .time = 0, .facility = 0, .level = LogLevel::info, .text = std::string(1000, 'x')
    };
    size_t const count = 3 * HostText::kRoom / 1000;
    for (size_t i = 0; i < count; ++i) {
        text_->log(record);
        step(0);
    }
    take(HostText::kRoom);
    step(0);
    record.text = "last";
    text_->log(record);
    std::string rest;
    while (rest.find("last\n") == rest.npos) {
        std::string const piece = take(1);
        ASSERT_FALSE(piece.empty());
        rest += piece;
    }
    EXPECT_NE(rest.find(" records were dropped"), rest.npos);
    text_->finish();
}

TEST_F(HostTextTest, PacketsBeyondTheRoomAreRefusedAndTheEndIsNot)
{
    start();
    std::string const packet(60'000, '\0');
    size_t taken = 0;
    while (text_->offer(packet, false) && taken <= HostText::kCaptureRoom)
        taken += packet.size();
    EXPECT_LE(taken, HostText::kCaptureRoom);
    EXPECT_GT(taken + packet.size(), HostText::kCaptureRoom);
    EXPECT_FALSE(text_->offer(packet, false));
    EXPECT_TRUE(text_->offer("end", true));
    EXPECT_EQ(take(taken + 3), std::string(taken, '\0') + "end");
    EXPECT_TRUE(text_->offer(packet, false)) << "there is room again";
    take(packet.size());
    text_->finish();
}

TEST_F(HostTextTest, ALostReaderStopsNobody)
{
    ::signal(SIGPIPE, SIG_IGN);
    start();
    ::close(ends_[0]);
    ends_[0] = -1;
    text_->write("to nobody\n");
    step(kNever);
    text_->write("again\n");
    text_->finish();
}

} // namespace
} // namespace umbra::boot
