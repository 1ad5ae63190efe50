// SPDX-License-Identifier: GPL-2.0-or-later
// The first process: mounts, opens stdin, stdout and stderr, starts the command, reaps, ends.
#include "arch-um/boot/first-process.h"

#include "arch-um/boot/network.h"
#include "arch-um/boot/root-tree.h"
#include "arch-um/boot/terminal.h"
#include "core/kernel.h"
#include "core/task/lifecycle.h"
#include "core/task/process-table.h"
#include "core/task/task-access.h"

namespace umbra::boot {

namespace {

[[noreturn]] void give_up(Task& task, int status)
{
    exit_group(task.process(), u32(status) << 8);
    exit_current_task();
}

std::vector<std::string> command_of(RunOptions const& options)
{
    if (!options.command.empty()) return options.command;
    if (options.own_init) return { "/sbin/init" };
    return { "/bin/sh" };
}

/// The names that execvp(3) would try, by the PATH of the command's environment.
std::vector<std::string> candidates(RunOptions const& options, std::string const& name)
{
    if (name.find('/') != std::string::npos) return { name };
    std::string path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    for (auto const& e : options.environment)
        if (e.starts_with("PATH=")) path = e.substr(5);
    std::vector<std::string> names;
    for (size_t at = 0; at <= path.size();) {
        auto end = std::min(path.find(':', at), path.size());
        names.push_back((end == at ? "." : path.substr(at, end - at)) + "/" + name);
        at = end + 1;
    }
    return names;
}

/// Becomes the command; returns what docker would exit with if that fails.
int exec_command(Task& task, RunOptions const& options, std::string& problem)
{
    auto command = command_of(options);
    Errno worst = err::noent;
    for (auto const& name : candidates(options, command[0])) {
        ExecRequest request { .base = name[0] == '/' ? task.fs().root : task.fs().cwd,
            .name = name,
            .arguments = command,
            .environment = options.environment };
        auto result = exec_task(task, std::move(request));
        if (result.ok()) return 0;
        if (result.error() != err::noent && result.error() != err::notdir) worst = result.error();
        if (worst != err::noent && worst != err::acces) break;
    }
    bool missing = worst == err::noent;
    problem = command[0] + ": "
        + (missing                    ? "no such command in the tree"
                : worst == err::acces ? "not executable (EACCES)"
                                      : errno_name(worst));
    return missing ? kExitNotFound : kExitCannotExecute;
}

Ref<Credentials> command_credentials(Kernel& kernel, RunOptions const& options)
{
    auto c = make_ref<Credentials>(kernel.first_user_namespace);
    c->uid = c->euid = c->suid = c->fsuid = options.user.uid;
    c->gid = c->egid = c->sgid = c->fsgid = options.user.gid;
    if (c->uid != 0) c->permitted = c->effective = 0;
    return c;
}

std::string enter_working_directory(Task& task, RunOptions const& options)
{
    if (options.working_directory.empty()) return {};
    auto path = vfs::walk(task, task.fs().root, options.working_directory, { .want_directory = true });
    if (path.is_error())
        return "-w " + options.working_directory + ": "
            + (path.error() == err::noent ? "no such directory in the tree" : errno_name(path.error()));
    task.fs().cwd = path.release_value();
    return {};
}

void start_command(Task& task, Terminal& terminal, RunOptions const& options, std::string& problem)
{
    terminal.adopt_command(task);
    task.set_credentials(command_credentials(task.kernel(), options));
    problem = enter_working_directory(task, options);
    int const failed = problem.empty() ? exec_command(task, options, problem) : kExitUmbraError;
    if (failed) give_up(task, failed);
}

/// Reaps until the command has ended; its wait status.
u32 reap_until(Task& init, Pid command)
{
    for (;;) {
        auto outcome = wait_for_child(init, { .options = wexited | 0x40000000 });
        if (outcome.ok() && outcome.value().pid == command) return outcome.value().status;
        if (outcome.is_error() && outcome.error() == err::child) return 0;
        if (init.is_dying()) return init.process().exit_code;
    }
}

} // namespace

void run_first_process(Task& init, drivers::HostIo& io, Terminal& terminal, InstanceNetwork& network,
    RunOptions const& options, std::string& problem)
{
    auto mounted = mount_root_tree(init, io, options, network);
    problem = mounted.message;
    if (!problem.empty()) give_up(init, kExitUmbraError);
    terminal.open_stdio(init, options);
    if (options.own_init) return start_command(init, terminal, options, problem);
    auto child
        = spawn_kernel_child(init, [&](Task& task) { start_command(task, terminal, options, problem); });
    if (child.is_error()) {
        problem = "no memory for the command";
        give_up(init, kExitUmbraError);
    }
    init.files().close_all(init);
    u32 status = reap_until(init, child.value());
    finish_network(network);
    // What guests wrote through mappings into the host's files.
    auto mounts = init.fs().mounts->mounts(); // a copy: writing waits
    for (auto const& mount : mounts)
        (void)mount->file_system().sync(); // there is nobody left to tell
    exit_group(init.process(), status);
    exit_current_task();
}

} // namespace umbra::boot
