// SPDX-License-Identifier: GPL-2.0-or-later
// A file system that is being set up, parameter by parameter: what a descriptor of fsopen(2) or fspick(2) stands for
// (Linux: struct fs_context). What goes wrong is said in a log, which read(2) of the descriptor gives.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "core/vfs/file-system-types.h"
#include "core/vfs/path.h"

namespace umbra::vfs {

class FileSystemConfig {
public:
    /// For a new instance.
    FileSystemConfig(Kernel& kernel, FileSystemType const& type);
    /// For changes of one that is mounted.
    FileSystemConfig(Kernel& kernel, FileSystemType const* type, Ref<FileSystem> fs);

    /// EINVAL: unknown, or not of that kind; EBUSY: the time for parameters is over. No value: a flag.
    Result<void> set(std::string const& name, std::optional<std::string> const& value);
    /// A value that is a descriptor, a path or bytes, which no parameter here is.
    Result<void> set_other(std::string const& name);
    enum class Sharing : u8 { allowed, refused };
    /// Makes the instance; refused sharing: EBUSY if it exists already. May wait.
    Result<void> create(Sharing sharing);
    /// Takes over the parameters into the instance. EBUSY: there is none yet.
    Result<void> reconfigure();
    /// A mount of the instance, once. EINVAL: there is none; EBUSY: that has been done.
    Result<Ref<Mount>> mount(u32 flags);

    /// The oldest message that nobody has read; ENODATA.
    Result<std::string> next_message() const;
    void drop_message() { log_.pop_front(); }

private:
    enum class Phase : u8 { parameters, awaiting_mount, mounted, changing, failed };
    Result<void> begin_change();
    Result<void> complain(std::string text);
    bool set_common_flag(std::string_view name);

    static constexpr size_t kLogSize = 8;

    Kernel& kernel_;
    FileSystemType const* type_; ///< null for one that no guest can mount
    Phase phase_;
    RefPtr<FileSystem> fs_;
    std::optional<std::string> source_;
    std::string options_;
    std::optional<bool> read_only_;
    std::deque<std::string> log_;
};

} // namespace umbra::vfs
