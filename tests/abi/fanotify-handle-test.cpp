// SPDX-License-Identifier: GPL-2.0-or-later
// fanotify(7) with file handles: FAN_REPORT_FID and its kin, and the events that cannot come with a descriptor.
#include "fanotify.h"

#include <cstdio>

namespace abi_test {
namespace {

struct FanotifyHandle : Fanotify { };

constexpr uint64_t kEntries = FAN_CREATE | FAN_DELETE | FAN_MOVE;

TEST_F(FanotifyHandle, of_the_object_or_its_directory)
{
    init(FAN_REPORT_FID);
    ASSERT_OK(mark(FAN_MARK_ADD, kEntries | FAN_ATTRIB | FAN_OPEN | FAN_EVENT_ON_CHILD | FAN_ONDIR, "d"));
    ASSERT_OK(::chmod("d/g", 0600));
    EXPECT_EQ(texts(), (Texts { "ATTRIB, FID d/g" }));
    write_file("d/new", "");
    remember("d/new");
    EXPECT_EQ(texts(), (Texts { "CREATE, FID d", "OPEN, FID d/new" }));
    ASSERT_OK(::unlink("d/new"));
    EXPECT_EQ(texts(), (Texts { "DELETE, FID d" })) << "a count of links has no place";
    ASSERT_OK(::mkdir("d/s", 0755));
    EXPECT_EQ(texts(), (Texts { "CREATE|ONDIR, FID d" }));
    Fd const directory = ::open("d", O_RDONLY);
    EXPECT_EQ(texts(), (Texts { "OPEN|ONDIR, FID d" }));
}

TEST_F(FanotifyHandle, with_directory_and_name)
{
    init(FAN_REPORT_DFID_NAME);
    ASSERT_OK(mark(FAN_MARK_ADD, kEntries | FAN_OPEN | FAN_MODIFY | FAN_EVENT_ON_CHILD | FAN_ONDIR, "d"));
    ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN | FAN_DELETE_SELF | FAN_ATTRIB, "f"));
    Fd file = ::open("d/g", O_RDONLY);
    EXPECT_EQ(texts(), (Texts { "OPEN, DFID_NAME d g" }));
    file = ::open("d", O_RDONLY);
    EXPECT_EQ(texts(), (Texts { "OPEN|ONDIR, DFID_NAME d ." }));
    file = ::open("f", O_RDONLY);
    EXPECT_EQ(texts(), (Texts { "OPEN, DFID_NAME . f" }));
    ASSERT_OK(::mkdir("d/s", 0755));
    ASSERT_OK(::symlink("s", "d/l"));
    ASSERT_OK(::rename("d/l", "d/k"));
    EXPECT_EQ(texts(),
        (Texts {
            "CREATE|ONDIR, DFID_NAME d s", "MOVED_FROM|CREATE, DFID_NAME d l", "MOVED_TO, DFID_NAME d k" }));
    ASSERT_OK(::truncate("d/g", 1));
    EXPECT_EQ(texts(), (Texts { "MODIFY, DFID_NAME d g" })) << "known by its name, not by an open file";
}

TEST_F(FanotifyHandle, directory_alone)
{
    init(FAN_REPORT_DIR_FID);
    ASSERT_OK(mark(FAN_MARK_ADD, kEntries | FAN_OPEN | FAN_EVENT_ON_CHILD | FAN_ONDIR, "d"));
    Fd file = ::open("d/g", O_RDONLY);
    EXPECT_EQ(texts(), (Texts { "OPEN, FID d" }));
    file = ::open("d", O_RDONLY);
    EXPECT_EQ(texts(), (Texts { "OPEN|ONDIR, DFID d" }));
    ASSERT_OK(::unlink("d/g"));
    EXPECT_EQ(texts(), (Texts { "DELETE, DFID d" }));
}

