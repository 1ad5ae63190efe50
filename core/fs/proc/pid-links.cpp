// SPDX-License-Identifier: GPL-2.0-or-later
// exe, cwd, root, and the links of ns/.
#include "core/abi/file.h"
#include "core/fs/proc/pid-link.h"
#include "core/fs/pseudo/text.h"
#include "core/kernel.h"
#include "core/task/namespaces.h"
#include "core/task/process-table.h"
#include "core/time/time-namespace.h"

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
    char const* name;
    vfs::NamespaceKind kind;
    bool for_children = false;
};
constexpr NamespaceRow kNamespaces[]
    = { { "cgroup", vfs::NamespaceKind::cgroup }, { "ipc", vfs::NamespaceKind::ipc },
          { "mnt", vfs::NamespaceKind::mount }, { "net", vfs::NamespaceKind::network },
          { "pid", vfs::NamespaceKind::pid }, { "pid_for_children", vfs::NamespaceKind::pid, true },
          { "time", vfs::NamespaceKind::time }, { "time_for_children", vfs::NamespaceKind::time, true },
          { "user", vfs::NamespaceKind::user }, { "uts", vfs::NamespaceKind::uts } };
constexpr u64 kNamespaceCount = std::size(kNamespaces);

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
        if (!subject.task) return err::noent;
        auto const& row = kNamespaces[row_];
        if (row.for_children) {
            if (row.kind == vfs::NamespaceKind::time)
                return vfs::namespace_path(
                    fs_.kernel(), Ref<vfs::Namespace>(*subject.task->namespaces().time_for_children));
            auto& pids = *subject.task->namespaces().pid;
            // Linux shows one only once somebody was born there.
            if (!pids.init && !pids.ended) return err::noent;
            return vfs::namespace_path(fs_.kernel(), Ref<vfs::Namespace>(pids));
        }
        return vfs::namespace_path(fs_.kernel(), TRY(namespace_of(*subject.task, row.kind)));
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
