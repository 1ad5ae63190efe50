// SPDX-License-Identifier: GPL-2.0-or-later
// The root of proc, and finding processes by number.
#include "core/fs/proc/proc-file-system.h"

#include <charconv>

#include "core/fs/proc/pid-directory.h"
#include "core/fs/proc/proc.h"
#include "core/kernel.h"
#include "core/task/permissions.h"
#include "core/task/process-table.h"

namespace umbra::fs {

namespace {
constexpr i64 kProcMagic = 0x9fa0;
/// Positions of a listing from here on are pids, so that it goes on right where processes come and go.
constexpr i64 kFirstPidPosition = 1 << 16;

/// The reader itself, unless it is not in this proc's namespace.
Result<i32> own_number(ProcFileSystem const& proc)
{
    i32 const number = proc.shown(current().pid());
    return number ? Result<i32>(number) : err::noent;
}
} // namespace

namespace {

Result<HidePid> parse_hide(std::string_view text)
{
    struct Row {
        std::string_view number, name;
        HidePid value;
    };
    static constexpr Row rows[] = { { "0", "off", HidePid::off }, { "1", "noaccess", HidePid::no_access },
        { "2", "invisible", HidePid::invisible }, { "4", "ptraceable", HidePid::not_ptraceable } };
    for (Row const& row : rows)
        if (text == row.number || text == row.name) return row.value;
    return err::inval;
}

char const* hide_name(HidePid value)
{
    switch (value) {
    case HidePid::off:
        return "off";
    case HidePid::no_access:
        return "noaccess";
    case HidePid::invisible:
        return "invisible";
    case HidePid::not_ptraceable:
        break;
    }
    return "ptraceable";
}

Result<ProcOptions> parse_options(
    std::string_view text, ProcOptions options, vfs::MountRequest const& request)
{
    for (auto const& [name, value] : vfs::split_options(text)) {
        if (name == "hidepid")
            options.hide = TRY(parse_hide(value));
        else if (name == "gid")
            options.gid = TRY(request.gid(TRY(vfs::parse_number(value, 10))));
        else if (name == "subset" && value == "pid")
            options.only_processes = true;
        else
            return err::inval;
    }
    return options;
}

using Kind = vfs::MountParameter::Kind;
constexpr vfs::MountParameter kParameters[]
    = { { "gid", Kind::number }, { "hidepid", Kind::text }, { "subset", Kind::text } };

} // namespace

std::span<vfs::MountParameter const> const kProcParameters = kParameters;

Result<Ref<vfs::FileSystem>> mount_procfs(vfs::MountRequest const& request)
{
    auto const options = TRY(parse_options(request.options, {}, request));
    // The root's mounts are made before there is a task to ask.
    auto& pids = request.who ? pid_namespace(current()) : request.kernel.processes().first_namespace();
    // Else anybody could see around hidepid= of the one that is mounted.
    if (request.who && !is_capable(*request.who, *pids.owner(), Capability::sys_admin)) return err::perm;
    auto fs = make_ref<ProcFileSystem>(request.kernel, pids, options);
    return Ref<vfs::FileSystem>(fs);
}

std::string ProcFileSystem::show_options() const
{
    std::string text;
    if (options_.gid) text += ",gid=" + std::to_string(options_.gid);
    if (options_.hide != HidePid::off) text += std::string(",hidepid=") + hide_name(options_.hide);
    if (options_.only_processes) text += ",subset=pid";
    return text;
}

Result<void> ProcFileSystem::reconfigure(std::string_view text)
{
    options_ = TRY(parse_options(text, options_, { kernel_, {}, {}, 0, current().credentials_ref() }));
    return {};
}

bool ProcFileSystem::shows(Process& process, HidePid least) const
{
    auto may_inspect = [&] {
        Task* task = process.leader();
        return !task || check_may_inspect(current(), *task).ok();
    };
    if (options_.hide == HidePid::not_ptraceable) return may_inspect();
    if (options_.hide < least || current().credentials().in_group(options_.gid)) return true;
    return may_inspect();
}

ProcFileSystem::ProcFileSystem(Kernel& kernel, PidNamespace& pids, ProcOptions const& options)
    : FileSystem(kernel, "proc")
    , pids_(pids)
    , options_(options)
{
    set_user_namespace(Ref<UserNamespace>(*pids.owner()));
    magic_ = kProcMagic;
    auto root = make_ref<ProcRoot>(*this, PseudoAttributes { .mode = 0555 });
    root->add("self", make_ref<LinkInode>(*this, [this]() -> Result<std::string> {
        return std::to_string(TRY(own_number(*this)));
    }));
    root->add("thread-self", make_ref<LinkInode>(*this, [this]() -> Result<std::string> {
        return std::to_string(TRY(own_number(*this))) + "/task/" + std::to_string(shown(current().tid()));
    }));
    root->add_link("mounts", "self/mounts");
    root->add_link("net", "self/net");
    add_system_files(*root, kernel);
    add_machine_files(*root, kernel);
    add_sysvipc(*root);
    add_kmsg(*root, kernel);
    add_sysctls(root->directory("sys"), kernel);
    root_ = root;
}

Result<i32> parse_pid(std::string_view name)
{
    i32 pid = 0;
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc() || end != name.data() + name.size() || pid <= 0 || name[0] == '0')
        return err::noent;
    return pid;
}

