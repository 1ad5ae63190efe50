// SPDX-License-Identifier: GPL-2.0-or-later
// Starting the program that takes cores.
#include "core/task/core-helper.h"

#include "core/ipc/pipe.h"
#include "core/kernel.h"
#include "core/task/core-dump.h"
#include "core/task/lifecycle.h"
#include "core/task/process-table.h"
#include "core/task/task.h"

namespace umbra {

namespace {

/// What became of the helper's start.
struct Start : RefCounted {
    bool over = false;
    Result<void> outcome {};
    WaitQueue changed;
};

Result<void> run_program(Task& helper, std::vector<std::string> arguments, Ref<vfs::File> input)
{
    helper.files().close_all(helper);
    helper.blocked = 0;
    helper.set_credentials(make_ref<Credentials>(helper.kernel().first_user_namespace));
    // Below the least limit that dumps: a helper that dies itself must not start another.
    helper.process().limits[size_t(Resource::core)] = { 1, 1 };
    helper.fs().cwd = helper.fs().root;
    TRY(helper.files().add(std::move(input), false, helper.limit(Resource::nofile)));
    auto name = arguments.front();
    return exec_task(helper,
        { .base = helper.fs().root,
            .name = std::move(name),
            .arguments = std::move(arguments),
            .environment = { "HOME=/", "TERM=linux", "PATH=/sbin:/bin:/usr/sbin:/usr/bin" } });
}

/// Runs on the helper's own stack.
void become_helper(
    Task& helper, std::vector<std::string> const& arguments, Ref<vfs::File> input, Start& start)
{
    constexpr u32 kCannotExecute = 126;
    start.outcome = run_program(helper, arguments, std::move(input));
    start.over = true;
    start.changed.wake_all();
    if (start.outcome.is_error()) exit_group(helper.process(), kCannotExecute << 8);
}

} // namespace

Result<CoreHelper> start_core_helper(Task& dying, int signal)
{
    Kernel& kernel = dying.kernel();
    auto arguments = core_helper_command(dying, signal);
    if (arguments.empty()) return err::noent;
    Process* first = kernel.processes().init();
    Task* parent = first ? first->any_thread() : nullptr;
    if (!parent) return err::srch;
    auto ends = TRY(ipc::make_pipe(kernel, 0));
    auto outcome = make_ref<Start>();
    auto start = [arguments = std::move(arguments), input = Ref<vfs::File>(ends.read_end), outcome](
                     Task& helper) { become_helper(helper, arguments, input, *outcome); };
    Pid const id = TRY(spawn_kernel_child(*parent, std::move(start)));
    Process* process = kernel.processes().find_process(id);
    if (!process) return err::srch;
    CoreHelper helper { Ref<Process>(*process), Ref<vfs::File>(ends.write_end) };
    TRY(dying.process().core_dump->wait_unless_abandoned(
        outcome->changed, [&] { return outcome->over || helper.process->group_exiting; }));
    TRY(outcome->outcome);
    return helper;
}

} // namespace umbra
