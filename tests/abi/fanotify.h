// SPDX-License-Identifier: GPL-2.0-or-later
// What the tests of fanotify(7) share: a group, its events with their records in words, and a tmpfs of one's own, in which
// nobody else does anything.
#pragma once

#include <sys/fanotify.h>

#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "mounts.h"

namespace abi_test {

/// One event as a read gives it.
struct FanEvent {
    uint64_t mask = 0;
    Fd fd;
    int pid = 0;
    std::string target; ///< of the descriptor, as /proc/self/fd shows it, below the tmpfs
    std::vector<std::string> records; ///< "FID d", "DFID_NAME d f": the type, and what the handle is one of
    std::optional<int> pidfd;
};
std::string to_text(FanEvent const& event);

/// A tmpfs of one's own; in it the directories d and e, and the files f and d/g.
struct Fanotify : InOwnMounts {
    void SetUp() override;
    /// fanotify_init(2), into `fd`.
    void init(unsigned flags, unsigned event_flags = O_RDONLY);
    int mark(unsigned flags, uint64_t mask, char const* path) const
    {
        return ::fanotify_mark(fd, flags, mask, AT_FDCWD, path);
    }
    /// All that is in the queue.
    std::vector<FanEvent> events() const;
    /// The same in words, "OPEN|CLOSE_WRITE f".
    std::vector<std::string> texts() const;
    /// Which of the files of the fixture has the handle.
    std::string name_of(file_handle const& handle) const;

    Fd fd;
    std::vector<std::pair<std::string, std::string>> handles; ///< bytes, name
    void remember(std::string const& name);
};

using Texts = std::vector<std::string>;

} // namespace abi_test
