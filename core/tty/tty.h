// SPDX-License-Identifier: GPL-2.0-or-later
// A terminal: line discipline, settings, window size, session, and the files that have it open. The device
// behind it, a pty's master or the console, derives from it. Guarded by the kernel lock; nothing here waits
// unless it says so. References: open files and the session that it controls hold a Tty; the Tty holds
// session and foreground group until the session's leader ends or it is hung up.
#pragma once

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/base/ref.h"
#include "core/sync/mutex.h"
#include "core/sync/wait-queue.h"
#include "core/task/process.h"
#include "core/tty/line-discipline.h"

namespace umbra::vfs {
class File;
struct Path;
} // namespace umbra::vfs

namespace umbra::tty {

class TtyFile;

class Tty : public RefCounted, public LineHost {
public:
    Tty(Kernel& kernel, u64 device, std::string name);
    ~Tty() override;

    Kernel& kernel() const { return kernel_; }
    u64 device() const { return device_; } ///< number of the device node, for stat and /proc/pid/stat
    std::string const& name() const { return name_; } ///< "console", "pts/3"
    LineDiscipline& line() { return line_; }
    abi::Termios const& termios() const { return line_.termios(); }
    void set_termios(abi::Termios termios);
    /// What TIOCSLCKTRMIOS holds fast: bits of the flags, and characters whose byte is not 0.
    abi::Termios locked {};
    abi::WindowSize window_size() const { return window_; }
    /// SIGWINCH to the foreground group if it is a change.
    void set_window_size(abi::WindowSize size);

    // For the device
    /// Typed or received bytes. Returns how many were taken; input_drained() says when there is room again.
    u64 receive(std::span<u8 const> bytes);
    u64 input_room() const { return kBacklogSize - backlog_.size(); }
    /// The device takes output again.
    void output_ready();
    /// The line is gone: every open file gets end of file and EIO, the session's leader SIGHUP and SIGCONT,
    /// and the session loses its terminal. `reason` session_exit: the foreground group gets SIGHUP too.
    enum class HangUp : u8 { line_lost, session_exit };
    void hang_up(HangUp reason = HangUp::line_lost);
    /// False if there is no foreground group.
    bool signal_group(int signal);

    // For open files
    /// Output of a program, processed; returns how much of it is done with.
    u64 write(std::span<u8 const> bytes);
    /// Input that waited for room in the line's buffer goes in.
    void pump();
    void flush_input();
    void flush_output();
    /// tcflow(TCOOFF), tcflow(TCOON): stops output whatever the user types.
    void suspend_output(bool stop);
    WaitQueue& queue() { return queue_; } ///< woken when input, room for output or a hang-up comes
    Mutex& write_mutex() { return write_mutex_; } ///< one write(2) is one piece of output
    void attach(TtyFile& file);
    void detach(TtyFile& file);
    u64 open_files() const { return files_.size(); }

    // Session
    RefPtr<Session> const& session() const { return session_; }
    RefPtr<ProcessGroup> const& foreground() const { return foreground_; }
    void set_foreground(RefPtr<ProcessGroup> group) { foreground_ = std::move(group); }
    /// Becomes the controlling terminal of the process's session, its group the foreground.
    void take_session(Process& leader);
    /// Nobody's terminal any more.
    void drop_session();

    bool exclusive = false; ///< TIOCEXCL

    // LineHost
    u64 output_room() const override { return is_output_stopped() ? 0 : device_room(); }
    void output(std::span<u8 const> bytes) override { device_write(bytes); }
    void signal_foreground(int signal) override { (void)signal_group(signal); }
    void discard_output() override;
    void set_output_stopped(bool stopped) override;
    bool is_output_stopped() const override { return stopped_ || suspended_; }
    void input_available() override;

    // The device's side
    virtual u64 device_room() const = 0;
    virtual void device_write(std::span<u8 const> bytes) = 0; ///< at most device_room()
    virtual u64 device_pending() const { return 0; } ///< bytes that the device has not shown yet (TIOCOUTQ)
    virtual void device_discard() { }
    /// The other end is gone: reads and writes are EIO, poll shows POLLHUP.
    virtual bool is_other_end_closed() const { return false; }
    /// Opened through a file; EIO where that cannot be now.
    virtual Result<void> opening() { return {}; }
    virtual void last_file_closed() { }
    /// There is room for input again.
    virtual void input_drained() { }
    /// Somebody wants to read, or changed how reading works.
    virtual void input_wanted() { }
    virtual void input_flushed() { }
    virtual void output_stop_changed(bool stopped) { (void)stopped; }
    virtual void termios_changed(abi::Termios const& old) { (void)old; }
    /// Whether opening it without O_NOCTTY gives a session leader a controlling terminal.
    virtual bool offers_control() const { return true; }
    /// The console stays open to those who have it when its session is hung up, as Linux's /dev/console does.
    virtual bool survives_hang_up() const { return false; }

protected:
    Kernel& kernel_;

private:
    static constexpr u64 kBacklogSize = 16 << 10;

    void wake() { queue_.wake_all(); }

    u64 device_;
    std::string name_;
    LineDiscipline line_ { *this };
    abi::WindowSize window_;
    std::vector<u8> backlog_; ///< received, no room in the line's buffer
    WaitQueue queue_;
    Mutex write_mutex_;
    std::vector<TtyFile*> files_;
    RefPtr<Session> session_;
    RefPtr<ProcessGroup> foreground_;
    bool stopped_ = false; ///< by the user: IXON
    bool suspended_ = false; ///< by a program: tcflow
    bool pumping_ = false;
};

/// The rules about background processes (termios(3)): ok in the foreground, or where `tty` is not the task's
/// controlling terminal. `signal` SIGTTIN or SIGTTOU is sent to the task's group and err::restart_sys
/// returned; EIO where the group is orphaned, or SIGTTIN is blocked or ignored.
Result<void> check_foreground(Task& task, Tty& tty, int signal);

/// Opens it at `path`: EBUSY (TIOCEXCL), EIO. With the rules of open(2) about controlling terminals.
Result<Ref<vfs::File>> open_tty(Tty& tty, vfs::Path const& path, u32 flags);

/// The ioctl(2) requests of a terminal; `on_master` for those that come by a pty's master. `file`: by which
/// it comes.
Result<i64> tty_ioctl(Task& task, Tty& tty, vfs::File& file, u32 command, u64 argument, bool on_master);

} // namespace umbra::tty
