// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/printk/printk.h"

#include <gtest/gtest.h>

#include "core/platform/fake/fake-platform.h"

namespace umbra {
namespace {

struct Collector final : LogSink {
    void log(LogRecord const& record) override { texts.push_back(record.text); }
    std::vector<std::string> texts;
};

TEST(Printk, KeepsRecordsInOrderAndDropsTheOldest)
{
    platform::fake::FakePlatform platform;
    Printk log(platform);
    log.info("one %d", 1);
    log.append(LogLevel::warning, 1, "two\n");
    ASSERT_EQ(log.next_sequence(), 2u);
    EXPECT_EQ(log.record(0)->text, "one 1");
    EXPECT_EQ(log.record(1)->text, "two");
    EXPECT_EQ(log.record(2), nullptr);
    std::string big(Printk::kRecordMax, 'x');
    for (int i = 0; i < 1000; ++i)
        log.append(LogLevel::info, 0, big);
    EXPECT_GT(log.first_sequence(), 0u);
    EXPECT_EQ(log.record(0), nullptr);
    EXPECT_EQ(log.next_sequence(), 1002u);
}

TEST(Printk, SinksGetWhatWasSaidBeforeThem)
{
    platform::fake::FakePlatform platform;
    Printk log(platform);
    log.debug("quiet");
    log.error("loud");
    Collector console, file;
    log.set_console(&console);
    log.set_log_file(&file);
    log.warning("later");
    EXPECT_EQ(console.texts, (std::vector<std::string> { "loud", "later" }));
    EXPECT_EQ(file.texts, (std::vector<std::string> { "quiet", "loud", "later" }));
}

TEST(Printk, FormsOfARecord)
{
    LogRecord record { 7, 1'234'567'000, 1, LogLevel::info, "a\nb\\" };
    EXPECT_EQ(format_record(record, false), "[    1.234567] a\n[    1.234567] b\\\n");
    EXPECT_EQ(format_record(record, true).substr(0, 6), "<14>[ ");
    EXPECT_EQ(format_kmsg(record), "14,7,1234567,-;a\\x0ab\\x5c\n");
}

TEST(Printk, ClearMovesTheMarkOnly)
{
    platform::fake::FakePlatform platform;
    Printk log(platform);
    log.info("a");
    log.clear();
    EXPECT_EQ(log.cleared_sequence(), 1u);
    EXPECT_NE(log.record(0), nullptr);
}

} // namespace
} // namespace umbra
