// SPDX-License-Identifier: GPL-2.0-or-later
#include "arch-um/boot/reports.h"

#include <gtest/gtest.h>

#include "arch-um/boot/backend-choice.h"

namespace umbra::boot {
namespace {

TEST(Reports, JsonStringsAreEscaped)
{
    EXPECT_EQ(json_string("a\"b\\c\n\x01"), "\"a\\\"b\\\\c\\u000a\\u0001\"");
}

TEST(Reports, TheTableOfCallsHasEveryRow)
{
    std::string table = syscalls_report();
    EXPECT_NE(table.find("0    read "), std::string::npos);
    EXPECT_NE(table.find("462  mseal "), std::string::npos);
    EXPECT_NE(table.find("refused"), std::string::npos);
    EXPECT_NE(table.find(" missing (ENOSYS)\n"), std::string::npos);
}

TEST(Reports, DoctorAndTheCompositionAgree)
{
    auto host = hostabi::HostFeatures::probe_full();
    BackendDecision decision = decide_backend(host, BackendChoice::automatic);
    std::string text = doctor_report(host), json = doctor_report_json(host);
    if (decision.backend == BackendChoice::automatic) {
        EXPECT_FALSE(decision.refusal.empty());
        EXPECT_NE(text.find("backend: none"), std::string::npos);
        EXPECT_NE(json.find("\"backend\": null"), std::string::npos);
    } else {
        EXPECT_NE(text.find("auto takes " + std::string(backend_name(decision.backend))), std::string::npos);
        EXPECT_TRUE(why_unusable(host, decision.backend).empty());
        auto faults = decide_fault_path(host, decision.backend, FaultPathChoice::automatic);
        std::string name = fault_path_name(faults.path);
        EXPECT_NE(text.find("page faults: auto takes " + name), std::string::npos);
        EXPECT_NE(json.find("\"fault_path\": \"" + name + '"'), std::string::npos);
    }
}

TEST(Reports, TheFaultPathIsNeverChangedSilently)
{
    auto host = hostabi::HostFeatures::probe_full();
    auto wanted = decide_fault_path(host, BackendChoice::ptrace, FaultPathChoice::userfaultfd);
    EXPECT_EQ(wanted.path, FaultPathChoice::automatic);
    EXPECT_NE(wanted.refusal.find("ptrace"), std::string::npos);
    EXPECT_EQ(decide_fault_path(host, BackendChoice::ptrace, FaultPathChoice::automatic).path,
        FaultPathChoice::signal);
    EXPECT_EQ(decide_fault_path(host, BackendChoice::seccomp, FaultPathChoice::signal).path,
        FaultPathChoice::signal);
}

} // namespace
} // namespace umbra::boot
