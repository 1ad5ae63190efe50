// SPDX-License-Identifier: GPL-2.0-or-later
// Directory notices (fcntl(2) F_NOTIFY, dnotify): a signal for what happens in a directory. A notice belongs to a
// descriptor table and an open file description, and ends when the table closes any descriptor of it.
#pragma once

#include <memory>
#include <vector>

#include "core/base/error.h"
#include "core/base/types.h"

namespace umbra {
class FdTable;
class Task;
} // namespace umbra

namespace umbra::vfs {

class File;

/// The notices of one descriptor table.
class DirectoryNotices {
public:
    DirectoryNotices();
    ~DirectoryNotices();
    /// Adds to the notice of `file`, or makes one. `events`: DN_*.
    void add(File& file, i32 fd, u32 events);
    void remove(File const& file);

private:
    class Notice;
    std::vector<std::unique_ptr<Notice>> notices_;
};

/// F_NOTIFY: `events` is DN_*; without any the notice ends. ENOTDIR.
Result<void> set_directory_notice(Task& task, File& file, GuestFd fd, u32 events);

} // namespace umbra::vfs
