// SPDX-License-Identifier: GPL-2.0-or-later
// Core dumps, core(5): when there is one, its name, and what an ELF reader finds in it.
#include "abi-test.h"

#include <algorithm>
#include <elf.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/procfs.h>
#include <sys/resource.h>
#include <thread>
#include <vector>

namespace abi_test {
namespace {

char marker[64] = "a word that only this process's memory holds";

/// A core file as a reader sees it.
struct Core {
    explicit Core(std::string bytes)
        : bytes(std::move(bytes))
    {
        if (this->bytes.size() < sizeof header) return;
        std::memcpy(&header, this->bytes.data(), sizeof header);
        for (unsigned i = 0; i < header.e_phnum; i++) {
            Elf64_Phdr segment;
            std::memcpy(&segment, this->bytes.data() + header.e_phoff + i * sizeof segment, sizeof segment);
            segments.push_back(segment);
        }
    }
    /// The descriptions of all notes of a type.
    std::vector<std::string> notes(unsigned type) const
    {
        std::vector<std::string> found;
        for (auto const& segment : segments) {
            if (segment.p_type != PT_NOTE) continue;
            size_t at = segment.p_offset, end = at + segment.p_filesz;
            while (at + sizeof(Elf64_Nhdr) <= end) {
                Elf64_Nhdr note;
                std::memcpy(&note, bytes.data() + at, sizeof note);
                at += sizeof note + ((note.n_namesz + 3) & ~3u);
                if (note.n_type == type) found.push_back(bytes.substr(at, note.n_descsz));
                at += (note.n_descsz + 3) & ~3u;
            }
        }
        return found;
    }
    template <typename Record> Record note(unsigned type) const
    {
        Record record {};
        auto all = notes(type);
        EXPECT_FALSE(all.empty());
        if (all.empty()) return record;
        EXPECT_EQ(all[0].size(), sizeof record);
        std::memcpy(&record, all[0].data(), std::min(sizeof record, all[0].size()));
        return record;
    }
    /// Memory at an address, if the file has it.
    std::string memory(void const* where, size_t size) const
    {
        auto address = reinterpret_cast<uintptr_t>(where);
        for (auto const& segment : segments)
            if (segment.p_type == PT_LOAD && address >= segment.p_vaddr
                && address + size <= segment.p_vaddr + segment.p_filesz)
                return bytes.substr(segment.p_offset + (address - segment.p_vaddr), size);
        return {};
    }

