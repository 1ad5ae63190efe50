// SPDX-License-Identifier: GPL-2.0-or-later
// The commands and their options, by CLI11, which is included here only: it costs seconds to compile.
#include "arch-um/boot/options.h"

#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstring>

#include "arch-um/boot/option-values.h"

namespace umbra::boot {

namespace {
constexpr u64 kLeastMemory = u64 { 16 } << 20, kMostMemory = u64 { 1 } << 40;
constexpr u64 kLeastFaultAround = 4 << 10, kMostFaultAround = 2 << 20;
constexpr u32 kMostCpus = 64;
constexpr char const* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Option values as the user typed them; checked after CLI11 is done, so that messages are ours.
struct RawRun {
    using Text = std::optional<std::string>;
    Text network, rootfs, backend, cpus, memory, fault_around, fault_path, directory, user, hostname, log,
        strace_output, stats_output, capture;
    std::string strace;
    std::vector<std::string> environment, volumes, ports, without;
    bool host_loopback = false, rw = false, init = false, quiet = false, stats = false;
};

void add_run_options(CLI::App& app, RawRun& raw)
{
    auto list = [&](char const* name, std::vector<std::string>& values, char const* help) {
        return app.add_option(name, values, help)->take_all()->expected(1)->allow_extra_args(false);
    };
    app.add_option("--backend", raw.backend, "How guest code runs: auto (the default), seccomp or ptrace")
        ->type_name("NAME");
    app.add_option("--cpus", raw.cpus, "Virtual CPUs; the default is what the host lets this process use")
        ->type_name("N");
    app.add_option("--memory", raw.memory, "Most memory that the guest may use, default 4G")
        ->type_name("SIZE");
    list("-e,--env", raw.environment, "Set a variable; NAME alone takes the caller's value")
        ->type_name("NAME=VALUE");
    app.add_option("-w,--workdir", raw.directory, "Directory in which the command starts")->type_name("DIR");
    app.add_option("-u,--user", raw.user, "Numbers of the user and group to be")->type_name("UID[:GID]");
    list("-v,--volume", raw.volumes, "Show a file or directory of the host in the guest")
        ->type_name("HOST:GUEST[:ro]");
    app.add_option("--hostname", raw.hostname, "The guest's name, default umbra")->type_name("NAME");
    app.add_option("--net", raw.network,
           "The network: user (the default), a way out through the host's sockets; switch:NAME, the "
           "instances "
           "of yours that name the same switch; tap:NAME or passt:PATH with address=, a device of the host's "
           "or passt's socket; host, the host's own; or none")
        ->type_name("NAME");
    list("-p,--publish", raw.ports, "Lead a port of the host's to one of the guest's")
        ->type_name("[ADDR:]HOSTPORT:GUESTPORT[/udp]");
    app.add_flag(
        "--host-loopback", raw.host_loopback, "Let the guest reach the host's loopback, as 10.0.2.2");
    app.add_flag(
        "-q,--quiet", raw.quiet, "Keep the kernel's messages off the terminal (--log still gets them)");
    app.add_option("--log", raw.log, "Write the kernel's log to a file of the host")->type_name("FILE");
    app.add_flag("--strace{all}", raw.strace,
        "Print system calls; --strace=LIST only those named, --strace=!LIST all others");
    app.add_option("--strace-output", raw.strace_output, "Print them to a file of the host")
        ->type_name("FILE");
    app.add_flag("--stats", raw.stats, "Print at the end what the kernel did, in numbers");
    app.add_option("--stats-output", raw.stats_output, "Print it to a file of the host")->type_name("FILE");
    app.add_option("--pcap", raw.capture, "Write the packets that pass lo and eth0 to a file of the host")
        ->type_name("FILE");
    app.add_option(
           "--fault-around", raw.fault_around, "First block that a page fault maps, 4K to 2M, default 64K")
        ->type_name("SIZE");
    list("--without", raw.without,
        "Leave a means of speed out, to find out what it does: image-faults, patched-calls")
        ->type_name("MEANS");
    app.add_option("--fault-path", raw.fault_path,
           "How page faults are served: auto (the default), userfaultfd or signal")
        ->type_name("NAME");
}

void set_root(RunOptions& run, RawRun const& raw, Caller const& caller)
{
    if (!raw.rootfs) {
        if (raw.rw) throw UsageError { "--rw: there is no tree to write to: give --rootfs DIR with it" };
        return;
    }
    run.root_path = absolute_path(*raw.rootfs, caller.working_directory);
    struct stat status;
    if (::stat(run.root_path.c_str(), &status))
        throw UsageError { "--rootfs: " + run.root_path + ": " + std::strerror(errno)
            + ": give a directory with a Linux tree, or a tar archive of one" };
    if (!S_ISDIR(status.st_mode) && !S_ISREG(status.st_mode))
        throw UsageError { "--rootfs: " + run.root_path + " is neither a directory nor a tar archive" };
    run.root = S_ISDIR(status.st_mode) ? RootKind::directory : RootKind::archive;
    if (::access(run.root_path.c_str(), S_ISDIR(status.st_mode) ? R_OK | X_OK : R_OK))
        throw UsageError { "--rootfs: " + run.root_path + ": " + std::strerror(errno)
            + ": give one that you may read" };
    if (raw.rw && run.root == RootKind::archive)
        throw UsageError { "--rw: an archive is never written to: unpack it and give the directory" };
    run.write_through = raw.rw;
}

void set_identity(RunOptions& run, RawRun const& raw, Caller const& caller, bool is_do)
{
    if (is_do) run.user = { caller.uid, caller.gid };
    if (raw.user) run.user = parse_user(*raw.user);
    run.hostname = raw.hostname ? parse_hostname(*raw.hostname) : "umbra";
    run.working_directory = is_do ? caller.working_directory : "/";
    if (!raw.directory) return;
    if (!raw.directory->starts_with('/'))
        throw UsageError { "-w: '" + *raw.directory
            + "' is not absolute: give a path of the guest, such as /tmp" };
    run.working_directory = *raw.directory;
}

void set_environment_of(RunOptions& run, RawRun const& raw, Caller const& caller, bool is_do)
{
    if (is_do) {
        run.environment = caller.environment;
        // sudo's way: root inside has root's home unless the caller says otherwise.
        if (run.user.uid == 0 && caller.uid != 0) set_environment(run.environment, "HOME=/root", caller);
    } else {
        set_environment(run.environment, std::string("PATH=") + kDefaultPath, caller);
        set_environment(run.environment, run.user.uid ? "HOME=/" : "HOME=/root", caller);
        std::string terminal = environment_value(caller.environment, "TERM");
        set_environment(run.environment, "TERM=" + (terminal.empty() ? "linux" : terminal), caller);
        set_environment(run.environment, "HOSTNAME=" + run.hostname, caller);
    }
    for (std::string const& setting : raw.environment)
        set_environment(run.environment, setting, caller);
}

void set_machine(RunOptions& run, RawRun const& raw)
{
    if (raw.backend) run.backend = parse_backend(*raw.backend);
    if (raw.cpus) run.cpus = parse_number("--cpus", *raw.cpus, 1, kMostCpus);
    if (raw.memory) run.memory = parse_size("--memory", *raw.memory, kLeastMemory, kMostMemory);
    if (raw.fault_path) run.fault_path = parse_fault_path(*raw.fault_path);
    for (std::string const& means : raw.without) {
        if (means == "image-faults")
            run.image_faults = false;
        else if (means == "patched-calls")
            run.patched_calls = false;
        else
            throw UsageError { "--without: '" + means
                + "' is no means that can be left out: give image-faults or patched-calls" };
    }
    if (!raw.fault_around) return;
    run.fault_around = parse_size("--fault-around", *raw.fault_around, kLeastFaultAround, kMostFaultAround);
    if (run.fault_around & (run.fault_around - 1))
        throw UsageError { "--fault-around: '" + *raw.fault_around
            + "' is no power of two: give 4K, 8K, ... 2M" };
}

void set_network(RunOptions& run, RawRun const& raw)
{
    if (raw.network) run.network = parse_network(*raw.network);
    run.network.host_loopback = raw.host_loopback;
    for (std::string const& port : raw.ports)
        run.network.ports.push_back(parse_port(port));
    if (run.network.kind == NetworkKind::user) return;
    if (run.network.kind == NetworkKind::host) {
        if (!raw.ports.empty())
            throw UsageError {
                "-p: with --net host the guest's ports are the host's: leave one of them out"
            };
        if (raw.host_loopback)
            throw UsageError {
                "--host-loopback: with --net host it is the guest's own: leave one of them out"
            };
        if (raw.capture)
            throw UsageError {
                "--pcap: with --net host no packet passes here: capture on the host, or use --net user"
            };
        return;
    }
    auto const kind = raw.network->substr(0, raw.network->find_first_of(":,"));
    std::string const with = "with --net " + kind;
    if (!raw.ports.empty())
        throw UsageError { "-p: " + with
            + " nothing leads in, but to addresses of the guest's own: leave one of "
              "them out" };
    if (raw.host_loopback)
        throw UsageError { "--host-loopback: " + with
            + " nothing leads out that way: leave one of them out" };
}

RunOptions make_run(RawRun const& raw, Caller const& caller, bool is_do, std::vector<std::string> command)
{
    RunOptions run;
    set_root(run, raw, caller);
    if (is_do) run.root = RootKind::host, run.root_path = "/";
    set_machine(run, raw);
    set_identity(run, raw, caller, is_do);
    set_environment_of(run, raw, caller, is_do);
    for (std::string const& volume : raw.volumes)
        run.volumes.push_back(parse_volume(volume, caller.working_directory));
    set_network(run, raw);
    run.own_init = raw.init;
    run.quiet = raw.quiet;
    if (raw.log) run.log_file = absolute_path(*raw.log, caller.working_directory);
    if (!raw.strace.empty() || raw.strace_output) {
        run.strace = parse_strace(raw.strace.empty() ? "all" : raw.strace);
        if (raw.strace_output)
            run.strace->output = absolute_path(*raw.strace_output, caller.working_directory);
    }
    run.stats = raw.stats || raw.stats_output;
    if (raw.stats_output) run.stats_file = absolute_path(*raw.stats_output, caller.working_directory);
    if (raw.capture) run.capture_file = absolute_path(*raw.capture, caller.working_directory);
    run.command = std::move(command);
    if (is_do && run.command.empty()) {
        std::string shell = environment_value(caller.environment, "SHELL");
        run.command = { shell.starts_with('/') ? shell : "/bin/sh" };
    }
    return run;
}

/// CLI11's help with usage lines that show where the guest's command stands.
class HelpFormatter : public CLI::Formatter {
public:
    HelpFormatter()
    {
        column_width(34);
        label("OPTIONS", "OPTION...");
    }
    std::string make_usage(CLI::App const* app, std::string) const override
    {
        std::string const& name = app->get_name();
        char const* rest = name == "run" ? " [OPTION...] [--] [COMMAND [ARGUMENT...]]"
            : name == "do"               ? " [OPTION...] [--] COMMAND [ARGUMENT...]"
            : name == "umbra"            ? " run|do|doctor|version|syscalls [OPTION...]"
            : name == "doctor"           ? " [--json]"
                                         : "";
        return "Usage: " + std::string(name == "umbra" ? "" : "umbra ") + name + rest + "\n";
    }
    std::string make_option_name(CLI::Option const* option, bool positional) const override
    {
        return option->check_name("--strace") ? "--strace[=LIST]"
                                              : Formatter::make_option_name(option, positional);
    }
    /// CLI11 appends " ..." to the type of list options, which reads as one option taking many.
    std::string make_option_opts(CLI::Option const* option) const override
    {
        return option->get_type_size() ? " " + option->get_type_name() : "";
    }
};

/// All commands with their options.
struct Grammar {
    CLI::App app { "Umbra boots a Linux of your own: a guest kernel in one unprivileged process.", "umbra" };
    RawRun raw;
    bool json = false;
    CLI::App* run;
    CLI::App* run_on_host;
    CLI::App* doctor;
    CLI::App* version;
    CLI::App* syscalls;

