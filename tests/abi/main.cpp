// SPDX-License-Identifier: GPL-2.0-or-later
// Runs the ABI tests, each in a process and session of its own: a test may kill, stop, starve or corrupt
// itself and the next one does not notice. Takes gtest's own flags, plus:
//   --timeout=SECONDS   a test that takes longer is killed and has failed (default 60)
//   --in-process        plain gtest, for a debugger or a kernel that cannot fork yet
//   --list              the names, one a line
//   --lacks             what the machine keeps from us (machine.h)
//   --helper NAME ...   a small program for the tests about exec: see helper.cpp
// Prints one line a test ("ok NAME", "FAILED NAME", "skipped NAME: why") and closes with the counts.
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <vector>

#include <gtest/gtest.h>

#include "helper.h"
#include "machine.h"

namespace {

constexpr int kSkipped = 77;

/// Prints what failed and nothing else; written at once, so that a crash loses nothing.
class FailurePrinter : public testing::EmptyTestEventListener {
    void OnTestPartResult(testing::TestPartResult const& result) override
    {
        if (result.passed()) return;
        char const* kind = result.skipped() ? "skip" : "failure";
        std::printf("  %s:%d: %s: %s\n", result.file_name() ? result.file_name() : "?", result.line_number(),
            kind, result.message());
        std::fflush(stdout);
    }
};

struct Options {
    int timeout = 60;
    bool in_process = false;
    bool list = false;
};

Options parse(int argc, char** argv)
{
    Options options;
    for (int i = 1; i < argc; i++) {
        std::string_view arg = argv[i];
        if (arg.starts_with("--timeout="))
            options.timeout = std::atoi(argv[i] + 10);
        else if (arg == "--in-process")
            options.in_process = true;
        else if (arg == "--list")
            options.list = true;
        else {
            std::fprintf(stderr, "abi-tests: unknown option %s\n", argv[i]);
            std::exit(2);
        }
    }
    return options;
}

/// One `*`-and-`?` pattern of gtest's filter syntax.
bool matches(char const* pattern, char const* name)
{
    if (*pattern == '\0') return *name == '\0';
    if (*pattern == '*') return matches(pattern + 1, name) || (*name && matches(pattern, name + 1));
    return *name && (*pattern == '?' || *pattern == *name) && matches(pattern + 1, name + 1);
}

bool any_matches(std::string_view patterns, std::string const& name)
{
    while (!patterns.empty()) {
        size_t end = patterns.find(':');
        std::string one(patterns.substr(0, end));
        if (matches(one.c_str(), name.c_str())) return true;
        patterns = end == std::string_view::npos ? std::string_view() : patterns.substr(end + 1);
    }
    return false;
}

bool selected(std::string const& name)
{
    std::string filter = GTEST_FLAG_GET(filter);
    size_t dash = filter.find('-');
    std::string positive = filter.substr(0, dash);
    if (!positive.empty() && !any_matches(positive, name)) return false;
    return dash == std::string::npos || !any_matches(std::string_view(filter).substr(dash + 1), name);
}

struct Case {
    std::string name;
    testing::TestInfo const* info;
};

std::vector<Case> selected_cases()
{
    std::vector<Case> cases;
    auto const& all = *testing::UnitTest::GetInstance();
    for (int i = 0; i < all.total_test_suite_count(); i++) {
        auto const& suite = *all.GetTestSuite(i);
        for (int j = 0; j < suite.total_test_count(); j++) {
            std::string name = std::string(suite.name()) + "." + suite.GetTestInfo(j)->name();
            if (selected(name)) cases.push_back({ name, suite.GetTestInfo(j) });
        }
    }
    return cases;
}

/// What the caller happened to leave behind must not decide: a shell's background jobs ignore SIGINT, for
/// one.
void reset_inherited_state()
{
    for (int signal = 1; signal < NSIG; signal++)
        ::signal(signal, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::umask(022);
}

// RUN_ALL_TESTS() first marks each test that it is not to run, which after a fork copies a page for each few of them, and that
// costs more than most tests. So the parts of the one test are called here. gtest keeps them to itself; an explicit
// instantiation may name what is private.
struct Factory {
    using Type = testing::internal::TestFactoryBase* const testing::TestInfo::*;
    friend Type member(Factory);
};
struct SetUp {
    using Type = void (testing::Test::*)();
    friend Type member(SetUp);
};
struct Body {
    using Type = void (testing::Test::*)();
    friend Type member(Body);
};
struct TearDown {
    using Type = void (testing::Test::*)();
    friend Type member(TearDown);
};
template <typename Name, typename Name::Type Pointer> struct Open {
    friend typename Name::Type member(Name) { return Pointer; }
};
template struct Open<Factory, &testing::TestInfo::factory_>;
template struct Open<SetUp, &testing::Test::SetUp>;
template struct Open<Body, &testing::Test::TestBody>;
template struct Open<TearDown, &testing::Test::TearDown>;

void run_parts(testing::TestInfo const& info)
{
    testing::Test* const test = (info.*member(Factory()))->CreateTest();
    (test->*member(SetUp()))();
    if (!testing::Test::HasFatalFailure() && !testing::Test::IsSkipped()) (test->*member(Body()))();
    (test->*member(TearDown()))();
    delete test;
}

[[noreturn]] void run_alone(testing::TestInfo const& info)
{
    ::setsid();
    auto& listeners = testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new FailurePrinter);
    run_parts(info);
    auto const& result
        = testing::UnitTest::GetInstance()->ad_hoc_test_result(); // that of no test in particular
    std::fflush(nullptr);
    ::_exit(result.Failed() ? 1 : result.Skipped() ? kSkipped : 0);
}

/// Waits until the child ends, at most so many seconds. False: it did not.
bool wait_with_timeout(pid_t pid, int seconds, int& status)
{
    // SIGCHLD is blocked; sigtimedwait sleeps until it comes. Signals merge, so look before each sleep.
    sigset_t child_signal;
    sigemptyset(&child_signal);
    sigaddset(&child_signal, SIGCHLD);
    timespec start, now;
    ::clock_gettime(CLOCK_MONOTONIC, &start);
    for (;;) {
        if (::waitpid(pid, &status, WNOHANG) == pid) return true;
        ::clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec - start.tv_sec >= seconds) return false;
        timespec one_second { 1, 0 };
        ::sigtimedwait(&child_signal, nullptr, &one_second);
    }
}

