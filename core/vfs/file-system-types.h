// SPDX-License-Identifier: GPL-2.0-or-later
// The names that mount(2) knows and how an instance of each is made (/proc/filesystems). Filled from one
// visible table, core/fs/table.cpp; the composition adds those that need the host.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/task/credentials.h"
#include "core/vfs/file-system.h"

namespace umbra::vfs {

/// What mount(2) says about a new instance.
struct MountRequest {
    Kernel& kernel;
    std::string source; ///< as given; a device or just a label
    std::string options; ///< the data string: "size=1m,mode=755"
    u32 flags = 0; ///< MountFlag
    RefPtr<Credentials> who = nullptr; ///< who mounts; null: the kernel itself
    /// Ids in options are those of the mounter's user namespace. EINVAL: it has no such one.
    Result<u32> uid(u32 given) const;
    Result<u32> gid(u32 given) const;
    UserNamespace& user_namespace() const;
};

/// A parameter that a type takes (Linux: struct fs_parameter_spec).
struct MountParameter {
    enum class Kind : u8 {
        flag,
        text,
        number, ///< 32 bits, decimal
        octal,
        size, ///< with k, m, g, t
        size_or_share, ///< the same, or a percentage of memory
    };
    char const* name;
    Kind kind;
    bool accepts(std::optional<std::string_view> value) const;
};

struct FileSystemType {
    std::string name;
    std::span<MountParameter const> parameters = {};
    bool ignores_unknown_parameters = false; ///< of fsconfig(2)
    bool needs_device = false; ///< shown without "nodev" in /proc/filesystems
    bool in_user_namespaces = false; ///< who has CAP_SYS_ADMIN in a user namespace may mount one
    /// EINVAL for options it does not know. Singletons (proc, devtmpfs) return their one instance. May wait.
    std::function<Result<Ref<FileSystem>>(MountRequest const&)> make;

    MountParameter const* find_parameter(std::string_view wanted) const;
};

class FileSystemTypes {
public:
    void add(FileSystemType type) { types_.push_back(std::move(type)); }
    FileSystemType const* find(std::string_view name) const;
    std::vector<FileSystemType> const& all() const { return types_; }

private:
    std::vector<FileSystemType> types_;
};

/// One "name" or "name=value" of an options string.
struct MountOption {
    std::string_view name, value;
};
std::vector<MountOption> split_options(std::string_view options);
/// "10", "4k", "2M", "1G"; EINVAL.
Result<u64> parse_size(std::string_view text);
/// EINVAL.
Result<u32> parse_number(std::string_view text, unsigned base);

} // namespace umbra::vfs
