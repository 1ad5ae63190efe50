// SPDX-License-Identifier: GPL-2.0-or-later
// prctl(2) and arch_prctl(2): the options about memory, the machine and the catching of system calls.
#include "abi-test.h"

#include <asm/prctl.h>
#include <elf.h>
#include <linux/prctl.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <thread>
#include <ucontext.h>
#include <vector>

#include "ptrace.h"

namespace abi_test {
namespace {

long option(int number, unsigned long a = 0, unsigned long b = 0, unsigned long c = 0, unsigned long d = 0)
{
    return raw(SYS_prctl, long(number), a, b, c, d);
}
unsigned long word(void const* pointer) { return reinterpret_cast<unsigned long>(pointer); }
bool has_capability(int capability)
{
    auto text = read_file("/proc/self/status");
    auto at = text.find("CapEff:\t");
    return std::strtoull(text.c_str() + at + 8, nullptr, 16) >> capability & 1;
}

TEST(Prctl, options_of_other_machines_are_unknown)
{
    for (int number :
        { 0, 5, 6, 9, 11, 17, 18, 19, 43, 44, 45, 46, 48, 49, 50, 51, 54, 55, 56, 63, 64, 69, 70, 71, 1000 })
        EXPECT_EQ(option(number, 1), -EINVAL) << number;
}

TEST(Prctl, machine_check_policy)
{
    in_child([] {
        EXPECT_EQ(option(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY), 0);
        EXPECT_EQ(option(PR_MCE_KILL_GET), PR_MCE_KILL_EARLY);
        in_child([] { EXPECT_EQ(option(PR_MCE_KILL_GET), PR_MCE_KILL_EARLY); });
        EXPECT_EQ(option(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_LATE), 0);
        EXPECT_EQ(option(PR_MCE_KILL_GET), PR_MCE_KILL_LATE);
        EXPECT_EQ(option(PR_MCE_KILL, PR_MCE_KILL_SET, 3), -EINVAL);
        EXPECT_EQ(option(PR_MCE_KILL, 2, 0), -EINVAL);
        EXPECT_EQ(option(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 1), -EINVAL);
        EXPECT_EQ(option(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 1), -EINVAL);
        EXPECT_EQ(option(PR_MCE_KILL_GET, 1), -EINVAL);
        EXPECT_EQ(option(PR_MCE_KILL, PR_MCE_KILL_CLEAR), 0);
        EXPECT_EQ(option(PR_MCE_KILL_GET), PR_MCE_KILL_DEFAULT);
    });
}

TEST(Prctl, speculation_is_told_of)
{
    for (unsigned long kind : { PR_SPEC_STORE_BYPASS, PR_SPEC_INDIRECT_BRANCH, 2 /* PR_SPEC_L1D_FLUSH */ })
        EXPECT_GE(option(PR_GET_SPECULATION_CTRL, kind), 0);
    EXPECT_EQ(option(PR_GET_SPECULATION_CTRL, 3), -ENODEV);
    EXPECT_EQ(option(PR_SET_SPECULATION_CTRL, 3, PR_SPEC_ENABLE), -ENODEV);
    EXPECT_EQ(option(PR_GET_SPECULATION_CTRL, 0, 1), -EINVAL);
    EXPECT_EQ(option(PR_SET_SPECULATION_CTRL, 0, PR_SPEC_ENABLE, 1), -EINVAL);
}

TEST(Prctl, io_flusher_is_for_the_privileged)
{
    as_ordinary_user([] {
        EXPECT_EQ(option(PR_SET_IO_FLUSHER, 1), -EPERM);
        EXPECT_EQ(option(PR_GET_IO_FLUSHER), -EPERM);
    });
    if (!has_capability(24 /* CAP_SYS_RESOURCE */)) GTEST_SKIP() << "needs CAP_SYS_RESOURCE";
    in_child([] {
        EXPECT_EQ(option(PR_GET_IO_FLUSHER), 0);
        EXPECT_EQ(option(PR_SET_IO_FLUSHER, 1), 0);
        EXPECT_EQ(option(PR_GET_IO_FLUSHER), 1);
        in_child([] { EXPECT_EQ(option(PR_GET_IO_FLUSHER), 1); });
        EXPECT_EQ(option(PR_SET_IO_FLUSHER, 2), -EINVAL);
        EXPECT_EQ(option(PR_SET_IO_FLUSHER, 0, 1), -EINVAL);
        EXPECT_EQ(option(PR_GET_IO_FLUSHER, 1), -EINVAL);
    });
}

// --- memory that was written does not run ---

constexpr int kSetMdwe = 65, kGetMdwe = 66;

TEST(Prctl, write_or_execute)
{
    if (option(kGetMdwe) == -EINVAL) SKIP_AS_HOST_LACKS("PR_SET_MDWE");
    in_child([] {
        Mapping before(kPage, PROT_READ | PROT_EXEC);
        EXPECT_EQ(option(kSetMdwe, 2), -EINVAL);
        EXPECT_EQ(option(kSetMdwe, 4), -EINVAL);
        EXPECT_EQ(option(kSetMdwe, 1, 1), -EINVAL);
        EXPECT_EQ(option(kGetMdwe, 1), -EINVAL);
        EXPECT_EQ(option(kSetMdwe, 1), 0);
        EXPECT_EQ(option(kGetMdwe), 1);
        EXPECT_EQ(option(kSetMdwe, 1), 0);
        EXPECT_EQ(option(kSetMdwe, 0), -EPERM);
        EXPECT_EQ(option(kSetMdwe, 3), -EPERM);
        EXPECT_EQ(
            ::mmap(nullptr, kPage, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), MAP_FAILED);
        EXPECT_EQ(errno, EACCES);
        Mapping data(kPage);
        EXPECT_ERROR(::mprotect(data.data(), kPage, PROT_READ | PROT_EXEC), EACCES);
        EXPECT_ERROR(::mprotect(before.data(), kPage, PROT_WRITE | PROT_EXEC), EACCES);
        EXPECT_EQ(::mprotect(before.data(), kPage, PROT_READ | PROT_EXEC), 0);
        EXPECT_EQ(::mprotect(before.data(), kPage, PROT_READ), 0);
        in_child([] { EXPECT_EQ(option(kGetMdwe), 1); });
    });
    in_child([] {
        EXPECT_EQ(option(kSetMdwe, 3), 0);
        EXPECT_EQ(option(kGetMdwe), 3);
        in_child([] { EXPECT_EQ(option(kGetMdwe), 0); });
    });
}

// --- names of memory ---

constexpr int kSetVma = 0x53564d41;

std::string map_line(void const* address)
{
    char start[32];
    std::snprintf(start, sizeof start, "%08lx-", word(address));
    auto maps = read_file("/proc/self/maps");
    auto at = maps.find(start);
    return at == maps.npos ? "" : maps.substr(at, maps.find('\n', at) - at);
}

TEST(Prctl, anonymous_memory_has_names)
{
    Mapping area(4 * kPage), shared(kPage, PROT_READ, MAP_SHARED | MAP_ANONYMOUS);
    long named = option(kSetVma, 0, word(area.data()), 4 * kPage, word("my heap"));
    if (named == -EINVAL) SKIP_AS_HOST_LACKS("names of anonymous memory");
    ASSERT_EQ(named, 0);
    EXPECT_NE(map_line(area.data()).find("[anon:my heap]"), std::string::npos);
    EXPECT_EQ(option(kSetVma, 0, word(area.data() + kPage), kPage, word("other")), 0);
    EXPECT_NE(map_line(area.data()).find("[anon:my heap]"), std::string::npos);
    EXPECT_NE(map_line(area.data() + kPage).find("[anon:other]"), std::string::npos);
    EXPECT_NE(map_line(area.data() + 2 * kPage).find("[anon:my heap]"), std::string::npos);
    EXPECT_EQ(option(kSetVma, 0, word(shared.data()), kPage, word("both")), 0);
    EXPECT_NE(map_line(shared.data()).find("[anon_shmem:both]"), std::string::npos);
    in_child([&] { EXPECT_NE(map_line(area.data() + kPage).find("[anon:other]"), std::string::npos); });
    EXPECT_EQ(option(kSetVma, 0, word(area.data()), 4 * kPage, 0), 0);
    EXPECT_EQ(map_line(area.data()).find("anon"), std::string::npos);
}

TEST(Prctl, naming_memory_is_checked)
{
    Mapping area(4 * kPage);
    if (option(kSetVma, 0, word(area.data()), kPage, word("x")) == -EINVAL) SKIP_AS_HOST_LACKS("names");
    EXPECT_EQ(option(kSetVma, 1, word(area.data()), kPage, word("x")), -EINVAL);
    EXPECT_EQ(option(kSetVma, 0, word(area.data()) + 1, kPage, word("x")), -EINVAL);
    for (char const* bad : { "a]", "a[", "$", "`", "\\", "\n", "\x80" })
        EXPECT_EQ(option(kSetVma, 0, word(area.data()), kPage, word(bad)), -EINVAL) << bad;
    EXPECT_EQ(option(kSetVma, 0, word(area.data()), kPage, word(std::string(79, 'x').c_str())), 0);
    EXPECT_EQ(option(kSetVma, 0, word(area.data()), kPage, word(std::string(80, 'x').c_str())), -EINVAL);
    EXPECT_EQ(option(kSetVma, 0, word(area.data()), kPage, 8), -EFAULT);
    EXPECT_EQ(option(kSetVma, 0, word(area.data()), 0, word("x")), 0);
    ASSERT_EQ(::munmap(area.data() + kPage, kPage), 0);
    EXPECT_EQ(option(kSetVma, 0, word(area.data()), 4 * kPage, word("x")), -ENOMEM);
    Fd file(::open("/proc/self/exe", O_RDONLY));
    Mapping text(kPage, PROT_READ, MAP_PRIVATE, file);
    EXPECT_EQ(option(kSetVma, 0, word(text.data()), kPage, word("x")), -EBADF);
}

// --- where a program's parts are ---

TEST(Prctl, the_auxiliary_vector_can_be_had)
{
    constexpr int get = 0x41555856;
    std::vector<unsigned long> words(100);
    long size = option(get, word(words.data()), words.size() * 8);
    if (size == -EINVAL) SKIP_AS_HOST_LACKS("PR_GET_AUXV");
    ASSERT_GT(size, 100);
    unsigned long page = 0;
    for (size_t i = 0; words[i] != AT_NULL; i += 2)
        if (words[i] == AT_PAGESZ) page = words[i + 1];
    EXPECT_EQ(page, kPage);
    unsigned long few[3] = { 0, 0, 77 };
    EXPECT_EQ(option(get, word(few), 16), size);
    EXPECT_EQ(few[0], words[0]);
    EXPECT_EQ(few[2], 77u);
    EXPECT_EQ(option(get, 8, 16), -EFAULT);
    EXPECT_EQ(option(get, word(few), 16, 1), -EINVAL);
}

struct MemoryMap {
    uint64_t start_code, end_code, start_data, end_data, start_brk, brk, start_stack, arg_start, arg_end,
        env_start, env_end, auxv;
    uint32_t auxv_size, exe_fd;
};

/// The process's own, as /proc/self/stat has it.
MemoryMap own_map()
{
    auto text = read_file("/proc/self/stat");
    std::vector<uint64_t> fields;
    char const* at = text.c_str() + text.rfind(')') + 4; // behind the state
    for (char* end; fields.size() < 49; at = end)
        fields.push_back(std::strtoull(at, &end, 10));
    auto field = [&](int number) { return fields[size_t(number - 4)]; };
    auto brk = uint64_t(::syscall(SYS_brk, 0));
    return { field(26), field(27), field(45), field(46), field(47), brk, field(28), field(48), field(49),
        field(50), field(51), 0, 0, ~0u };
}

TEST(Prctl, the_whole_map_can_be_set)
{
    unsigned size = 0;
    ASSERT_EQ(option(PR_SET_MM, PR_SET_MM_MAP_SIZE, word(&size)), 0);
    ASSERT_EQ(size, sizeof(MemoryMap));
    in_child([] {
        auto map = own_map();
        Mapping area(kPage);
        std::memcpy(area.data(), "new\0name", 9);
        map.arg_start = word(area.data()), map.arg_end = map.arg_start + 9;
        EXPECT_EQ(option(PR_SET_MM, PR_SET_MM_MAP, word(&map), sizeof map), 0);
        EXPECT_EQ(read_file("/proc/self/cmdline"), std::string("new\0name", 9));
        unsigned long vector[4] = { AT_PAGESZ, 12345, AT_NULL, 0 };
        map.auxv = word(vector), map.auxv_size = sizeof vector;
        EXPECT_EQ(option(PR_SET_MM, PR_SET_MM_MAP, word(&map), sizeof map), 0);
        auto text = read_file("/proc/self/auxv");
        EXPECT_EQ(std::memcmp(text.data(), vector, sizeof vector), 0);
        EXPECT_EQ(option(PR_SET_MM, PR_SET_MM_MAP, word(&map), 8), -EINVAL);
        EXPECT_EQ(option(PR_SET_MM, PR_SET_MM_MAP, 8, sizeof map), -EFAULT);
        auto wrong = map;
        wrong.start_code = wrong.end_code;
        EXPECT_EQ(option(PR_SET_MM, PR_SET_MM_MAP, word(&wrong), sizeof map), -EINVAL);
        wrong = map;
        wrong.env_end = ~uint64_t { 0 };
        EXPECT_EQ(option(PR_SET_MM, PR_SET_MM_MAP, word(&wrong), sizeof map), -EINVAL);
        wrong = map;
        wrong.auxv_size = 4096;
        EXPECT_EQ(option(PR_SET_MM, PR_SET_MM_MAP, word(&wrong), sizeof map), -EINVAL);
    });
}

TEST(Prctl, single_fields_are_for_the_privileged)
{
    as_ordinary_user([] {
        auto map = own_map();
        EXPECT_EQ(option(PR_SET_MM, PR_SET_MM_START_CODE, map.start_code), -EPERM);
        EXPECT_EQ(option(PR_SET_MM, PR_SET_MM_START_CODE, map.start_code, 1), -EINVAL);
        EXPECT_EQ(option(PR_SET_MM, PR_SET_MM_EXE_FILE, 0), -EPERM);
    });
    if (!has_capability(24)) GTEST_SKIP() << "needs CAP_SYS_RESOURCE";
    in_child([] {
        auto map = own_map();
        EXPECT_EQ(option(PR_SET_MM, PR_SET_MM_START_CODE, map.start_code + 1), 0);
        EXPECT_EQ(own_map().start_code, map.start_code + 1);
        EXPECT_EQ(option(PR_SET_MM, PR_SET_MM_START_CODE, map.end_code), -EINVAL);
        EXPECT_EQ(option(PR_SET_MM, PR_SET_MM_START_CODE, ~0ul), -EINVAL);
        EXPECT_EQ(option(PR_SET_MM, PR_SET_MM_START_CODE, 0), -EINVAL);
        EXPECT_EQ(option(PR_SET_MM, 99, map.start_code), -EINVAL);
        EXPECT_EQ(option(PR_SET_MM, PR_SET_MM_EXE_FILE, 9999), -EBADF);
        Fd self(::open("/proc/self/exe", O_RDONLY)), null(::open("/dev/null", O_RDONLY));
        EXPECT_EQ(option(PR_SET_MM, PR_SET_MM_EXE_FILE, unsigned(int(null))), -EACCES);
        EXPECT_EQ(option(PR_SET_MM, PR_SET_MM_EXE_FILE, unsigned(int(self))), -EBUSY);
    });
}

// --- PR_SET_SYSCALL_USER_DISPATCH ---

constexpr int kSetDispatch = 59;
volatile char selector;
siginfo_t caught;

void on_call(int, siginfo_t* info, void* context)
{
    selector = 0;
    caught = *info;
    static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RAX] = 4711;
}

TEST(SyscallUserDispatch, calls_raise_sigsys)
{
    in_child([] {
        set_handler(SIGSYS, on_call);
        auto const at = word(const_cast<char*>(&selector));
        ASSERT_EQ(option(kSetDispatch, 1, 0, 0, at), 0);
        EXPECT_EQ(raw(SYS_getppid), ::getppid());
        selector = 1;
        long result = ::syscall(SYS_getppid);
        EXPECT_EQ(result, 4711);
        EXPECT_EQ(caught.si_code, 2); // SYS_USER_DISPATCH
        EXPECT_EQ(caught.si_syscall, SYS_getppid);
        EXPECT_EQ(caught.si_arch, 0xc000003eu);
        in_child([] {
            selector = 1;
            long mine = ::syscall(SYS_getpid); // fork(2) does not hand it on
            selector = 0;
            EXPECT_NE(mine, 4711);
        });
        EXPECT_EQ(option(kSetDispatch, 0), 0);
        selector = 1;
        EXPECT_NE(raw(SYS_getppid), 4711);
    });
}

TEST(SyscallUserDispatch, a_region_is_exempt)
{
    in_child([] {
        set_handler(SIGSYS, on_call);
        selector = 1;
        ASSERT_EQ(option(kSetDispatch, 1, 1, ~0ul - 1, word(const_cast<char*>(&selector))), 0);
        EXPECT_EQ(raw(SYS_getppid), ::getppid());
        selector = 0;
    });
}

TEST(SyscallUserDispatch, bad_selectors_kill)
{
    pid_t child = start([] {
        selector = 7;
        ASSERT_EQ(option(kSetDispatch, 1, 0, 0, word(const_cast<char*>(&selector))), 0);
        raw(SYS_getppid);
    });
    EXPECT_EQ(wait_for(child), killed_by(SIGSYS));
    child = start([] {
        ASSERT_EQ(option(kSetDispatch, 1, 0, 0, 8), 0);
        raw(SYS_getppid);
    });
    EXPECT_EQ(wait_for(child), killed_by(SIGSEGV));
}

TEST(SyscallUserDispatch, arguments_are_checked)
{
    EXPECT_EQ(option(kSetDispatch, 2), -EINVAL);
    EXPECT_EQ(option(kSetDispatch, 0, 1), -EINVAL);
    EXPECT_EQ(option(kSetDispatch, 1, 5, 0), -EINVAL);
    EXPECT_EQ(option(kSetDispatch, 1, 5, ~0ul - 4), -EINVAL);
    EXPECT_EQ(option(kSetDispatch, 1, 0, 0, 1ul << 63), -EFAULT);
}

TEST(SyscallUserDispatch, a_tracer_reads_and_sets_it)
{
    constexpr int set = 0x4210, get = 0x4211;
    struct Config {
        uint64_t mode, selector, offset, length;
    } config {};
    pid_t child = start_traced([] {
        set_handler(SIGSYS, on_call);
        selector = 1;
        ::raise(SIGSTOP);
    });
    if (trace(get, child, sizeof config, &config) == -EIO) {
        end_tracee(child);
        SKIP_AS_HOST_LACKS("PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG");
    }
    EXPECT_EQ(config.mode, 0u);
    EXPECT_EQ(trace(get, child, 8, &config), -EINVAL);
    EXPECT_EQ(trace(set, child, 8, &config), -EINVAL);
    EXPECT_EQ(trace(set, child, sizeof config, 8L), -EFAULT);
    config = { 1, word(const_cast<char*>(&selector)), 3, 4 };
    EXPECT_EQ(trace(set, child, sizeof config, &config), 0);
    config = {};
    EXPECT_EQ(trace(get, child, sizeof config, &config), 0);
    EXPECT_EQ(config.mode, 1u);
    EXPECT_EQ(config.offset, 3u);
    EXPECT_EQ(config.length, 4u);
    end_tracee(child);
}

// --- arch_prctl ---

TEST(ArchPrctl, features_of_the_cpu)
{
    EXPECT_EQ(raw(SYS_arch_prctl, 0x1011, 0), 1); // ARCH_GET_CPUID
    uint64_t supported = 0, permitted = 0;
    EXPECT_EQ(raw(SYS_arch_prctl, 0x1021, &supported), 0); // ARCH_GET_XCOMP_SUPP
    EXPECT_EQ(raw(SYS_arch_prctl, 0x1022, &permitted), 0); // ARCH_GET_XCOMP_PERM
    EXPECT_EQ(supported & 3, 3u);
    EXPECT_EQ(permitted & ~supported, 0u);
    EXPECT_EQ(raw(SYS_arch_prctl, 0x1021, 8), -EFAULT);
    EXPECT_EQ(raw(SYS_arch_prctl, 0x1023, 99), -EINVAL); // ARCH_REQ_XCOMP_PERM
    EXPECT_EQ(raw(SYS_arch_prctl, 0x1023, 2), -EOPNOTSUPP);
    EXPECT_EQ(raw(SYS_arch_prctl, 0x3001, 0), -EINVAL); // ARCH_CET_STATUS, which never was
    EXPECT_EQ(raw(SYS_arch_prctl, 0x9999, 0), -EINVAL);
}

} // namespace
} // namespace abi_test
