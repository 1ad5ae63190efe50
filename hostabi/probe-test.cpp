// SPDX-License-Identifier: GPL-2.0-or-later
// The probes agree with what this host then really gives, and leave nothing behind.
#include "hostabi/probe.h"

#include <cerrno>

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/userfaultfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostabi/process.h"
#include "hostabi/ring.h"
#include "hostabi/seccomp.h"

namespace umbra::hostabi {
namespace {

int open_descriptors()
{
    int n = 0;
    DIR* const dir = ::opendir("/proc/self/fd");
    while (::readdir(dir))
        n++;
    ::closedir(dir);
    return n;
}

TEST(Probe, QuickLeavesNothingBehind)
{
    int const before = open_descriptors();
    int const no_new_privileges = ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), seccomp = ::prctl(PR_GET_SECCOMP);
    HostFeatures const features = HostFeatures::probe_quick();
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_EQ(process::poll_child(-1).error().value, ECHILD); // no child
    EXPECT_EQ(::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), no_new_privileges); // we are as free as before
    EXPECT_EQ(::prctl(PR_GET_SECCOMP), seccomp);
    EXPECT_GE(features.cpu_count(), 1u);
    EXPECT_EQ(features[Feature::kvm].state, FeatureState::not_probed);
    EXPECT_NE(features[Feature::io_uring].state, FeatureState::not_probed);
}

TEST(Probe, FullKnowsEverything)
{
    HostFeatures const features = HostFeatures::probe_full();
    for (FeatureReport const& report : features.all()) {
        EXPECT_NE(report.state, FeatureState::not_probed) << report.name;
        EXPECT_FALSE(report.name.empty());
        EXPECT_TRUE(report.cost.ends_with('.') || report.cost.ends_with(").")) << report.name;
    }
    EXPECT_EQ(process::poll_child(-1).error().value, ECHILD);
}

TEST(Probe, AgreesWithTheHost)
{
    HostFeatures const features = HostFeatures::probe_quick();
    EXPECT_EQ(features.has(Feature::io_uring), Ring::create(RingEngine::io_uring).ok());
    EXPECT_EQ(features.has(Feature::userfaultfd), OwnedFd::userfaultfd(UFFD_USER_MODE_ONLY).ok());
    EXPECT_EQ(features.has(Feature::memfd), OwnedFd::memfd("test").ok());
}

/// As common container profiles do.
TEST(Probe, SeesWhatAFilterRefuses)
{
    i32 const pid = ::fork();
    if (pid == 0) {
        SeccompAssembler a;
        a.load_number();
        a.return_action_if_equal(SYS_io_uring_setup, SECCOMP_RET_ERRNO | EPERM);
        a.return_action_if_equal(SYS_userfaultfd, SECCOMP_RET_ERRNO | EPERM);
        a.return_action_if_equal(SYS_ptrace, SECCOMP_RET_ERRNO | EPERM);
        a.return_action_if_equal(SYS_seccomp, SECCOMP_RET_ERRNO | EPERM);
        a.return_action(SECCOMP_RET_ALLOW);
        if (install_seccomp_filter(a.finish()).is_error()) ::_exit(99);
        HostFeatures const features = HostFeatures::probe_quick();
        if (features.has(Feature::io_uring)) ::_exit(1);
        if (features[Feature::io_uring].detail.find("EPERM") == std::string::npos) ::_exit(2);
        if (features.has(Feature::userfaultfd) || features.has(Feature::userfaultfd_minor)) ::_exit(3);
        if (features.has(Feature::seccomp_notify)) ::_exit(4);
        if (features[Feature::ptrace_emulation].state != FeatureState::missing) ::_exit(5);
        if (!features.has(Feature::memfd)) ::_exit(6);
        ::_exit(0);
    }
    EXPECT_EQ(process::wait_for_child(pid).value().status, 0);
}

} // namespace
} // namespace umbra::hostabi