TEST_F(FanotifyHandle, everything_at_once)
{
    init(FAN_REPORT_DFID_NAME_TARGET);
    ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_FILESYSTEM, kEntries | FAN_OPEN | FAN_MOVE_SELF | FAN_ONDIR, "."));
    Fd file = ::open("d/g", O_RDONLY);
    EXPECT_EQ(texts(), (Texts { "OPEN, DFID_NAME d g, FID d/g" }));
    file = ::open("e", O_RDONLY);
    EXPECT_EQ(texts(), (Texts { "OPEN|ONDIR, DFID_NAME e ." }));
    ASSERT_OK(::rename("d/g", "e/h"));
    EXPECT_EQ(texts(),
        (Texts { "MOVED_FROM, DFID_NAME d g, FID d/g", "MOVED_TO, DFID_NAME e h, FID d/g",
            "MOVE_SELF, FID d/g" }));
    ASSERT_OK(::link("e/h", "f2"));
    EXPECT_EQ(texts(), (Texts { "CREATE, DFID_NAME . f2, FID d/g" }));
    ASSERT_OK(::unlink("f2"));
    EXPECT_EQ(texts(), (Texts { "DELETE, DFID_NAME . f2, FID d/g" }));
    ASSERT_OK(::rmdir("d"));
    EXPECT_EQ(texts(), (Texts { "DELETE|ONDIR, DFID_NAME . d, FID d" }));
}

TEST_F(FanotifyHandle, renames_tell_of_both_ends)
{
    init(FAN_REPORT_DFID_NAME);
    ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_RENAME | FAN_ONDIR, "."));
    ASSERT_OK(::rename("d/g", "e/h"));
    EXPECT_EQ(texts(), (Texts { "RENAME, OLD d g, NEW e h" }));
    ASSERT_OK(::rename("d", "e/d"));
    EXPECT_EQ(texts(), (Texts { "RENAME|ONDIR, OLD . d, NEW e d" }));
    ASSERT_OK(mark(FAN_MARK_FLUSH | FAN_MARK_FILESYSTEM, 0, nullptr));
    ASSERT_OK(mark(FAN_MARK_ADD, FAN_RENAME, "e"));
    ASSERT_OK(::rename("e/h", "f"));
    EXPECT_EQ(texts(), (Texts { "RENAME, OLD e h" }));
    ASSERT_OK(::rename("f", "e/i"));
    EXPECT_EQ(texts(), (Texts { "RENAME, NEW e i" }));
}

TEST_F(FanotifyHandle, the_end_of_a_file)
{
    init(FAN_REPORT_FID);
    ASSERT_OK(mark(FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_DELETE_SELF | FAN_ONDIR, "."));
    Fd file = ::open("f", O_RDONLY);
    ASSERT_OK(::unlink("f"));
    EXPECT_EQ(texts(), Texts {});
    file.reset();
    EXPECT_EQ(texts(), (Texts { "DELETE_SELF, FID f" }));
    ASSERT_OK(::rmdir("e"));
    EXPECT_EQ(texts(), (Texts { "DELETE_SELF|ONDIR, FID e" }));
}

TEST_F(FanotifyHandle, sizes)
{
    init(FAN_REPORT_DFID_NAME | FAN_REPORT_PIDFD);
    ASSERT_OK(mark(FAN_MARK_ADD, FAN_OPEN | FAN_EVENT_ON_CHILD, "d"));
    Fd const file = ::open("d/g", O_RDONLY);
    char buffer[512];
    EXPECT_ERROR(::read(fd, buffer, sizeof(fanotify_event_metadata)), EINVAL);
    auto const seen = events();
    ASSERT_EQ(seen.size(), 1u);
    EXPECT_EQ(to_text(seen[0]), "OPEN, DFID_NAME d g");
    ASSERT_TRUE(seen[0].pidfd);
    EXPECT_GE(*seen[0].pidfd, 0);
}

TEST_F(FanotifyHandle, errors)
{
    init(FAN_REPORT_DIR_FID | FAN_REPORT_FID);
    EXPECT_ERROR(mark(FAN_MARK_ADD, FAN_RENAME, "d"), EINVAL) << "without names";
    EXPECT_ERROR(mark(FAN_MARK_ADD | FAN_MARK_MOUNT, FAN_CREATE, "."), EINVAL) << "no mount knows";
    EXPECT_OK(mark(FAN_MARK_ADD, FAN_CREATE, "f")) << "which never happens";
    EXPECT_OK(mark(FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FAN_FS_ERROR, "f"));
    init(FAN_REPORT_DFID_NAME_TARGET);
    EXPECT_ERROR(mark(FAN_MARK_ADD, FAN_CREATE, "f"), ENOTDIR);
    EXPECT_ERROR(mark(FAN_MARK_ADD, FAN_OPEN | FAN_EVENT_ON_CHILD, "f"), ENOTDIR);
}

} // namespace
} // namespace abi_test
