// SPDX-License-Identifier: GPL-2.0-or-later
// PROCMAP_QUERY, an ioctl of /proc/PID/maps: one area by its address, as numbers.
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "abi-test.h"

namespace abi_test {
namespace {

struct Query {
    uint64_t size, flags, address;
    uint64_t start, end, area_flags, page_size, offset, inode;
    uint32_t device_major, device_minor, name_size, build_id_size;
    uint64_t name_address, build_id_address;
};
constexpr unsigned long kQuery = _IOWR('f', 17, Query);
constexpr uint64_t kReadable = 1, kWritable = 2, kShared = 8, kOrNext = 16, kOfFile = 32;

class ProcMap : public InScratchDirectory {
protected:
    void SetUp() override
    {
        InScratchDirectory::SetUp();
        maps_ = ::open("/proc/self/maps", O_RDONLY);
        // Three pages: readable, nothing mapped, writable.
        base_ = static_cast<char*>(::mmap(nullptr, 3 * kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        ASSERT_NE(base_, MAP_FAILED);
        ::munmap(base_ + kPage, kPage);
        ::mprotect(base_ + 2 * kPage, kPage, PROT_READ | PROT_WRITE);
    }
    void TearDown() override
    {
        ::munmap(base_, 3 * kPage);
        InScratchDirectory::TearDown();
    }
    int ask(Query& query) { return ::ioctl(maps_, kQuery, &query); }
    Query about(void const* address, uint64_t flags = 0) const
    {
        Query q {};
        q.size = sizeof q, q.flags = flags, q.address = reinterpret_cast<uint64_t>(address);
        return q;
    }

    static constexpr size_t kPage = 4096;
    Fd maps_ = -1;
    char* base_ = nullptr;
};

TEST_F(ProcMap, area_by_address)
{
    Query q = about(base_ + 2 * kPage + 7);
    ASSERT_OK(ask(q));
    EXPECT_LE(q.start, reinterpret_cast<uint64_t>(base_ + 2 * kPage));
    EXPECT_GE(q.end, reinterpret_cast<uint64_t>(base_ + 3 * kPage));
    EXPECT_EQ(q.area_flags, kReadable | kWritable);
    EXPECT_EQ(q.page_size, kPage);
    EXPECT_EQ(q.inode, 0u);
    q = about(base_ + kPage);
    EXPECT_ERROR(ask(q), ENOENT);
    q = about(base_ + kPage, kOrNext);
    ASSERT_OK(ask(q));
    EXPECT_EQ(q.start, reinterpret_cast<uint64_t>(base_ + 2 * kPage));
    q = about(base_, kWritable);
    EXPECT_ERROR(ask(q), ENOENT);
    q = about(base_, kWritable | kOrNext);
    ASSERT_OK(ask(q));
    EXPECT_EQ(q.start, reinterpret_cast<uint64_t>(base_ + 2 * kPage));
    q = about(reinterpret_cast<void*>(~uint64_t { 0 } - kPage), kOrNext | kWritable);
    EXPECT_ERROR(ask(q), ENOENT);
}

TEST_F(ProcMap, names_and_files)
{
    write_file("mapped", std::string(3 * kPage, 'x'));
    Fd fd = ::open("mapped", O_RDONLY);
    auto* p = static_cast<char*>(::mmap(nullptr, kPage, PROT_READ, MAP_SHARED, fd, kPage));
    ASSERT_NE(p, MAP_FAILED);
    char name[4096];
    Query q = about(p, kOfFile);
    q.name_size = sizeof name, q.name_address = reinterpret_cast<uint64_t>(name);
    ASSERT_OK(ask(q));
    char directory[4096];
    ASSERT_NE(::getcwd(directory, sizeof directory), nullptr);
    std::string const path = std::string(directory) + "/mapped";
    EXPECT_STREQ(name, path.c_str());
    EXPECT_EQ(q.name_size, path.size() + 1);
    EXPECT_EQ(q.area_flags, kReadable | kShared);
    EXPECT_EQ(q.offset, kPage);
    struct stat s;
    ASSERT_EQ(::fstat(fd, &s), 0);
    EXPECT_EQ(q.inode, s.st_ino);
    q = about(p);
    q.name_size = 3, q.name_address = reinterpret_cast<uint64_t>(name);
    EXPECT_ERROR(ask(q), ENAMETOOLONG);
    q = about(base_, kOfFile);
    EXPECT_ERROR(ask(q), ENOENT);
    int on_stack = 0;
    q = about(&on_stack);
    q.name_size = sizeof name, q.name_address = reinterpret_cast<uint64_t>(name);
    ASSERT_OK(ask(q));
    EXPECT_EQ(q.area_flags & (kReadable | kWritable), kReadable | kWritable);
    q = about(base_);
    q.name_size = sizeof name, q.name_address = reinterpret_cast<uint64_t>(name);
    ASSERT_OK(ask(q));
    EXPECT_EQ(q.name_size, 0u);
    ::munmap(p, kPage);
}

TEST_F(ProcMap, build_ids)
{
    // The start of an ELF file: its header, one program header, a note.
    std::string file(kPage, '\0');
    auto put = [&file](size_t at, auto value) { std::memcpy(&file[at], &value, sizeof value); };
    put(0, 0x464c457fu);
    file[4] = 2, file[5] = 1, file[6] = 1;
    put(16, uint16_t(3)), put(18, uint16_t(62)), put(20, 1u);
    put(32, uint64_t(64)), put(52, uint16_t(64)), put(54, uint16_t(56)), put(56, uint16_t(1));
    put(64, 4u), put(64 + 8, uint64_t(256)), put(64 + 32, uint64_t(24));
    put(256, 4u), put(260, 8u), put(264, 3u), put(268, 0x00554e47u);
    file.replace(272, 8, "build-id");
    write_file("elf", file);
    Fd fd = ::open("elf", O_RDONLY);
    auto* p = ::mmap(nullptr, kPage, PROT_READ, MAP_PRIVATE, fd, 0);
    ASSERT_NE(p, MAP_FAILED);
    char id[20] = {};
    Query q = about(p);
    q.build_id_size = sizeof id, q.build_id_address = reinterpret_cast<uint64_t>(id);
    // Not from memory that the file was never read into: it is looked at first.
    EXPECT_EQ(*static_cast<char volatile*>(p), 0x7f);
    ASSERT_OK(ask(q));
    EXPECT_EQ(q.build_id_size, 8u);
    EXPECT_EQ(std::string(id, 8), "build-id");
    q.build_id_size = 4;
    EXPECT_ERROR(ask(q), ENAMETOOLONG);
    q = about(base_);
    q.build_id_size = sizeof id, q.build_id_address = reinterpret_cast<uint64_t>(id);
    ASSERT_OK(ask(q));
    EXPECT_EQ(q.build_id_size, 0u);
    ::munmap(p, kPage);
}

TEST_F(ProcMap, refused_questions)
{
    Query q = about(base_, 64);
    EXPECT_ERROR(ask(q), EINVAL);
    q = about(base_);
    q.size = 16;
    EXPECT_ERROR(ask(q), EINVAL);
    q.size = 5000;
    EXPECT_ERROR(ask(q), E2BIG);
    q.size = 24;
    EXPECT_OK(ask(q));
    q = about(base_);
    q.name_size = 10;
    EXPECT_ERROR(ask(q), EINVAL);
    EXPECT_ERROR(::ioctl(maps_, kQuery, nullptr), EFAULT);
}

} // namespace
} // namespace abi_test
