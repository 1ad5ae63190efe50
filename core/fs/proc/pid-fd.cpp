// SPDX-License-Identifier: GPL-2.0-or-later
// fd/ and fdinfo/: the open files of a process.
#include <charconv>

#include "core/fs/proc/pid-link.h"
#include "core/fs/pseudo/text.h"
#include "core/kernel.h"
#include "core/task/task.h"

namespace umbra::fs {

namespace {
constexpr u64 kFdEntries
    = 1 << 8; ///< inode numbers of fd/N above those of the fixed files, of fdinfo/N behind

Result<Ref<vfs::File>> open_file_of(Subject const& subject, GuestFd fd)
{
    if (!subject.task || !subject.task->has_files()) return err::noent;
    auto file = subject.task->files().get(fd, true);
    return file.ok() ? file : Result<Ref<vfs::File>>(err::noent);
}

class FdLink final : public PidLink {
public:
    FdLink(vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes, GuestFd fd)
        : PidLink(fs, reference, attributes)
        , fd_(fd)
    {
    }
    bool may_be_covered() const override { return false; }

protected:
    Result<vfs::Path> target(Subject const& subject) override
    {
        auto file = TRY(open_file_of(subject, fd_));
        if (!file->path()) return err::noent;
        return *file->path();
    }

private:
    GuestFd fd_;
};

class FdInfoInode final : public TextInode {
public:
    FdInfoInode(
        vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes, GuestFd fd)
        : TextInode(fs, attributes)
        , reference_(reference)
        , fd_(fd)
    {
    }
    bool may_be_covered() const override { return false; }
    Result<void> check_open(u32) override
    {
        return check_inspection(TRY(find_subject(fs_.kernel(), reference_)));
    }
    Result<std::string> make_text() override
    {
        Subject subject = TRY(find_subject(fs_.kernel(), reference_));
        TRY(check_inspection(subject));
        auto file = TRY(open_file_of(subject, fd_));
        u32 flags = file->flags();
        if (subject.task->files().get_close_on_exec(fd_).value_or(false)) flags |= abi::o_cloexec;
        u64 position = file->has_own_position() ? 0 : file->position;
        return format_text("pos:\t%llu\nflags:\t0%o\nmnt_id:\t%u\nino:\t%llu\n",
                   static_cast<unsigned long long>(position), flags,
                   file->path() ? file->path()->mount->id() : 0,
                   static_cast<unsigned long long>(file->path() ? file->inode().number() : 0))
            + file->fdinfo();
    }

private:
    PidReference reference_;
    GuestFd fd_;
};

/// fd/ and fdinfo/ differ in what an entry is.
class FdDirectoryBase : public PseudoDirectory {
public:
    FdDirectoryBase(vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes)
        : PseudoDirectory(fs, attributes)
        , reference_(reference)
    {
    }
    bool cacheable_children() const override { return false; }
    Result<void> check_open() override
    {
        return check_inspection(TRY(find_subject(fs_.kernel(), reference_)));
    }

    Result<Ref<Inode>> lookup(std::string_view name) override
    {
        i32 number = 0;
        auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
        bool canonical = error == std::errc() && end == name.data() + name.size() && number >= 0
            && (name[0] != '0' || name.size() == 1);
        if (!canonical) return err::noent;
        auto subject = find_subject(fs_.kernel(), reference_);
        if (subject.is_error()) return err::noent;
        auto file = TRY(open_file_of(subject.value(), GuestFd(number)));
        return make_entry(subject.value(), GuestFd(number), *file);
    }

    Result<void> list(i64 position, vfs::DirectoryEmitter const& emit) override
    {
        Subject subject = TRY(find_subject(fs_.kernel(), reference_));
        for (i64 fd = position - 2; subject.task && subject.task->has_files(); ++fd) {
            if (fd > subject.task->files().highest()) break;
            if (open_file_of(subject, GuestFd(i32(fd))).is_error()) continue;
            if (!emit(std::to_string(fd), entry_number(GuestFd(i32(fd))), entry_type(), fd + 3)) break;
        }
        return {};
    }

protected:
    virtual Ref<Inode> make_entry(Subject const& subject, GuestFd fd, vfs::File& file) = 0;
    virtual u64 entry_number(GuestFd fd) const = 0;
    virtual u8 entry_type() const = 0;

    PidReference reference_;
};

class FdDirectory final : public FdDirectoryBase {
public:
    using FdDirectoryBase::FdDirectoryBase;
    Result<void> refresh() override
    {
        Subject subject = TRY(find_subject(fs_.kernel(), reference_));
        attributes_.size = subject.task && subject.task->has_files() ? subject.task->files().open_count() : 0;
        return {};
    }

protected:
    Ref<Inode> make_entry(Subject const& subject, GuestFd fd, vfs::File& file) override
    {
        // The mode shows how it was opened.
        u32 mode = (file.is_readable() ? 0500u : 0) | (file.is_writable() ? 0300u : 0);
        PseudoAttributes attributes = pid_attributes(subject, mode, entry_number(fd));
        attributes.size = 64;
        return make_ref<FdLink>(fs_, reference_, attributes, fd);
    }
    u64 entry_number(GuestFd fd) const override
    {
        return pid_inode_number(reference_, kFdEntries + u64(fd.value) * 2);
    }
    u8 entry_type() const override { return abi::dt_lnk; }
};

class FdInfoDirectory final : public FdDirectoryBase {
public:
    using FdDirectoryBase::FdDirectoryBase;

protected:
    Ref<Inode> make_entry(Subject const& subject, GuestFd fd, vfs::File&) override
    {
        return make_ref<FdInfoInode>(fs_, reference_, pid_attributes(subject, 0400, entry_number(fd)), fd);
    }
    u64 entry_number(GuestFd fd) const override
    {
        return pid_inode_number(reference_, kFdEntries + u64(fd.value) * 2 + 1);
    }
    u8 entry_type() const override { return abi::dt_reg; }
};

/// A process always reaches its own files, whoever owns them by now (Linux: proc_fd_permission).
PseudoAttributes reachable(vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes attributes)
{
    auto subject = find_subject(fs.kernel(), reference);
    if (subject.ok() && subject.value().process.get() == &current().process()) {
        attributes.uid = current().credentials().fsuid;
        attributes.gid = current().credentials().fsgid;
    }
    return attributes;
}
} // namespace

Ref<vfs::Inode> make_fd_directory(
    vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes)
{
    return make_ref<FdDirectory>(fs, reference, reachable(fs, reference, attributes));
}

Ref<vfs::Inode> make_fdinfo_directory(
    vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes)
{
    return make_ref<FdInfoDirectory>(fs, reference, reachable(fs, reference, attributes));
}

} // namespace umbra::fs
