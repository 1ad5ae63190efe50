// SPDX-License-Identifier: GPL-2.0-or-later
// Plugging the console's parts together, and what becomes of signals.
#include "arch-um/boot/terminal.h"

#include <csignal>

#include "core/kernel.h"
#include "core/task/process-table.h"
#include "core/tty/console-tty.h"
#include "core/tty/session.h"
#include "core/tty/tty-registry.h"
#include "core/vfs/operations.h"
#include "drivers-virtual/stdio/stdio-file.h"

namespace umbra::boot {

namespace {

/// SIGTTIN and SIGTTOU among them: Umbra minds its manners itself (host-console.h).
constexpr hostabi::SignalMask kSignals { SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH,
    SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU };

hostabi::SignalMask ignored_signals()
{
    hostabi::SignalMask ignored;
    for (int signal : { SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGTSTP, SIGPIPE })
        if (hostabi::is_signal_ignored(signal)) ignored.bits |= hostabi::SignalMask::bit(signal);
    return ignored;
}

} // namespace

Terminal::Terminal(u32 closed)
    : closed_(closed)
    , ignored_(ignored_signals())
    , plan_(drivers::plan_console())
    , signals_(kSignals)
    , console_(drivers::HostConsole::create(plan_))
{
    // A reader that went away is the guest's EPIPE, not Umbra's end.
    hostabi::set_signal_action(SIGPIPE, hostabi::SignalAction::ignore);
}

Terminal::~Terminal() = default;

void Terminal::connect(Kernel& kernel, drivers::HostIo& io)
{
    kernel_ = &kernel;
    io_ = &io;
    if (!console_) return;
    console_->set_io(io);
    tty_ = make_ref<tty::ConsoleTty>(kernel, *console_);
    kernel.ttys().set_console(Ref<tty::Tty>(*tty_));
}

/// By its name, so that ttyname(3) and /proc know it; a tree without /dev gets it without one.
RefPtr<vfs::File> Terminal::open_console(Task& init, RunOptions const& options)
{
    auto place = vfs::walk(init, init.fs().root, "/dev/console");
    bool const is_node = place.ok() && place.value().inode().attributes().rdev == tty_->device();
    vfs::AttributeChange const owner { .mask = vfs::AttributeChange::kUid | vfs::AttributeChange::kGid,
        .uid = options.user.uid,
        .gid = options.user.gid };
    // As login(1) does: the user may open his own terminal again. A file system that refuses keeps it as it is.
    if (is_node) (void)place.value().inode().set_attributes(owner);
    auto path = is_node ? place.release_value()
                        : vfs::make_anonymous_path(*kernel_, "/dev/console", abi::s_ifchr | 0600);
    auto file = tty::open_tty(*tty_, path, abi::o_rdwr | abi::o_noctty);
    return file.ok() ? RefPtr<vfs::File>(file.release_value()) : nullptr;
}

void Terminal::open_stdio(Task& init, RunOptions const& options)
{
    RefPtr<vfs::File> console;
    if (tty_) console = open_console(init, options);
    for (int fd = 0; fd < 3; ++fd) {
        RefPtr<vfs::File> file;
        if (plan_.is_console[size_t(fd)]) {
            file = console;
        } else if (closed_ & (1u << fd)) {
            continue; // closed in the guest
        } else if (auto made
                   = drivers::make_stdio_file(*kernel_, *io_, fd, { options.user.uid, options.user.gid });
                   made.ok()) {
            file = made.release_value();
        }
        if (!file) continue;
        // The table is empty from here on, so the number asked for is free.
        MUST(init.files().add(Ref<vfs::File>(file), false, 3, fd));
    }
    signals_.start(*io_, [this](int signal) { host_signal(signal); });
    if (console_ && plan_.use == drivers::TerminalUse::from_start) console_->want_input();
}

void Terminal::adopt_command(Task& command)
{
    command_ = command.pid().value;
    // Of its own, so that a signal to its group does not meet process 1. Fails where it is process 1.
    (void)tty::create_session(command);
    // execve(2): what is ignored stays ignored.
    for (int signal = 1; signal <= 64; ++signal)
        if (ignored_.contains(signal))
            command.process().handlers->actions[size_t(signal - 1)].handler = abi::sig_ign;
    if (!tty_) return;
    Process& process = command.process();
    if (process.session().id == process.id && !process.session().terminal) tty_->take_session(process);
}

void Terminal::host_signal(int signal)
{
    switch (signal) {
    case SIGTSTP:
    case SIGCONT:
    case SIGWINCH:
        if (console_) return console_->host_signal(signal);
        if (signal == SIGTSTP) hostabi::stop_process(SIGTSTP);
        return;
    case SIGTTIN:
    case SIGTTOU:
        return;
    default:
        return forward(signal);
    }
}

/// What a terminal sends to all of a job goes to all of the guest's job; the rest to the command alone.
void Terminal::forward(int signal)
{
    bool const from_terminal = signal == SIGINT || signal == SIGQUIT || signal == SIGHUP;
    bool const to_foreground = tty_ && (signal == SIGINT || signal == SIGQUIT) && !console_->has_terminal();
    if (to_foreground && tty_->signal_group(signal)) return;
    Process* command = kernel_->processes().find_process(Pid(command_));
    if (!command) return;
    // The numbers are the same for guest and host. A signal that cannot be queued is lost, as kill(2) would say.
    if (from_terminal && command->group)
        send_signal(*command->group, kernel_signal(signal));
    else
        (void)send_signal(*command, kernel_signal(signal));
}

void Terminal::finish()
{
    if (console_) console_->finish();
}

} // namespace umbra::boot
