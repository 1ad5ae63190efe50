// SPDX-License-Identifier: GPL-2.0-or-later
// A kernel for unit tests of file systems: memory from the heap, a clock that stands until it is moved, one
// task with a tmpfs as its root. Nothing waits and no guest runs.
#pragma once

#include <gtest/gtest.h>

#include "core/fs/tmpfs/tmpfs.h"
#include "core/kernel.h"
#include "core/platform/fake/fake-platform.h"
#include "core/task/process-table.h"
#include "core/task/task-access.h"
#include "core/vfs/operations.h"

namespace umbra::test {

/// Base of the fixtures: short forms of the operations, with paths relative to the task's working directory.
class FileTest : public testing::Test {
protected:
    FileTest()
        : kernel(platform, { .memory_limit = 64 << 20 })
        , process(make_ref<Process>(
              kernel, Pid(1), kernel.processes().first_namespace(), make_ref<SignalHandlers>()))
        , task_ref(make_ref<Task>(kernel, Pid(1), process))
        , task(*task_ref)
    {
        platform.set_clock(platform::HostClock::realtime, 1'000'000 * kNanosecondsPerSecond);
        auto fs = fs::make_tmpfs(kernel, { .mode = 0755 });
        auto mount = make_ref<vfs::Mount>(fs, 0, "root");
        vfs::Path root { mount, mount->root() };
        auto mounts = make_ref<vfs::MountNamespace>(mount);
        TaskAccess(task).fs() = make_ref<vfs::FsContext>(root, root, mounts, 0);
        TaskAccess(task).files() = make_ref<FdTable>(kernel);
    }

    vfs::At at(std::string_view path)
    {
        return { path.starts_with('/') ? task.fs().root : task.fs().cwd, path };
    }
    Result<vfs::Path> walk(std::string_view path, vfs::WalkOptions options = {})
    {
        return vfs::walk(task, at(path).base, path, options);
    }
    Errno walk_error(std::string_view path, vfs::WalkOptions options = {})
    {
        return error_of(walk(path, options));
    }
    std::string where(std::string_view path)
    {
        auto place = walk(path);
        return place.ok() ? vfs::path_to_string(place.value(), task.fs().root) : errno_name(place.error());
    }
    Result<Ref<vfs::File>> open(std::string_view path, u32 flags, u32 mode = 0644)
    {
        return vfs::open(task, at(path), { .flags = flags, .mode = mode });
    }
    void mkdir(std::string_view path, u32 mode = 0755)
    {
        ASSERT_TRUE(vfs::mkdir(task, at(path), mode).ok()) << path;
    }
    void symlink(std::string_view target, std::string_view path)
    {
        ASSERT_TRUE(vfs::symlink(task, target, at(path)).ok()) << path;
    }
    void write_file(std::string_view path, std::string_view text, u32 mode = 0644)
    {
        auto file = open(path, abi::o_wronly | abi::o_creat | abi::o_trunc, mode);
        ASSERT_TRUE(file.ok()) << path << ": " << errno_name(file.error());
        u64 offset = 0;
        auto buffer = IoBuffer::kernel_source({ reinterpret_cast<u8 const*>(text.data()), text.size() });
        ASSERT_EQ(vfs::write_file(task, *file.value(), buffer, offset).value(), text.size());
    }
    std::string read_file(std::string_view path)
    {
        auto file = open(path, abi::o_rdonly);
        if (file.is_error()) return errno_name(file.error());
        std::string text(file.value()->inode().attributes().size, '\0');
        auto buffer = IoBuffer::kernel({ reinterpret_cast<u8*>(text.data()), text.size() });
        text.resize(vfs::read_file(*file.value(), buffer, 0).value());
        return text;
    }
    vfs::Attributes stat(std::string_view path, bool follow = true)
    {
        auto place = walk(path, { .follow_last = follow });
        EXPECT_TRUE(place.ok()) << path;
        EXPECT_TRUE(place.value().inode().refresh().ok());
        return place.value().inode().attributes();
    }
    void mount_tmpfs(std::string_view path, u32 flags = 0)
    {
        auto mount = make_ref<vfs::Mount>(fs::make_tmpfs(kernel, {}), flags, "tmpfs");
        ASSERT_TRUE(task.fs().mounts->attach(mount, walk(path).value()).ok());
    }
    /// From here on the task is an ordinary user.
    void become(u32 uid, u32 gid, std::vector<u32> groups = {})
    {
        auto c = make_ref<Credentials>(kernel.first_user_namespace);
        c->uid = c->euid = c->suid = c->fsuid = uid;
        c->gid = c->egid = c->sgid = c->fsgid = gid;
        c->groups = std::move(groups);
        c->permitted = c->effective = uid == 0 ? kAllCapabilities : 0;
        task.set_credentials(c);
    }
    std::vector<std::string> list(std::string_view path, i64 from = 0)
    {
        std::vector<std::string> names;
        auto file = open(path, abi::o_rdonly | abi::o_directory).value();
        EXPECT_TRUE(file->read_directory(from,
                            [&](std::string_view name, u64, u8, i64) {
                                names.emplace_back(name);
                                return true;
                            })
                        .ok());
        return names;
    }

    template <typename T> static Errno error_of(Result<T> const& result)
    {
        return result.ok() ? Errno {} : result.error();
    }

    platform::fake::FakePlatform platform;
    Kernel kernel;
    Ref<Process> process;
    Ref<Task> task_ref;
    Task& task;
};

} // namespace umbra::test