/// Ends whatever the test left running. This process is its reaper, so it sees them all.
void clean_up(pid_t session)
{
    ::kill(-session, SIGKILL);
    while (::waitpid(-1, nullptr, WNOHANG) > 0)
        ;
}

std::string describe(int status)
{
    if (WIFSIGNALED(status)) return std::string("killed by ") + strsignal(WTERMSIG(status));
    return "";
}

enum class Outcome { passed, failed, skipped };

Outcome run(Case const& test, int timeout)
{
    std::string const& name = test.name;
    std::fflush(nullptr);
    pid_t pid = ::fork();
    if (pid < 0) {
        std::printf("FAILED %s: fork: %s\n", name.c_str(), std::strerror(errno));
        return Outcome::failed;
    }
    if (pid == 0) {
        reset_inherited_state();
        ::prctl(PR_SET_CHILD_SUBREAPER, 0);
        run_alone(*test.info);
    }
    int status = 0;
    std::string why;
    if (!wait_with_timeout(pid, timeout, status)) {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, &status, 0);
        why = "timed out";
    } else {
        why = describe(status);
    }
    clean_up(pid);
    if (status == 0) {
        std::printf("ok %s\n", name.c_str());
        return Outcome::passed;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == kSkipped) {
        std::printf("skipped %s\n", name.c_str());
        return Outcome::skipped;
    }
    std::printf("FAILED %s%s%s\n", name.c_str(), why.empty() ? "" : ": ", why.c_str());
    return Outcome::failed;
}

} // namespace

int main(int argc, char** argv)
{
    if (argc >= 3 && std::strcmp(argv[1], "--helper") == 0) return abi_test::run_helper(argc, argv);
    if (argc == 2 && std::strcmp(argv[1], "--lacks") == 0) return std::puts(abi_test::lacking().c_str()) < 0;
    testing::InitGoogleTest(&argc, argv);
    Options options = parse(argc, argv);
    if (options.in_process) return RUN_ALL_TESTS();
    auto const cases = selected_cases();
    if (options.list) {
        for (auto const& one : cases)
            std::printf("%s\n", one.name.c_str());
        return 0;
    }
    sigset_t child_signal;
    sigemptyset(&child_signal);
    sigaddset(&child_signal, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &child_signal, nullptr);
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    int counts[3] = {};
    for (auto const& one : cases) {
        counts[int(run(one, options.timeout))]++;
        std::fflush(stdout);
    }
    std::printf("%d passed, %d failed, %d skipped\n", counts[int(Outcome::passed)],
        counts[int(Outcome::failed)], counts[int(Outcome::skipped)]);
    return counts[int(Outcome::failed)] ? 1 : 0;
}
