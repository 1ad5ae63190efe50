// SPDX-License-Identifier: GPL-2.0-or-later
// A process's descriptors (files_struct): small numbers to open file descriptions. Shared by CLONE_FILES.
#pragma once

#include <memory>
#include <vector>

#include "core/base/error.h"
#include "core/base/ref.h"
#include "core/vfs/file.h"

namespace umbra {

namespace vfs {
struct LockWait;
class DirectoryNotices;
} // namespace vfs

class FdTable : public RefCounted {
public:
    explicit FdTable(Kernel& kernel);
    ~FdTable() override;

    /// What a number is wanted for: a new description, of which there is a limit, or one that exists.
    enum class For : u8 { new_file, existing_file };

    /// EBADF where the number is not open. O_PATH files are refused unless `allow_path`.
    Result<Ref<vfs::File>> get(GuestFd fd, bool allow_path = false) const;
    /// The lowest free number >= `from` below `limit` (RLIMIT_NOFILE); EMFILE, ENFILE. Reserved, not open, until
    /// install().
    Result<GuestFd> reserve(u64 limit, i32 from = 0, For what = For::new_file);
    void install(GuestFd fd, Ref<vfs::File> file, bool close_on_exec);
    void release(GuestFd reserved);
    /// reserve and install in one.
    Result<GuestFd> add(
        Ref<vfs::File> file, bool close_on_exec, u64 limit, i32 from = 0, For what = For::new_file);
    /// dup2(2): closes what is there. EBADF beyond limit; EBUSY where the number is merely reserved.
    Result<void> replace(Task& task, GuestFd fd, Ref<vfs::File> file, bool close_on_exec, u64 limit);
    /// EBADF. Runs the close hooks (POSIX locks, flush).
    Result<void> close(Task& task, GuestFd fd);
    void close_range(Task& task, u32 first, u32 last);
    void set_close_on_exec_range(u32 first, u32 last);
    void close_on_exec(Task& task);
    void close_all(Task& task);
    Result<bool> get_close_on_exec(GuestFd fd) const;
    Result<void> set_close_on_exec(GuestFd fd, bool on);
    Ref<FdTable> clone() const;
    i32 highest() const { return i32(slots_.size()) - 1; }
    u32 open_count() const;

    List<vfs::LockWait> lock_waits; ///< POSIX lock requests that tasks of this table are blocked in
    std::unique_ptr<vfs::DirectoryNotices> directory_notices; ///< fcntl F_NOTIFY; made on first use

private:
    void run_close_hooks(Task& task, vfs::File& file);

    struct Slot {
        RefPtr<vfs::File> file;
        bool close_on_exec = false;
        bool reserved = false;
    };
    Kernel& kernel_;
    std::vector<Slot> slots_;
    i32 lowest_free_ = 0; ///< no free slot below this
};

} // namespace umbra
