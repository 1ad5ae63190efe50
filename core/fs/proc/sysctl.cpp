// SPDX-License-Identifier: GPL-2.0-or-later
// /proc/sys: one table of values. Those that say what the kernel is cannot be written; those that the kernel
// obeys are bound to it; numbers that steer policies which this kernel does not have (swappiness and the
// like) are kept and shown, because programs set them and read them back.
#include <algorithm>
#include <memory>

#include "core/abi/system.h"
#include "core/fs/proc/proc-file-system.h"
#include "core/fs/proc/sysctl.h"
#include "core/fs/pseudo/text.h"
#include "core/kernel.h"
#include "core/mm/frame.h"
#include "core/printk/printk.h"
#include "core/seccomp/filter.h"
#include "core/task/namespaces.h"
#include "core/task/permissions.h"
#include "core/task/pid-namespace.h"
#include "core/task/process-table.h"
#include "core/vfs/dentry-cache.h"
#include "core/vfs/mount-table.h"

namespace umbra::fs {

namespace {
using ull = unsigned long long;

struct FixedRow {
    char const *path, *text;
};
constexpr FixedRow kFixed[] = {
    { "fs/dentry-state", "0\t0\t45\t0\t0\t0\n" },
    { "fs/nr_open", "1048576\n" },
    { "fs/overflowgid", "65534\n" },
    { "fs/overflowuid", "65534\n" },
    { "fs/pipe-max-size", "1048576\n" },
    { "fs/pipe-user-pages-hard", "0\n" },
    { "fs/pipe-user-pages-soft", "16384\n" },
    { "fs/protected_fifos", "0\n" },
    { "fs/protected_hardlinks", "0\n" },
    { "fs/protected_regular", "0\n" },
    { "fs/protected_symlinks", "0\n" },
    { "fs/suid_dumpable", "0\n" },
    { "fs/inotify/max_queued_events", "16384\n" },
    { "fs/inotify/max_user_instances", "128\n" },
    { "fs/inotify/max_user_watches", "65536\n" },
    { "kernel/arch", "x86_64\n" },
    { "kernel/cap_last_cap", "40\n" },
    { "kernel/dmesg_restrict", "0\n" },
    { "kernel/io_uring_disabled", "2\n" },
    { "kernel/kptr_restrict", "2\n" },
    { "kernel/modules_disabled", "1\n" },
    { "kernel/ngroups_max", "65536\n" },
    { "kernel/osrelease", nullptr }, // filled below: the text is abi's
    { "kernel/ostype", nullptr },
    { "kernel/version", nullptr },
    { "kernel/overflowgid", "65534\n" },
    { "kernel/overflowuid", "65534\n" },
    { "kernel/perf_event_paranoid", "4\n" },
    { "kernel/pid_max", "4194304\n" },
    { "kernel/pty/max", "4096\n" },
    { "kernel/pty/reserve", "0\n" },
    { "kernel/random/entropy_avail", "256\n" },
    { "kernel/random/poolsize", "256\n" },
    { "kernel/random/urandom_min_reseed_secs", "60\n" },
    { "kernel/random/write_wakeup_threshold", "256\n" },
    { "kernel/randomize_va_space", "2\n" },
    { "kernel/sysrq", "0\n" },
    { "kernel/tainted", "0\n" },
    { "kernel/unprivileged_bpf_disabled", "2\n" },
    { "kernel/yama/ptrace_scope", "0\n" },
    { "vm/nr_hugepages", "0\n" },
    { "vm/nr_overcommit_hugepages", "0\n" },
};

struct NumberRow {
    char const* path;
    i64 value, least, most;
};
constexpr NumberRow kNumbers[] = {
    { "kernel/panic", 0, INT32_MIN, INT32_MAX },
    { "kernel/panic_on_oops", 0, 0, 1 },
    { "kernel/printk_ratelimit", 5, 0, INT32_MAX },
    { "kernel/printk_ratelimit_burst", 10, 0, INT32_MAX },
    { "kernel/sched_child_runs_first", 0, 0, 1 },
    { "vm/dirty_background_ratio", 10, 0, 100 },
    { "vm/dirty_expire_centisecs", 3000, 0, INT32_MAX },
    { "vm/dirty_ratio", 20, 0, 100 },
    { "vm/dirty_writeback_centisecs", 500, 0, INT32_MAX },
    { "vm/laptop_mode", 0, 0, INT32_MAX },
    { "vm/legacy_va_layout", 0, 0, 1 },
    { "vm/min_free_kbytes", 0, 0, INT32_MAX },
    { "vm/oom_kill_allocating_task", 0, 0, 1 },
    { "vm/overcommit_kbytes", 0, 0, INT64_MAX },
    { "vm/overcommit_memory", 0, 0, 2 },
    { "vm/overcommit_ratio", 50, 0, INT32_MAX },
    { "vm/page-cluster", 3, 0, 31 },
    { "vm/panic_on_oom", 0, 0, 2 },
    { "vm/swappiness", 60, 0, 200 },
    { "vm/vfs_cache_pressure", 100, 0, INT32_MAX },
    { "vm/zone_reclaim_mode", 0, 0, INT32_MAX },
};

/// Adds a file at a path below /proc/sys, directories included.
void add(StaticDirectory& sys, std::string_view path, TextMaker make, TextTaker take = {}, u32 mode = 0)
{
    auto slash = path.rfind('/');
    if (!mode) mode = take ? 0644 : 0444;
    sys.directory_at(path.substr(0, slash))
        .add_text(std::string(path.substr(slash + 1)), std::move(make), { .mode = mode }, std::move(take));
}

void add_fixed(StaticDirectory& sys)
{
    for (FixedRow const& row : kFixed) {
        std::string_view path = row.path;
        std::string text = row.text       ? row.text
            : path.ends_with("osrelease") ? std::string(abi::kRelease) + "\n"
            : path.ends_with("ostype")    ? std::string(abi::kSystemName) + "\n"
                                          : std::string(abi::kVersion) + "\n";
        add(sys, path, [text] { return Result<std::string>(text); });
    }
}

void add_numbers(StaticDirectory& sys, Kernel& kernel)
{
    for (NumberRow const& row : kNumbers) {
        // Of the kernel, not of one mounted proc.
        i64& value = kernel.kept_numbers.try_emplace(row.path, row.value).first->second;
        add(
            sys, row.path, [&value] { return Result<std::string>(std::to_string(value) + "\n"); },
            [&value, &row](std::string_view text) -> Result<void> {
                i64 wanted = TRY(parse_integer(text));
                if (wanted < row.least || wanted > row.most) return err::inval;
                value = wanted;
                return {};
            });
    }
}

/// A number that the kernel obeys.
template <typename Number>
void add_obeyed(StaticDirectory& sys, char const* path, Number& number, Number least, Number most)
{
    add(
        sys, path, [&number] { return Result<std::string>(std::to_string(number) + "\n"); },
        [&number, least, most](std::string_view text) -> Result<void> {
            Number value = TRY(parse_number<Number>(text));
            if (value < least || value > most) return err::inval;
            number = value;
            return {};
        });
}

/// A name of the namespace that the reader or writer is in.
void add_name(StaticDirectory& sys, char const* path, std::string UtsNamespace::*name)
{
    add(
        sys, path, [name] { return Result<std::string>((*current().namespaces().uts).*name + "\n"); },
        [name](std::string_view text) -> Result<void> {
            text = text.substr(0, text.find_first_of(std::string_view("\n\0", 2)));
            (*current().namespaces().uts).*name = text.substr(0, abi::utsname_length);
            return {};
        });
}

/// Where the next number is looked for, for programs that restore processes.
void add_last_pid(StaticDirectory& sys)
{
    add(
        sys, "kernel/ns_last_pid",
        [] { return Result<std::string>(std::to_string(pid_namespace(current()).last_number) + "\n"); },
        [](std::string_view text) -> Result<void> {
            PidNamespace& pids = pid_namespace(current());
            auto const& who = current().credentials();
            if (!is_capable(who, *pids.owner(), Capability::checkpoint_restore)
                && !is_capable(who, *pids.owner(), Capability::sys_admin))
                return err::perm;
            i64 const wanted = TRY(parse_integer(text));
            if (wanted < 0 || wanted > ProcessTable::kPidMax) return err::inval;
            pids.last_number = i32(wanted);
            return {};
        },
        0666);
}

std::string make_uuid(Kernel& kernel)
{
    u8 b[16];
    kernel.platform().random_bytes(b);
    b[6] = (b[6] & 0x0f) | 0x40; // version 4: random
    b[8] = (b[8] & 0x3f) | 0x80;
    std::string out;
    for (int i = 0; i < 16; ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
        append_format(out, "%02x", b[i]);
    }
    return out + '\n';
}

/// console_loglevel, default message level, minimum, default console level.
std::string const& boot_id(Kernel& kernel)
{
    if (kernel.boot_id.empty()) kernel.boot_id = make_uuid(kernel);
    return kernel.boot_id;
}

void add_printk(StaticDirectory& sys, Kernel& kernel)
{
    Printk& log = kernel.printk();
    add(
        sys, "kernel/printk",
        [&log] {
            return Result<std::string>(format_text("%u\t%u\t%u\t%u\n", log.console_level(),
                unsigned(LogLevel::warning), Printk::kConsoleLevelMinimum, Printk::kConsoleLevelDefault));
        },
        [&log](std::string_view text) -> Result<void> {
            i64 level = TRY(parse_integer(take_word(text)));
            if (level < 0 || level > 15) return err::inval;
            log.set_console_level(u8(level));
            return {};
        });
}

void add_seccomp(StaticDirectory& sys, Kernel& kernel)
{
    add(sys, "kernel/seccomp/actions_avail",
        [] { return Result<std::string>(seccomp::action_names(seccomp::kAllActions) + "\n"); });
    add(
        sys, "kernel/seccomp/actions_logged",
        [&kernel] {
            return Result<std::string>(seccomp::action_names(kernel.seccomp_logged_actions) + "\n");
        },
        [&kernel](std::string_view text) -> Result<void> {
            if (!current().credentials().has(Capability::sys_admin)) return err::perm;
            kernel.seccomp_logged_actions = TRY(seccomp::parse_logged_actions(trimmed(text)));
            return {};
        });
}

void add_core_dumps(StaticDirectory& sys, Kernel& kernel)
{
    std::string& pattern = kernel.core_pattern;
    add(
        sys, "kernel/core_pattern", [&pattern] { return Result<std::string>(pattern + "\n"); },
        [&pattern](std::string_view text) -> Result<void> {
            constexpr u64 core_pattern_max = 127;
            pattern = text.substr(0, text.find('\n')).substr(0, core_pattern_max);
            return {};
        });
    add_obeyed<i64>(sys, "kernel/core_uses_pid", kernel.core_uses_pid, 0, INT32_MAX);
    add_obeyed<i64>(sys, "kernel/core_pipe_limit", kernel.core_pipe_limit, 0, INT32_MAX);
}

std::string open_files(Kernel& kernel)
{
    return format_text("%llu\t0\t%llu\n", ull(kernel.open_files), ull(kernel.max_open_files()));
}

/// 1 frees the page cache, which is memory's only copy here; 2 frees dentries; 3 both.
Result<void> drop_caches(Kernel& kernel, std::string_view text)
{
    i64 what = TRY(parse_integer(text));
    if (what < 1 || what > 4) return err::inval;
    if (what & 2) kernel.dentries().shrink(kernel.dentries().unused());
    if (what & 1) (void)kernel.memory().trim(0);
    kernel.platform().trim_heap();
    return {};
}
} // namespace

void add_sysctls(StaticDirectory& sys, Kernel& kernel)
{
    add_fixed(sys);
    add_numbers(sys, kernel);
    add_name(sys, "kernel/hostname", &UtsNamespace::hostname);
    add_name(sys, "kernel/domainname", &UtsNamespace::domainname);
    add_printk(sys, kernel);
    add_core_dumps(sys, kernel);
    add_obeyed<u64>(sys, "fs/aio-max-nr", kernel.aio_limit, 0, ~u64 { 0 });
    add_obeyed<i64>(sys, "vm/max_map_count", kernel.max_map_count, 0, INT32_MAX);
    add(sys, "fs/aio-nr",
        [&kernel] { return Result<std::string>(std::to_string(kernel.aio_requests) + "\n"); });
    add_obeyed<i64>(sys, "fs/leases-enable", kernel.leases_enabled, INT32_MIN, INT32_MAX);
    add_obeyed<i64>(sys, "fs/lease-break-time", kernel.lease_break_time, INT32_MIN, INT32_MAX);
    add_obeyed<i64>(sys, "fs/fanotify/max_queued_events", kernel.fanotify_event_limit, 0, INT32_MAX);
    add_obeyed<i64>(sys, "fs/fanotify/max_user_groups", kernel.fanotify_group_limit, 0, INT32_MAX);
    add_obeyed<i64>(sys, "fs/fanotify/max_user_marks", kernel.fanotify_mark_limit, 0, INT32_MAX);
    add_seccomp(sys, kernel);
    add_last_pid(sys);
    add_namespace_sysctls(sys);
    add(sys, "net/unix/max_dgram_qlen", [] { return Result<std::string>("10\n"); });
    add(sys, "kernel/random/uuid", [&kernel] { return Result<std::string>(make_uuid(kernel)); });
    add(sys, "kernel/random/boot_id", [&kernel] { return Result<std::string>(boot_id(kernel)); });
    add(sys, "kernel/sem", [] { return Result<std::string>("32000\t1024000000\t500\t32000\n"); });
    add(sys, "kernel/threads-max",
        [&kernel] { return Result<std::string>(std::to_string(kernel.options().max_tasks) + "\n"); });
    add(sys, "fs/file-max",
        [&kernel] { return Result<std::string>(std::to_string(kernel.max_open_files()) + "\n"); });
    add(
        sys, "fs/mount-max",
        [&kernel] {
            return Result<std::string>(std::to_string(kernel.mount_table().namespace_limit) + "\n");
        },
        [&kernel](std::string_view text) -> Result<void> {
            i64 const wanted = TRY(parse_integer(text));
            if (wanted < 1 || wanted > INT32_MAX) return err::inval;
            kernel.mount_table().namespace_limit = u64(wanted);
            return {};
        });
    add(sys, "fs/file-nr", [&kernel] { return Result<std::string>(open_files(kernel)); });
    add(sys, "vm/mmap_min_addr", [&kernel] {
        return Result<std::string>(std::to_string(kernel.platform().machine().min_address) + "\n");
    });
    add(
        sys, "vm/drop_caches", {}, [&kernel](std::string_view text) { return drop_caches(kernel, text); },
        0200);
}

} // namespace umbra::fs