Result<Ref<vfs::Inode>> ProcRoot::lookup(std::string_view name)
{
    bool const is_own = name == "self" || name == "thread-self";
    auto fixed = proc().options().only_processes && !is_own ? err::noent : StaticDirectory::lookup(name);
    if (fixed.ok()) return fixed;
    auto& table = fs_.kernel().processes();
    Pid const pid = pid_in(proc().pids(), TRY(parse_pid(name)));
    Process* process = table.find_process(pid);
    bool const hidden = process && proc().options().hide == HidePid::not_ptraceable;
    if (hidden && !proc().shows(*process, HidePid::not_ptraceable)) return err::noent;
    if (process) return make_pid_directory(fs_, PidReference::of(*process));
    // As on Linux a thread's number works too, though no listing shows it.
    Task* task = table.find_task(pid);
    if (!task) return err::noent;
    return make_pid_directory(fs_, PidReference::of(*task));
}

Result<void> ProcRoot::list(i64 position, vfs::DirectoryEmitter const& emit)
{
    if (position < kFirstPidPosition) {
        bool full = false;
        TRY(StaticDirectory::list(position, [&](std::string_view name, u64 number, u8 type, i64 next) {
            bool const is_own = name == "self" || name == "thread-self";
            if (proc().options().only_processes && !is_own) return true;
            full = !emit(name, number, type, next == i64(size()) + 2 ? kFirstPidPosition : next);
            return !full;
        }));
        if (full) return {};
        position = kFirstPidPosition;
    }
    return list_processes(position, emit);
}

Result<void> ProcRoot::list_numbers(i64 position, vfs::DirectoryEmitter const& emit)
{
    auto const& numbers = proc().pids().numbers;
    i32 next = i32(position - kFirstPidPosition);
    for (auto at = numbers.lower_bound(next); at != numbers.end(); at = numbers.lower_bound(next)) {
        i32 const inside = at->first;
        next = inside + 1;
        Process* process = fs_.kernel().processes().find_process(Pid(at->second));
        if (!process) continue; // a thread, or what is left of a group
        if (!proc().shows(*process, HidePid::invisible)) continue;
        u64 const number = pid_inode_number(PidReference::of(*process), 0);
        if (!emit(std::to_string(inside), number, abi::dt_dir, kFirstPidPosition + next)) break;
    }
    return {};
}

Result<void> ProcRoot::list_processes(i64 position, vfs::DirectoryEmitter const& emit)
{
    if (!proc().pids().is_first()) return list_numbers(position, emit);
    auto const& processes = fs_.kernel().processes().processes();
    // emit may wait for the reader's memory, and the table may change meanwhile: look up anew each time.
    i32 next = i32(position - kFirstPidPosition);
    for (auto at = processes.lower_bound(next); at != processes.end(); at = processes.lower_bound(next)) {
        i32 pid = at->first;
        if (!proc().shows(*at->second, HidePid::invisible)) {
            next = pid + 1;
            continue;
        }
        u64 number = pid_inode_number(PidReference::of(*at->second), 0);
        if (!emit(std::to_string(pid), number, abi::dt_dir, kFirstPidPosition + pid + 1)) break;
        next = pid + 1;
    }
    return {};
}

} // namespace umbra::fs
