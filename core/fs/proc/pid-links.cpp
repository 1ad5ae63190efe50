// SPDX-License-Identifier: GPL-2.0-or-later
// exe, cwd, root, and the links of ns/.
#include "core/abi/file.h"
#include "core/fs/proc/pid-link.h"
#include "core/fs/pseudo/text.h"
#include "core/kernel.h"
#include "core/task/process-table.h"

namespace umbra::fs {

Result<vfs::Path> PidLink::follow_magic_link()
{
    Subject subject = TRY(find_subject(fs_.kernel(), reference_));
    TRY(check_inspection(subject));
    return target(subject);
}

Result<std::string> PidLink::read_link()
{
    vfs::Path path = TRY(follow_magic_link());
    return vfs::path_to_string(path, current().fs().root);
}

namespace {
class ExecutableLink final : public PidLink {
public:
    using PidLink::PidLink;

protected:
    Result<vfs::Path> target(Subject const& subject) override
    {
        RefPtr<mm::AddressSpace> memory = subject.memory();
        if (!memory || !memory->executable()) return err::noent;
        return *memory->executable();
    }
};

class WorkingDirectoryLink final : public PidLink {
public:
    using PidLink::PidLink;

protected:
    Result<vfs::Path> target(Subject const& subject) override
    {
        if (!subject.task || !subject.task->has_fs()) return err::noent;
        return subject.task->fs().cwd;
    }
};

class RootLink final : public PidLink {
public:
    using PidLink::PidLink;

protected:
    Result<vfs::Path> target(Subject const& subject) override
    {
        if (!subject.task || !subject.task->has_fs()) return err::noent;
        return subject.task->fs().root;
    }
};

struct NamespaceRow {
    char const *name, *type;
    u32 number; ///< of the first namespace of the type on Linux (PROC_*_INIT_INO)
};
constexpr NamespaceRow kNamespaces[] = { { "cgroup", "cgroup", 0xeffffffb }, { "ipc", "ipc", 0xefffffff },
    { "mnt", "mnt", 0xf0000000 }, { "net", "net", 0xf0000001 }, { "pid", "pid", 0xeffffffc },
    { "pid_for_children", "pid", 0xeffffffc }, { "time", "time", 0xeffffffa },
    { "time_for_children", "time", 0xeffffffa }, { "user", "user", 0xeffffffd },
    { "uts", "uts", 0xeffffffe } };
constexpr u64 kNamespaceCount = std::size(kNamespaces);
constexpr u64 kMountNamespace = 2; ///< row of the one type of which there can be several

/// The number by which programs tell whether two processes share a namespace.
Result<u64> namespace_number(Subject const& subject, u64 row)
{
    if (row != kMountNamespace) return u64(kNamespaces[row].number);
    if (!subject.task || !subject.task->has_fs()) return err::noent;
    // A namespace is told by its root mount, which belongs to no other.
    return u64(kNamespaces[row].number) + subject.task->fs().mounts->root()->id();
}

class NamespaceLink final : public PidLink {
public:
    NamespaceLink(
        vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes, u64 row)
        : PidLink(fs, reference, attributes)
        , row_(row)
    {
    }

protected:
    Result<vfs::Path> target(Subject const& subject) override
    {
        u64 number = TRY(namespace_number(subject, row_));
        return vfs::make_anonymous_path(fs_.kernel(),
            format_text("%s:[%llu]", kNamespaces[row_].type, static_cast<unsigned long long>(number)),
            abi::s_ifreg | 0444, number);
    }

private:
    u64 row_;
};

class NamespaceDirectory final : public PseudoDirectory {
public:
    NamespaceDirectory(vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes)
        : PseudoDirectory(fs, attributes)
        , reference_(reference)
        , number_of_directory_(attributes.number)
    {
    }
    bool cacheable_children() const override { return false; }
    Result<Ref<Inode>> lookup(std::string_view name) override
    {
        TRY(find_subject(fs_.kernel(), reference_));
        for (u64 row = 0; row < kNamespaceCount; ++row)
            if (name == kNamespaces[row].name) {
                PseudoAttributes attributes { .mode = 0777,
                    .uid = this->attributes().uid,
                    .gid = this->attributes().gid,
                    .number = entry_number(row) };
                return Ref<Inode>(make_ref<NamespaceLink>(fs_, reference_, attributes, row));
            }
        return err::noent;
    }
    Result<void> list(i64 position, vfs::DirectoryEmitter const& emit) override
    {
        for (u64 row = u64(position) - 2; row < kNamespaceCount; ++row)
            if (!emit(kNamespaces[row].name, entry_number(row), abi::dt_lnk, i64(row) + 3)) break;
        return {};
    }

private:
    u64 entry_number(u64 row) const { return number_of_directory_ | (row + 1) << 16; }

    PidReference reference_;
    u64 number_of_directory_;
};
} // namespace

Ref<vfs::Inode> make_executable_link(
    vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes)
{
    return make_ref<ExecutableLink>(fs, reference, attributes);
}

Ref<vfs::Inode> make_working_directory_link(
    vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes)
{
    return make_ref<WorkingDirectoryLink>(fs, reference, attributes);
}

Ref<vfs::Inode> make_root_link(
    vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes)
{
    return make_ref<RootLink>(fs, reference, attributes);
}

Ref<vfs::Inode> make_namespace_directory(
    vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes)
{
    return make_ref<NamespaceDirectory>(fs, reference, attributes);
}

} // namespace umbra::fs