    std::string bytes;
    Elf64_Ehdr header {};
    std::vector<Elf64_Phdr> segments;
};

class CoreDump : public InScratchDirectory {
protected:
    void SetUp() override
    {
        if (read_file("/proc/sys/kernel/core_pattern") != "core\n"
            || read_file("/proc/sys/kernel/core_uses_pid") != "0\n")
            SKIP_AS_HOST_LACKS("the plain core_pattern");
    }
    /// Runs the body in a child that may dump; its wait status.
    template <typename Body> int run(Body&& body, rlim_t limit = RLIM_INFINITY)
    {
        pid_ = start([&] {
            rlimit const dumps { limit, RLIM_INFINITY };
            EXPECT_OK(::setrlimit(RLIMIT_CORE, &dumps));
            ::prctl(PR_SET_DUMPABLE, 1);
            body();
        });
        int status = 0;
        EXPECT_EQ(::waitpid(pid_, &status, 0), pid_);
        return status;
    }
    pid_t pid_ = 0;
};

TEST_F(CoreDump, is_an_elf_file)
{
    int status = run([] {
        std::strcpy(marker + 45, "changed");
        ::raise(SIGABRT);
    });
    EXPECT_EQ(WTERMSIG(status), SIGABRT);
    EXPECT_TRUE(WCOREDUMP(status));
    EXPECT_EQ(mode_of("core") & 07777, 0600u);
    Core core(read_file("core"));
    ASSERT_EQ(std::memcmp(core.header.e_ident, ELFMAG, SELFMAG), 0);
    EXPECT_EQ(core.header.e_type, ET_CORE);
    EXPECT_EQ(core.header.e_machine, EM_X86_64);
    auto thread = core.note<prstatus_t>(NT_PRSTATUS);
    EXPECT_EQ(thread.pr_pid, pid_);
    EXPECT_EQ(thread.pr_ppid, ::getpid());
    EXPECT_EQ(thread.pr_cursig, SIGABRT);
    EXPECT_EQ(thread.pr_info.si_signo, SIGABRT);
    EXPECT_EQ(thread.pr_fpvalid, 1);
    auto process = core.note<prpsinfo_t>(NT_PRPSINFO);
    EXPECT_EQ(process.pr_pid, pid_);
    EXPECT_EQ(process.pr_uid, ::getuid());
    EXPECT_EQ(process.pr_sname, 'R');
    char name[sizeof process.pr_fname] = "";
    ASSERT_EQ(::prctl(PR_GET_NAME, name), 0); // the child's is its parent's
    EXPECT_STREQ(process.pr_fname, name);
    auto info = core.note<siginfo_t>(NT_SIGINFO);
    EXPECT_EQ(info.si_signo, SIGABRT);
    EXPECT_EQ(info.si_code, SI_TKILL);
    EXPECT_EQ(core.notes(NT_FPREGSET).size(), 1u);
    EXPECT_EQ(core.notes(NT_X86_XSTATE).size(), 1u);
    ASSERT_EQ(core.notes(NT_AUXV).size(), 1u);
    EXPECT_EQ(core.notes(NT_AUXV)[0], read_file("/proc/self/auxv"));
    ASSERT_EQ(core.notes(NT_FILE).size(), 1u);
    EXPECT_NE(core.notes(NT_FILE)[0].find("abi-tests"), std::string::npos);
    EXPECT_EQ(core.memory(marker + 45, 7), "changed");
    EXPECT_FALSE(core.memory(reinterpret_cast<void*>(thread.pr_reg[19]), 16).empty()) << "the stack";
}

TEST_F(CoreDump, of_a_fault_says_where)
{
    int status = run([] { *reinterpret_cast<char volatile*>(0x10) = 1; });
    EXPECT_EQ(WTERMSIG(status), SIGSEGV);
    EXPECT_TRUE(WCOREDUMP(status));
    Core core(read_file("core"));
    auto info = core.note<siginfo_t>(NT_SIGINFO);
    EXPECT_EQ(info.si_addr, reinterpret_cast<void*>(0x10));
    auto thread = core.note<prstatus_t>(NT_PRSTATUS);
    EXPECT_FALSE(core.memory(reinterpret_cast<void*>(thread.pr_reg[19]), 8).empty()) << "the stack";
}

TEST_F(CoreDump, has_every_thread)
{
    int status = run([] {
        std::vector<std::thread> threads;
        Pipe ready, never;
        for (int i = 0; i < 3; i++)
            threads.emplace_back([&] {
                EXPECT_EQ(::write(ready.write_end, "!", 1), 1);
                char byte;
                (void)!::read(never.read_end, &byte, 1);
            });
        char bytes[3];
        for (size_t got = 0; got < 3;)
            got += size_t(::read(ready.read_end, bytes, 3 - got));
        ::raise(SIGQUIT);
    });
    EXPECT_EQ(WTERMSIG(status), SIGQUIT);
    EXPECT_TRUE(WCOREDUMP(status));
    Core core(read_file("core"));
    auto threads = core.notes(NT_PRSTATUS);
    ASSERT_EQ(threads.size(), 4u);
    EXPECT_EQ(core.note<prstatus_t>(NT_PRSTATUS).pr_pid, pid_) << "the one that took the signal comes first";
    for (auto const& text : threads) {
        prstatus_t thread;
        std::memcpy(&thread, text.data(), sizeof thread);
        EXPECT_FALSE(core.memory(reinterpret_cast<void*>(thread.pr_reg[19]), 8).empty()) << thread.pr_pid;
    }
    EXPECT_EQ(core.notes(NT_X86_XSTATE).size(), 4u);
    EXPECT_EQ(core.notes(NT_PRPSINFO).size(), 1u);
}

TEST_F(CoreDump, needs_a_limit)
{
    int status = run([] { ::raise(SIGABRT); }, 0);
    EXPECT_EQ(WTERMSIG(status), SIGABRT);
    EXPECT_FALSE(WCOREDUMP(status));
    EXPECT_FALSE(exists("core"));
    status = run([] { ::raise(SIGABRT); }, 4095);
    EXPECT_FALSE(WCOREDUMP(status));
    EXPECT_FALSE(exists("core"));
}

TEST_F(CoreDump, is_cut_at_the_limit)
{
    int status = run([] { ::raise(SIGABRT); }, 32768);
    EXPECT_TRUE(WCOREDUMP(status));
    EXPECT_LE(status_of("core").st_size, 32768);
}

TEST_F(CoreDump, is_one_however_little_the_limit_leaves_of_it)
{
    int status = run([] { ::raise(SIGQUIT); }, 4096);
    EXPECT_TRUE(WCOREDUMP(status));
    EXPECT_LE(status_of("core").st_size, 4096);
}

TEST_F(CoreDump, needs_a_dumpable_process)
{
    int status = run([] {
        ::prctl(PR_SET_DUMPABLE, 0);
        ::raise(SIGABRT);
    });
    EXPECT_FALSE(WCOREDUMP(status));
    EXPECT_FALSE(exists("core"));
}

TEST_F(CoreDump, other_signals_leave_none)
{
    int status = run([] { ::raise(SIGTERM); });
    EXPECT_FALSE(WCOREDUMP(status));
    EXPECT_FALSE(exists("core"));
}

TEST_F(CoreDump, replaces_what_was_there)
{
    write_file("core", "old", 0644);
    Fd old = ::open("core", O_RDONLY);
    EXPECT_TRUE(WCOREDUMP(run([] { ::raise(SIGABRT); })));
    EXPECT_EQ(read_all(old), "old");
    EXPECT_EQ(mode_of("core") & 07777, 0600u);
    ASSERT_OK(::unlink("core"));
    ASSERT_OK(::mkdir("core", 0777));
    EXPECT_FALSE(WCOREDUMP(run([] { ::raise(SIGABRT); }))) << "no file can have that name";
}

TEST_F(CoreDump, the_filter_chooses)
{
    EXPECT_EQ(read_file("/proc/self/coredump_filter"), "00000033\n");
    int status = run([] {
        write_file("/proc/self/coredump_filter", "0x10");
        EXPECT_EQ(read_file("/proc/self/coredump_filter"), "00000010\n");
        if (::fork() == 0) ::_exit(read_file("/proc/self/coredump_filter") == "00000010\n" ? 0 : 1);
        int child = 0;
        ::wait(&child);
        EXPECT_EQ(child, 0);
        ::raise(SIGABRT);
    });
    EXPECT_TRUE(WCOREDUMP(status));
    Core core(read_file("core"));
    EXPECT_EQ(core.memory(marker, 8), "");
    EXPECT_EQ(core.notes(NT_PRSTATUS).size(), 1u);
}

TEST_F(CoreDump, advice_keeps_memory_out)
{
    Mapping in(kPage), out(kPage);
    std::strcpy(in.data(), "in the dump");
    std::strcpy(out.data(), "out of it");
    ASSERT_OK(::madvise(out.data(), kPage, MADV_DONTDUMP));
    EXPECT_TRUE(WCOREDUMP(run([] { ::raise(SIGABRT); })));
    Core core(read_file("core"));
    EXPECT_EQ(core.memory(in.data(), 11), "in the dump");
    EXPECT_EQ(core.memory(out.data(), 9), "");
}

/// The pattern is the machine's: nothing to be changed on a host that others use.
class PipedCore : public CoreDump {
protected:
    void SetUp() override
    {
        if (!std::getenv("UMBRA_ABI_STRICT")) GTEST_SKIP() << "not on a host";
        NEEDS_ROOT();
        CoreDump::SetUp();
        write_file("helper",
            "#!/bin/sh\ncat > " + scratch_.path() + "/$1\necho $# $2 $3 > " + scratch_.path()
                + "/words\nid -u > " + scratch_.path() + "/user\n",
            0755);
    }
    void TearDown() override
    {
        if (IsSkipped()) return;
        set("core_pattern", "core");
        set("core_pipe_limit", "0");
    }
    static void set(std::string const& name, std::string const& value)
    {
        Fd fd = ::open(("/proc/sys/kernel/" + name).c_str(), O_WRONLY);
        EXPECT_EQ(::write(fd, value.data(), value.size()), ssize_t(value.size()));
    }
};

TEST_F(PipedCore, goes_to_a_program)
{
    set("core_pattern", "|" + scratch_.path() + "/helper  got %s %p%%");
    set("core_pipe_limit", "1"); // which waits for the program
    std::strcpy(marker + 45, "before");
    // RLIMIT_CORE is for files.
    int const status = run([] { ::raise(SIGABRT); }, 0);
    EXPECT_EQ(WTERMSIG(status), SIGABRT);
    EXPECT_TRUE(WCOREDUMP(status));
    EXPECT_FALSE(exists("core"));
    Core core(read_file("got"));
    EXPECT_EQ(core.memory(marker + 45, 6), "before");
    EXPECT_EQ(core.note<prstatus_t>(NT_PRSTATUS).pr_pid, pid_);
    EXPECT_EQ(read_file("words"), "3 6 " + std::to_string(pid_) + "%\n");
    EXPECT_EQ(read_file("user"), "0\n");
}

TEST_F(PipedCore, needs_a_program_that_runs)
{
    set("core_pattern", "|/missing/program");
    int const status = run([] { ::raise(SIGABRT); });
    EXPECT_EQ(WTERMSIG(status), SIGABRT);
    EXPECT_FALSE(WCOREDUMP(status));
}

TEST_F(PipedCore, one_that_reads_nothing_ends_the_dump)
{
    set("core_pattern", "|/bin/true");
    set("core_pipe_limit", "1");
    int const status = run([] {
        static char much[1 << 20];
        std::memset(much, 'x', sizeof much);
        ::raise(SIGABRT);
    });
    EXPECT_EQ(WTERMSIG(status), SIGABRT);
}

} // namespace
} // namespace abi_test