    Grammar()
    {
        run = app.add_subcommand("run", "Boot a tree (or the built-in one) and run a command in it");
        run->add_option(
               "--rootfs", raw.rootfs, "The tree: a directory, or a tar archive (plain, gz, xz, zst)")
            ->type_name("DIR|TAR");
        run->add_flag(
            "--rw", raw.rw, "Write through to the directory; without it, writes are gone at the end");
        run->add_flag("--init", raw.init, "Run the tree's own /sbin/init");
        add_run_options(*run, raw);
        run_on_host = app.add_subcommand(
            "do", "Run a command on the host's own tree: what it writes is gone at the end");
        add_run_options(*run_on_host, raw);
        doctor = app.add_subcommand("doctor", "Say what this host offers to Umbra, and what is missing");
        doctor->add_flag("--json", json, "For programs");
        version = app.add_subcommand("version", "Print the version");
        syscalls = app.add_subcommand("syscalls", "Print the table of system calls and their support");
        app.formatter(std::make_shared<HelpFormatter>());
        for (CLI::App* command : app.get_subcommands({}))
            command->formatter(app.get_formatter())->allow_extras();
        // What follows the first word that is no option belongs to the command.
        run->prefix_command();
        run_on_host->prefix_command();
        app.require_subcommand(1);
        app.set_help_flag("-h,--help", "Print this help");
        for (CLI::App* command : app.get_subcommands({}))
            command->set_help_flag("-h,--help", "Print this help");
    }

