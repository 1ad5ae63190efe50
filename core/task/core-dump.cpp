// SPDX-License-Identifier: GPL-2.0-or-later
// When a core is dumped, how the threads come together for it, and the file.
#include "core/task/core-dump.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/printk/printk.h"
#include "core/task/core-helper.h"
#include "core/task/lifecycle.h"
#include "core/task/pid-namespace.h"
#include "core/task/process-table.h"
#include "core/task/scheduler.h"
#include "core/task/task.h"
#include "core/vfs/operations.h"

namespace umbra {

namespace {

constexpr u64 kSmallestDump = 4096; ///< ELF_EXEC_PAGESIZE: below that limit there is none
constexpr u64 kFxsaveSize = 512, kSoftwareBytes = 464, kFpMagic2Size = 4;

/// The image as NT_X86_XSTATE has it: XCR0 in place of the signal frame's own words, nothing behind.
std::vector<u8> fp_note(std::span<u8 const> frame, u64 features)
{
    if (frame.size() <= kFxsaveSize + kFpMagic2Size) return {};
    std::vector<u8> image(frame.begin(), frame.end() - kFpMagic2Size);
    std::fill(image.begin() + kSoftwareBytes, image.begin() + kFxsaveSize, u8 { 0 });
    std::memcpy(image.data() + kSoftwareBytes, &features, sizeof features);
    return image;
}

CoreThread describe(Task& task)
{
    CoreThread thread { .tid = pid_out(task, task.tid()),
        .pending = task.pending.set(),
        .blocked = task.blocked,
        .user = task.usage.user,
        .system = task.usage.system };
    if (auto* registers = task.guest().registers(*task.vcpu)) thread.registers = *registers;
    thread.fp_state
        = fp_note(task.guest().fp_state(*task.vcpu), task.kernel().platform().machine().xsave_features);
    return thread;
}

/// The file, made anew: what had the name is removed first (Linux: do_coredump).
Result<Ref<vfs::File>> open_core_file(Task& task, std::string const& name)
{
    auto base = TRY(task.path_base(GuestFd(abi::at_fdcwd), name));
    vfs::At const at { base, name };
    (void)vfs::unlink(task, at).ok(); // what cannot go keeps the dump away below
    constexpr u32 flags = abi::o_creat | abi::o_excl | abi::o_wronly | abi::o_nofollow | abi::o_largefile;
    auto file = TRY(vfs::open(task, at, { .flags = flags, .mode = 0600 }));
    if (!file->inode().is_regular()) return err::inval;
    return file;
}

bool names_program(std::string const& pattern) { return pattern.starts_with('|'); }

/// As many programs take cores as core_pipe_limit lets (0: any number).
bool has_room_for_helper(Kernel& kernel)
{
    i64 running = 0;
    for (auto const& [id, process] : kernel.processes().processes())
        if (process->core_dump && process->core_dump->is_piped) ++running;
    return kernel.core_pipe_limit == 0 || running < kernel.core_pipe_limit;
}

bool may_dump(Task& task, std::string const& pattern)
{
    if (!task.process().dumpable || task.process().core_dump) return false;
    if (!names_program(pattern)) return task.limit(Resource::core) >= kSmallestDump;
    // A program is no file: RLIMIT_CORE says nothing about it, but for the program's own.
    bool const is_helper = task.limit(Resource::core) == 1;
    if (!is_helper && has_room_for_helper(task.kernel())) return true;
    task.kernel().printk().log(LogLevel::info, "%s[%d]: no core: %s", printable(task.name()).c_str(),
        task.tid().value, is_helper ? "it takes cores itself" : "core_pipe_limit is reached");
    return false;
}

/// To the program that core_pattern names; waits for its end where core_pipe_limit says so.
Result<void> pipe_core(Task& task, std::vector<CoreThread> const& threads, abi::SigInfo const& info)
{
    RefPtr<Process> helper;
    {
        auto started = TRY(start_core_helper(task, info.signo));
        helper = started.process;
        (void)write_core_image(task, *started.input, threads, info, kRlimInfinity).ok(); // as write_core()
    }
    if (!task.kernel().core_pipe_limit) return {};
    return task.process().core_dump->wait_unless_abandoned(
        helper->exit_waiters, [&] { return helper->state == ProcessState::zombie; });
}

Result<void> write_core(Task& task, std::vector<CoreThread> const& threads, abi::SigInfo const& info)
{
    if (task.process().core_dump->is_piped) return pipe_core(task, threads, info);
    auto file = TRY(open_core_file(task, core_file_name(task, info.signo)));
    // One that is cut off, by the limit or a full disk, is a core all the same.
    (void)write_core_image(task, *file, threads, info, task.limit(Resource::core)).ok();
    return {};
}

} // namespace

void CoreDump::add(Task& task)
{
    threads.push_back(describe(task)); // which may wait: only then has it come
    task.passed_core_dump = true;
    changed_.wake_all();
    (void)changed_.wait_until([&] { return finished_; }, kNever, Interruption::refused).ok();
}

void CoreDump::wait_for_others(Task& writer)
{
    auto const& all = writer.process().threads;
    auto has_come = [&](Task* thread) { return thread == &writer || thread->passed_core_dump; };
    (void)changed_
        .wait_until([&] { return std::ranges::all_of(all, has_come); }, kNever, Interruption::refused)
        .ok();
}

void CoreDump::finish()
{
    finished_ = true;
    changed_.wake_all();
}

bool dump_core(Task& task, abi::SigInfo const& info)
{
    Process& process = task.process();
    if (process.group_exiting || !may_dump(task, task.kernel().core_pattern)) return false;
    auto const dump = make_ref<CoreDump>();
    dump->is_piped = names_program(task.kernel().core_pattern);
    process.core_dump = dump;
    exit_group(process, u32(info.signo));
    auto own = describe(task);
    task.mm().unpatch_calls();
    dump->threads.insert(dump->threads.begin(), std::move(own));
    dump->wait_for_others(task);
    // One that was being born may still come and wait; it has done nothing yet.
    auto const threads = std::move(dump->threads);
    auto const written = write_core(task, threads, info);
    process.core_dump = nullptr;
    dump->finish();
    if (written.ok()) process.exit_code |= 0x80;
    return written.ok();
}

void join_core_dump(Task& task)
{
    if (RefPtr<CoreDump> dump = task.process().core_dump)
        dump->add(task);
    else
        task.passed_core_dump = true;
}

} // namespace umbra
