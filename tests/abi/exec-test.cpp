// SPDX-License-Identifier: GPL-2.0-or-later
// execve(2): what a new program image starts with, scripts, what survives, and every way it is refused. The
// programs that run are the helpers of helper.cpp, in this same binary.
#include "abi-test.h"

#include <climits>
#include <elf.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <thread>
#include <time.h>
#include <vector>

namespace abi_test {
namespace {

using Strings = std::vector<std::string>;

std::vector<char*> pointers(Strings const& strings)
{
    std::vector<char*> result;
    for (auto const& string : strings)
        result.push_back(const_cast<char*>(string.c_str()));
    result.push_back(nullptr);
    return result;
}

struct Ran {
    int status;
    std::string output;
};

/// Runs a program in a child after `prepare`, with its standard output in a pipe.
template <typename Prepare>
Ran run(std::string const& path, Strings const& arguments, Strings const& environment, Prepare&& prepare)
{
    Pipe pipe;
    pid_t child = start([&] {
        ::dup2(pipe.write_end, STDOUT_FILENO);
        // Some of these runs are wrong on purpose; what they say about it is not news.
        ::dup2(Fd(::open("/dev/null", O_WRONLY)), STDERR_FILENO);
        pipe.read_end.reset();
        pipe.write_end.reset();
        prepare();
        ::execve(path.c_str(), pointers(arguments).data(), pointers(environment).data());
        ::_exit(errno);
    });
    pipe.write_end.reset();
    std::string output = read_all(pipe.read_end);
    return { wait_for(child), output };
}

Ran run(std::string const& path, Strings const& arguments, Strings const& environment = {})
{
    return run(path, arguments, environment, [] {});
}

Ran helper(Strings arguments, Strings const& environment = {})
{
    arguments.insert(arguments.begin(), { "abi-tests", "--helper" });
    return run("/proc/self/exe", arguments, environment);
}

/// The errno with which execve fails.
int exec_error(std::string const& path)
{
    int status = run(path, { path }).status;
    EXPECT_TRUE(WIFEXITED(status));
    return WEXITSTATUS(status);
}

class Exec : public InScratchDirectory {
protected:
    /// A copy of this binary under another name, with its own mode.
    void copy_self(char const* name, mode_t mode = 0755)
    {
        write_file(name, read_file("/proc/self/exe"), mode);
        ASSERT_EQ(::chmod(name, mode), 0);
    }
    /// The absolute path of this binary, for the first line of scripts.
    static std::string self()
    {
        char path[PATH_MAX] = {};
        EXPECT_GT(::readlink("/proc/self/exe", path, sizeof path - 1), 0);
        return path;
    }
};

TEST_F(Exec, arguments_arrive_as_they_are)
{
    Strings odd { "arguments", "", "two words", "tab\there", "--flag=x", std::string(1000, 'a') };
    std::string expected;
    for (size_t i = 1; i < odd.size(); i++)
        expected += odd[i] + "\n";
    EXPECT_EQ(helper(odd).output, expected);
}

TEST_F(Exec, environment_arrives_as_it_is)
{
    EXPECT_EQ(
        helper({ "environment" }, { "A=1", "B=", "nonsense", "A=2" }).output, "A=1\nB=\nnonsense\nA=2\n");
    EXPECT_EQ(helper({ "environment" }, {}).output, "");
}

TEST_F(Exec, exit_status_comes_through) { EXPECT_EQ(helper({ "exit", "42" }).status, exited(42)); }

TEST_F(Exec, process_identity_stays)
{
    Pipe pipe;
    pid_t self = ::getpid();
    pid_t child = start([&] {
        ::dup2(pipe.write_end, STDOUT_FILENO);
        pipe.write_end.reset();
        ::execl("/proc/self/exe", "abi-tests", "--helper", "process", nullptr);
    });
    pipe.write_end.reset();
    char expected[64];
    std::snprintf(expected, sizeof expected, "%d %d %d %d ", child, self, ::getpgrp(), ::getsid(0));
    EXPECT_EQ(read_all(pipe.read_end).substr(0, std::strlen(expected)), expected);
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST_F(Exec, process_is_named_after_the_file)
{
    copy_self("a-long-program-name");
    std::string line = run("./a-long-program-name", { "x", "--helper", "process" }).output;
    EXPECT_EQ(line.substr(line.rfind(' ') + 1), "a-long-program-\n");
}

TEST_F(Exec, descriptors_stay_open_but_for_cloexec)
{
    Fd stays = ::fcntl(::open("/dev/null", O_RDONLY), F_DUPFD, 40);
    Fd goes = ::fcntl(stays, F_DUPFD_CLOEXEC, 41);
    ASSERT_EQ(stays, 40);
    ASSERT_EQ(goes, 41);
    std::string list = "\n" + helper({ "descriptors" }).output;
    EXPECT_NE(list.find("\n1\n"), std::string::npos);
    EXPECT_NE(list.find("\n40\n"), std::string::npos);
    EXPECT_EQ(list.find("\n41\n"), std::string::npos);
    // The caller's own table is as before.
    EXPECT_GE(::fcntl(goes, F_GETFD), 0);
}

TEST_F(Exec, failed_exec_closes_nothing)
{
    Fd fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    EXPECT_ERROR(::execl("./none", "none", nullptr), ENOENT);
    EXPECT_GE(::fcntl(fd, F_GETFD), 0);
}

TEST_F(Exec, dispositions_masks_and_pending_signals)
{
    auto result = run("/proc/self/exe", { "x", "--helper", "signals" }, {}, [] {
        set_handler(SIGUSR1, [](int) {});
        set_handler(SIGUSR2, SIG_IGN);
        block_signals({ SIGTERM });
        ::raise(SIGTERM);
        static char area[65536];
        stack_t stack { area, 0, sizeof area };
        ::sigaltstack(&stack, nullptr);
    });
    ASSERT_EQ(result.status, exited(0));
    std::string const& text = result.output;
    ASSERT_GE(text.size(), 96u);
    EXPECT_EQ(text[SIGUSR1 - 1], 'd') << "handlers go back to default";
    EXPECT_EQ(text[SIGUSR2 - 1], 'i') << "ignored stays ignored";
    EXPECT_EQ(text[32 + SIGTERM - 1], '1') << "the mask stays";
    EXPECT_EQ(text[64 + SIGTERM - 1], '1') << "pending stays";
    EXPECT_EQ(text.substr(96), "no altstack\n");
}

TEST_F(Exec, interval_timer_stays_and_posix_timers_go)
{
    auto result = run("/proc/self/exe", { "x", "--helper", "timers" }, {}, [] {
        itimerval long_time { {}, { 1000, 0 } };
        ASSERT_EQ(::setitimer(ITIMER_REAL, &long_time, nullptr), 0);
        timer_t timer;
        ASSERT_EQ(::timer_create(CLOCK_MONOTONIC, nullptr, &timer), 0);
    });
    EXPECT_EQ(result.output, "itimer no timer\n");
}

TEST_F(Exec, auxiliary_vector)
{
    auto result = run(self(), { "x", "--helper", "auxv" });
    char expected[512];
    std::snprintf(expected, sizeof expected,
        "pagesz=4096 clktck=100 uid=%u euid=%u gid=%u egid=%u\nexecfn=%s\nplatform=x86_64\nphdr=good "
        "phent=56\n"
        "entry=set random=set hwcap=set\nvdso=elf\n",
        ::getuid(), ::geteuid(), ::getgid(), ::getegid(), self().c_str());
    EXPECT_EQ(result.output, expected);
}

TEST_F(Exec, random_bytes_differ_each_time)
{
    std::string one = helper({ "random" }).output, two = helper({ "random" }).output;
    EXPECT_EQ(one.size(), 33u);
    EXPECT_NE(one, two);
}

TEST_F(Exec, replaces_memory_even_while_other_threads_run)
{
    pid_t child = start([] {
        std::thread([] {
            for (;;)
                asm volatile("pause");
        }).detach();
        std::thread([] { ::pause(); }).detach();
        ::execl("/proc/self/exe", "abi-tests", "--helper", "exit", "5", nullptr);
    });
    EXPECT_EQ(wait_for(child), exited(5));
}

TEST_F(Exec, from_a_second_thread_takes_over_the_process_id)
{
    Pipe pipe;
    pid_t child = start([&] {
        ::dup2(pipe.write_end, STDOUT_FILENO);
        pipe.write_end.reset();
        std::thread([] { ::execl("/proc/self/exe", "abi-tests", "--helper", "process", nullptr); }).join();
    });
    pipe.write_end.reset();
    EXPECT_EQ(std::atoi(read_all(pipe.read_end).c_str()), child);
    EXPECT_EQ(wait_for(child), exited(0));
}

TEST_F(Exec, vfork_and_exec)
{
    pid_t child = ::vfork();
    if (child == 0) {
        ::execl("/proc/self/exe", "abi-tests", "--helper", "exit", "9", nullptr);
        ::_exit(1);
    }
    EXPECT_EQ(wait_for(child), exited(9));
}

TEST_F(Exec, by_descriptor)
{
    Fd fd = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    in_child([&] {
        char const* arguments[] = { "x", "--helper", "exit", "0", nullptr };
        ::fexecve(fd, const_cast<char**>(arguments), environ);
        FAIL() << std::strerror(errno);
    });
    in_child([&] {
        char const* arguments[] = { "x", "--helper", "exit", "0", nullptr };
        raw(SYS_execveat, int(fd), "", arguments, environ, AT_EMPTY_PATH);
        FAIL();
    });
    EXPECT_EQ(raw(SYS_execveat, int(fd), "", nullptr, nullptr, 0), -ENOENT);
    EXPECT_EQ(raw(SYS_execveat, int(fd), "x", nullptr, nullptr, 0x4000'0000), -EINVAL);
    ASSERT_EQ(::symlink("/proc/self/exe", "link"), 0);
    EXPECT_EQ(raw(SYS_execveat, AT_FDCWD, "link", nullptr, nullptr, AT_SYMLINK_NOFOLLOW), -ELOOP);
}

TEST_F(Exec, script_runs_its_interpreter)
{
    write_file("script", "#!" + self() + "\n", 0755);
    // The kernel gives interpreter, script, arguments: argv[0] is lost.
    auto result = run("./script", { "lost", "--helper" });
    EXPECT_EQ(result.status, exited(2)) << "argv[1] is the script, so that this is no --helper";
    write_file("script", "#!" + self() + " --helper\nignored\n", 0755);
    // Now argv is: interpreter, --helper, ./script: no helper of that name.
    EXPECT_EQ(run("./script", { "lost" }).status, exited(2));
}

TEST_F(Exec, script_argument_is_one_string)
{
    // The helper's name is the path of the script, so a link named like a helper must be what is run.
    write_file("arguments", "#!" + self() + " --helper  \nrest\n", 0755);
    auto result = run("arguments", { "lost", "one", "two words" });
    EXPECT_EQ(result.output, "one\ntwo words\n");
}

TEST_F(Exec, script_line_variants)
{
    std::string helper_line = self() + " --helper";
    for (std::string const& line :
        { "#! \t" + helper_line + "\n", "#!" + helper_line, "#!" + self() + "\t--helper\n" }) {
        ::unlink("arguments");
        write_file("arguments", line, 0755);
        EXPECT_EQ(run("arguments", { "lost", "x" }).output, "x\n") << line;
    }
}

TEST_F(Exec, scripts_of_scripts)
{
    write_file("s1", "#!" + self() + " --helper\n", 0755);
    // s2 -> s1 -> binary: argv = self --helper s1 ... : "s1" is not a helper, so the exit status is 2, not
    // ENOEXEC.
    write_file("s2", "#!" + scratch_.path() + "/s1\n", 0755);
    EXPECT_EQ(run("./s2", { "x" }).status, exited(2));
    for (int i = 3; i <= 8; i++)
        write_file(
            "s" + std::to_string(i), "#!" + scratch_.path() + "/s" + std::to_string(i - 1) + "\n", 0755);
    EXPECT_EQ(run("./s5", { "x" }).status, exited(2));
    EXPECT_EQ(exec_error("./s8"), ELOOP);
    write_file("loop", "#!" + scratch_.path() + "/loop\n", 0755);
    EXPECT_EQ(exec_error("./loop"), ELOOP);
}

TEST_F(Exec, script_errors)
{
    write_file("missing", "#!/no/such/interpreter\n", 0755);
    EXPECT_EQ(exec_error("./missing"), ENOENT);
    write_file("empty", "#!\n", 0755);
    EXPECT_EQ(exec_error("./empty"), ENOEXEC);
    write_file("blank", "#!   \n", 0755);
    EXPECT_EQ(exec_error("./blank"), ENOEXEC);
    write_file("directory", "#!/\n", 0755);
    EXPECT_EQ(exec_error("./directory"), EACCES);
    write_file("long", "#!/" + std::string(300, 'x') + "\n", 0755);
    EXPECT_EQ(exec_error("./long"), ENOEXEC);
}

TEST_F(Exec, what_is_no_program)
{
    write_file("text", "echo hello\n", 0755);
    EXPECT_EQ(exec_error("./text"), ENOEXEC);
    write_file("nothing", "", 0755);
    EXPECT_EQ(exec_error("./nothing"), ENOEXEC);
    EXPECT_EQ(exec_error("."), EACCES);
    EXPECT_EQ(exec_error("/dev/null"), EACCES);
    EXPECT_EQ(exec_error("./none"), ENOENT);
    EXPECT_EQ(exec_error(""), ENOENT);
    EXPECT_EQ(exec_error("./text/x"), ENOTDIR);
    ASSERT_EQ(::symlink("loop", "loop"), 0);
    EXPECT_EQ(exec_error("./loop"), ELOOP);
    EXPECT_EQ(exec_error(std::string(NAME_MAX + 1, 'x')), ENAMETOOLONG);
}

TEST_F(Exec, execute_permission_is_needed)
{
    copy_self("plain", 0644);
    EXPECT_EQ(exec_error("./plain"), EACCES);
    copy_self("secret", 0711);
    ASSERT_EQ(::chmod("secret", 0111), 0);
    as_ordinary_user([] {
        // Executable though not readable.
        EXPECT_EQ(run("./secret", { "x", "--helper", "exit", "3" }).status, exited(3));
        // Nor may it be read from its memory.
        EXPECT_EQ(run("./secret", { "x", "--helper", "dumpable" }).output, "0\n");
        EXPECT_EQ(run(self(), { "x", "--helper", "dumpable" }).output, "1\n");
    });
}

TEST_F(Exec, malformed_elf)
{
    std::string image = read_file("/proc/self/exe");
    auto variant = [&](auto&& change) {
        std::string copy = image.substr(0, 1 << 16);
        change(*reinterpret_cast<Elf64_Ehdr*>(copy.data()), copy);
        ::unlink("bad");
        write_file("bad", copy, 0755);
        return exec_error("./bad");
    };
    EXPECT_EQ(variant([](auto&, std::string& s) { s.resize(4); }), ENOEXEC);
    EXPECT_EQ(variant([](auto&, std::string& s) { s.resize(40); }), ENOEXEC);
    EXPECT_EQ(variant([](Elf64_Ehdr& h, auto&) { h.e_machine = EM_AARCH64; }), ENOEXEC);
    EXPECT_EQ(variant([](Elf64_Ehdr& h, auto&) { h.e_type = ET_REL; }), ENOEXEC);
    EXPECT_EQ(variant([](Elf64_Ehdr& h, auto&) { h.e_type = ET_CORE; }), ENOEXEC);
    EXPECT_EQ(variant([](Elf64_Ehdr& h, auto&) { h.e_phentsize = 1; }), ENOEXEC);
    EXPECT_EQ(variant([](Elf64_Ehdr& h, auto&) { h.e_phnum = 0; }), ENOEXEC);
    EXPECT_EQ(variant([](Elf64_Ehdr& h, auto&) { h.e_phnum = 5000; }), ENOEXEC);
    EXPECT_EQ(variant([](auto&, std::string& s) { s[0] = 'x'; }), ENOEXEC);
}

/// A minimal program header table behind an ELF header that asks for an interpreter.
std::string elf_with_interpreter(std::string const& interpreter)
{
    Elf64_Ehdr header {};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_DYN;
    header.e_machine = EM_X86_64;
    header.e_version = EV_CURRENT;
    header.e_phoff = sizeof header;
    header.e_ehsize = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 2;
    Elf64_Phdr headers[2] {};
    headers[0].p_type = PT_INTERP;
    headers[0].p_offset = sizeof header + sizeof headers;
    headers[0].p_filesz = interpreter.size() + 1;
    headers[1].p_type = PT_LOAD;
    headers[1].p_flags = PF_R | PF_X;
    headers[1].p_filesz = headers[1].p_memsz = kPage;
    headers[1].p_align = kPage;
    std::string image(reinterpret_cast<char*>(&header), sizeof header);
    image.append(reinterpret_cast<char*>(headers), sizeof headers);
    image += interpreter;
    image.resize(2 * kPage);
    return image;
}

TEST_F(Exec, elf_interpreter_errors)
{
    write_file("missing", elf_with_interpreter("/no/such/loader"), 0755);
    EXPECT_EQ(exec_error("./missing"), ENOENT);
    write_file("text", "no elf at all, but long enough to be looked at as if it were one: 64 bytes", 0755);
    write_file("bad", elf_with_interpreter(scratch_.path() + "/text"), 0755);
    EXPECT_EQ(exec_error("./bad"), ELIBBAD);
    write_file("forbidden", "x", 0644);
    write_file("closed", elf_with_interpreter(scratch_.path() + "/forbidden"), 0755);
    EXPECT_EQ(exec_error("./closed"), EACCES);
}

TEST_F(Exec, too_many_arguments)
{
    // One string may have 128 KiB, all together a quarter of the stack limit.
    Strings one_long { "x", "--helper", "exit", "0", std::string(131072, 'x') };
    EXPECT_EQ(run(self(), one_long).status, exited(E2BIG));
    one_long.back().resize(131071);
    EXPECT_EQ(run(self(), one_long).status, exited(0));
    Strings many { "x", "--helper", "exit", "0" };
    many.resize(1000, std::string(4000, 'x'));
    auto with_small_stack = run(self(), many, {}, [] {
        rlimit limit { 1 << 20, RLIM_INFINITY };
        ASSERT_EQ(::setrlimit(RLIMIT_STACK, &limit), 0);
    });
    EXPECT_EQ(with_small_stack.status, exited(E2BIG));
}

TEST_F(Exec, ten_thousand_arguments_fit)
{
    Strings many { "arguments" };
    many.resize(10'000, "argument");
    EXPECT_EQ(helper(many).output.size(), (many.size() - 1) * 9);
}

TEST_F(Exec, bad_pointers)
{
    EXPECT_EQ(raw(SYS_execve, 8, nullptr, nullptr), -EFAULT);
    EXPECT_EQ(raw(SYS_execve, "/proc/self/exe", 8, nullptr), -EFAULT);
    char const* arguments[] = { "x", reinterpret_cast<char*>(uintptr_t(8)), nullptr };
    EXPECT_EQ(raw(SYS_execve, "/proc/self/exe", arguments, nullptr), -EFAULT);
}

TEST_F(Exec, setuid_programs_change_the_effective_user)
{
    NEEDS_ROOT();
    copy_self("program");
    ASSERT_EQ(::chown("program", 1234, 5678), 0);
    ASSERT_EQ(::chmod("program", 06755), 0);
    auto result = run("./program", { "x", "--helper", "ids" }, {}, become_ordinary_user);
    if (result.output.find("1000 1000") == 0) SKIP_AS_HOST_LACKS("setuid here (nosuid or no_new_privs)");
    EXPECT_EQ(result.output, "1000 1234 1234 1000 5678 5678\n1\n");
}

TEST_F(Exec, no_new_privs_disarms_setuid)
{
    NEEDS_ROOT();
    copy_self("program");
    ASSERT_EQ(::chmod("program", 04755), 0);
    auto result = run("./program", { "x", "--helper", "ids" }, {}, [] {
        become_ordinary_user();
        raw(SYS_prctl, 38, 1, 0, 0, 0);
    });
    EXPECT_EQ(result.output.substr(0, 14), "1000 1000 1000");
}

TEST_F(Exec, saved_ids_follow_the_effective_ones)
{
    NEEDS_ROOT();
    auto result = run("/proc/self/exe", { "x", "--helper", "ids" }, {}, [] {
        ASSERT_EQ(::setresgid(1, 2, 3), 0);
        ASSERT_EQ(::setresuid(4, 0, 5), 0);
    });
    EXPECT_EQ(result.output.substr(0, 12), "4 0 0 1 2 2\n");
}

TEST_F(Exec, two_hundred_in_a_row)
{
    for (int i = 0; i < 200; i++)
        ASSERT_EQ(helper({ "exit", std::to_string(i) }).status, exited(i));
}

} // namespace
} // namespace abi_test