    CLI::App const* chosen() const
    {
        auto commands = app.get_subcommands();
        return commands.empty() ? nullptr : commands.front();
    }
};

Command fail(CLI::App const* command, std::string const& message)
{
    std::string name = command ? "umbra " + command->get_name() : "umbra";
    return { .exit_status = kExitUmbraError, .error = name + ": " + message + "\n" };
}

Command fail_by_parser(
    Grammar const& grammar, std::string const& message, std::span<char const* const> arguments)
{
    CLI::App const* command = grammar.chosen();
    if (command) return fail(command, message + "; see 'umbra " + command->get_name() + " --help'");
    std::string first = arguments.empty() ? "" : arguments[0];
    std::string what = first.empty() ? "there is no command" : "'" + first + "' is not a command";
    return fail(nullptr, what + ": give run, do, doctor, version or syscalls; see 'umbra --help'");
}

Command interpret(
    Grammar const& grammar, std::vector<std::string> after_mark, bool marked, Caller const& caller)
{
    CLI::App const* chosen = grammar.chosen();
    bool is_run = chosen == grammar.run || chosen == grammar.run_on_host;
    auto rest = chosen->remaining();
    if (!rest.empty() && rest.front().starts_with('-') && rest.front() != "-")
        return fail(
            chosen, "unknown option " + rest.front() + "; see 'umbra " + chosen->get_name() + " --help'");
    if (!is_run && (!rest.empty() || !after_mark.empty()))
        return fail(
            chosen, "takes no arguments, but there is '" + (rest.empty() ? after_mark : rest).front() + "'");
    if (is_run) {
        // "run ls -- x": the mark behind the command's name is the command's own.
        if (!rest.empty() && marked) rest.emplace_back("--");
        rest.insert(rest.end(), after_mark.begin(), after_mark.end());
        return { .kind = Command::Kind::run,
            .run = make_run(grammar.raw, caller, chosen == grammar.run_on_host, std::move(rest)) };
    }
    if (chosen == grammar.doctor) return { .kind = Command::Kind::doctor, .json = grammar.json };
    return { .kind = chosen == grammar.version ? Command::Kind::version : Command::Kind::syscalls };
}
} // namespace

char const* backend_name(BackendChoice choice)
{
    switch (choice) {
    case BackendChoice::seccomp:
        return "seccomp";
    case BackendChoice::ptrace:
        return "ptrace";
    default:
        return "auto";
    }
}

char const* fault_path_name(FaultPathChoice choice)
{
    switch (choice) {
    case FaultPathChoice::userfaultfd:
        return "userfaultfd";
    case FaultPathChoice::signal:
        return "signal";
    default:
        return "auto";
    }
}

Caller this_caller()
{
    Caller caller { .uid = ::geteuid(), .gid = ::getegid() };
    char* directory = ::getcwd(nullptr, 0);
    if (directory) caller.working_directory = directory;
    std::free(directory);
    for (char** entry = ::environ; entry && *entry; ++entry)
        caller.environment.emplace_back(*entry);
    return caller;
}

Command parse_command_line(std::span<char const* const> arguments, Caller const& caller)
{
    Grammar grammar;
    // CLI11 hands what follows "--" in a subcommand to the parent; so it never sees the mark.
    size_t mark = 0;
    while (mark < arguments.size() && std::string_view(arguments[mark]) != "--")
        ++mark;
    std::vector<std::string> before(arguments.rend() - ptrdiff_t(mark), arguments.rend());
    bool marked = mark < arguments.size();
    std::vector<std::string> after(arguments.begin() + ptrdiff_t(marked ? mark + 1 : mark), arguments.end());
    try {
        grammar.app.parse(std::move(before)); // wants them in reverse order
        return interpret(grammar, std::move(after), marked, caller);
    } catch (CLI::CallForHelp const&) {
        CLI::App const* command = grammar.chosen();
        return { .output = (command ? command : &grammar.app)->help() };
    } catch (CLI::ParseError const& error) {
        return fail_by_parser(grammar, error.what(), arguments);
    } catch (UsageError const& error) {
        return fail(grammar.chosen(), error.message);
    }
}

} // namespace umbra::boot
