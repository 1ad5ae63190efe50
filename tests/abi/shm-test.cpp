// SPDX-License-Identifier: GPL-2.0-or-later
// System V shared memory: shmget(2), shmop(2), shmctl(2).
#include "abi-test.h"

#include <fstream>
#include <sstream>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

namespace abi_test {
namespace {

void* const kFailed = reinterpret_cast<void*>(-1);

/// A segment that goes with the test.
class Segment {
public:
    explicit Segment(size_t size, int flags = 0600, key_t key = IPC_PRIVATE)
        : id(::shmget(key, size, IPC_CREAT | flags))
    {
        EXPECT_GE(id, 0) << std::strerror(errno);
    }
    ~Segment() { ::shmctl(id, IPC_RMID, nullptr); }
    shmid_ds status() const
    {
        shmid_ds status {};
        EXPECT_OK(::shmctl(id, IPC_STAT, &status));
        return status;
    }
    int const id;
};

int attach_error(int id, void const* address, int flags)
{
    void* at = ::shmat(id, address, flags);
    if (at != kFailed) ::shmdt(at);
    return at == kFailed ? errno : 0;
}

char* attach(int id, void const* address = nullptr, int flags = 0)
{
    void* at = ::shmat(id, address, flags);
    EXPECT_NE(at, kFailed) << std::strerror(errno);
    return static_cast<char*>(at);
}

/// A key that nobody else uses: of the test's own process.
key_t own_key() { return 0x55000000 | (::getpid() & 0xffffff); }

TEST(Shm, is_shared_and_counted)
{
    Segment segment(3 * kPage - 100);
    auto before = segment.status();
    EXPECT_EQ(before.shm_segsz, 3 * kPage - 100);
    EXPECT_EQ(before.shm_nattch, 0u);
    EXPECT_EQ(before.shm_cpid, ::getpid());
    EXPECT_EQ(before.shm_lpid, 0);
    EXPECT_EQ(before.shm_atime, 0);
    EXPECT_EQ(before.shm_dtime, 0);
    EXPECT_NE(before.shm_ctime, 0);
    EXPECT_EQ(before.shm_perm.mode, 0600);
    EXPECT_EQ(before.shm_perm.uid, ::geteuid());
    EXPECT_EQ(before.shm_perm.cgid, ::getegid());
    char* one = attach(segment.id);
    char* two = attach(segment.id);
    ASSERT_NE(one, two);
    EXPECT_EQ(one[2 * kPage], 0);
    one[2 * kPage] = 'x';
    EXPECT_EQ(two[2 * kPage], 'x');
    EXPECT_EQ(segment.status().shm_nattch, 2u);
    EXPECT_EQ(segment.status().shm_lpid, ::getpid());
    pid_t child = start([&] {
        EXPECT_EQ(segment.status().shm_nattch, 4u);
        EXPECT_EQ(one[2 * kPage], 'x');
        one[0] = 'c';
        EXPECT_OK(::shmdt(one));
        EXPECT_EQ(segment.status().shm_lpid, ::getpid());
    });
    EXPECT_EQ(wait_for(child), exited(0));
    EXPECT_EQ(two[0], 'c');
    auto after = segment.status();
    EXPECT_EQ(after.shm_nattch, 2u);
    EXPECT_EQ(after.shm_lpid, child);
    EXPECT_NE(after.shm_dtime, 0);
    EXPECT_OK(::shmdt(one));
    EXPECT_OK(::shmdt(two));
    EXPECT_ERROR(::shmdt(two), EINVAL);
    EXPECT_EQ(segment.status().shm_nattch, 0u);
}

TEST(Shm, keys)
{
    key_t key = own_key();
    EXPECT_ERROR(::shmget(key, kPage, 0), ENOENT);
    Segment segment(kPage, 0640, key);
    EXPECT_EQ(::shmget(key, 0, 0), segment.id);
    EXPECT_EQ(::shmget(key, kPage, IPC_CREAT | 0600), segment.id);
    EXPECT_EQ(segment.status().shm_perm.__key, key);
    EXPECT_ERROR(::shmget(key, kPage, IPC_CREAT | IPC_EXCL), EEXIST);
    EXPECT_ERROR(::shmget(key, kPage + 1, 0), EINVAL);
    EXPECT_ERROR(::shmget(IPC_PRIVATE, 0, 0600), EINVAL);
    EXPECT_ERROR(::shmget(IPC_PRIVATE, SIZE_MAX, 0600), EINVAL);
    EXPECT_OK(::shmctl(segment.id, IPC_RMID, nullptr));
    EXPECT_ERROR(::shmget(key, kPage, 0), ENOENT);
}

TEST(Shm, an_identifier_does_not_come_back_at_once)
{
    int old = -1;
    {
        Segment segment(kPage);
        old = segment.id;
    }
    EXPECT_ERROR(::shmctl(old, IPC_RMID, nullptr), EINVAL);
    Segment next(kPage);
    EXPECT_NE(next.id, old);
    EXPECT_EQ(attach_error(old, nullptr, 0), EINVAL);
    EXPECT_EQ(attach_error(-1, nullptr, 0), EINVAL);
    EXPECT_EQ(next.status().shm_perm.__seq, next.id >> 15);
}

TEST(Shm, removed_while_attached_lives_on)
{
    Segment segment(kPage, 0600, own_key());
    char* at = attach(segment.id);
    *at = 'a';
    EXPECT_OK(::shmctl(segment.id, IPC_RMID, nullptr));
    auto status = segment.status();
    EXPECT_EQ(status.shm_perm.mode, 0600 | SHM_DEST);
    EXPECT_EQ(status.shm_perm.__key, IPC_PRIVATE);
    char* again = attach(segment.id);
    EXPECT_EQ(*again, 'a');
    EXPECT_OK(::shmdt(at));
    EXPECT_EQ(*again, 'a');
    EXPECT_OK(::shmdt(again));
    EXPECT_ERROR(::shmctl(segment.id, IPC_STAT, &status), EINVAL);
}

TEST(Shm, where_it_is_attached)
{
    Segment segment(2 * kPage);
    char* place
        = static_cast<char*>(::mmap(nullptr, 8 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(place, MAP_FAILED);
    EXPECT_EQ(attach_error(segment.id, place, 0), EINVAL);
    EXPECT_EQ(attach_error(segment.id, place + 1, 0), EINVAL);
    EXPECT_EQ(attach_error(segment.id, nullptr, SHM_REMAP), EINVAL);
    EXPECT_EQ(attach_error(segment.id, reinterpret_cast<void*>(1), SHM_RND | SHM_REMAP), EINVAL);
    EXPECT_EQ(attach(segment.id, place + 5, SHM_RND | SHM_REMAP), place);
    place[kPage] = 1;
    ASSERT_OK(::munmap(place + 2 * kPage, 6 * kPage));
    EXPECT_EQ(attach(segment.id, place + 4 * kPage), place + 4 * kPage);
    EXPECT_EQ(place[5 * kPage], 1);
    EXPECT_EQ(segment.status().shm_nattch, 2u);
    EXPECT_OK(::shmdt(place));
    EXPECT_ERROR(::shmdt(place + 4 * kPage + 1), EINVAL);
    EXPECT_ERROR(::shmdt(place + 5 * kPage), EINVAL);
    EXPECT_OK(::shmdt(place + 4 * kPage));
}

TEST(Shm, read_only_and_executable)
{
    Segment segment(kPage);
    char* at = attach(segment.id, nullptr, SHM_RDONLY);
    EXPECT_EQ(*at, 0);
    EXPECT_ERROR(::mprotect(at, kPage, PROT_READ | PROT_WRITE), EACCES);
    EXPECT_EQ(wait_for(start([&] { *static_cast<char volatile*>(at) = 1; })), killed_by(SIGSEGV));
    EXPECT_OK(::shmdt(at));
    as_ordinary_user([&] { EXPECT_EQ(attach_error(segment.id, nullptr, SHM_EXEC), EACCES); });
    Segment code(kPage, 0700);
    at = attach(code.id, nullptr, SHM_EXEC);
    *at = char(0xc3);
    reinterpret_cast<void (*)()>(at)();
    EXPECT_OK(::shmdt(at));
}

TEST(Shm, parts_of_an_attachment)
{
    Segment segment(4 * kPage);
    char* at = attach(segment.id);
    ASSERT_OK(::mprotect(at + kPage, kPage, PROT_READ));
    EXPECT_EQ(segment.status().shm_nattch, 3u);
    ASSERT_OK(::munmap(at + kPage, kPage));
    EXPECT_EQ(segment.status().shm_nattch, 2u);
    ASSERT_OK(::munmap(at, kPage));
    EXPECT_EQ(segment.status().shm_nattch, 1u);
    at[3 * kPage] = 1;
    EXPECT_OK(::shmdt(at));
    EXPECT_EQ(segment.status().shm_nattch, 0u);
    EXPECT_ERROR(::shmdt(at), EINVAL);
}

TEST(Shm, moves_with_mremap)
{
    Segment segment(2 * kPage);
    char* at = attach(segment.id);
    at[kPage] = 7;
    void* place = ::mmap(nullptr, 2 * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    auto* moved
        = static_cast<char*>(::mremap(at, 2 * kPage, 2 * kPage, MREMAP_MAYMOVE | MREMAP_FIXED, place));
    ASSERT_EQ(moved, place);
    EXPECT_EQ(moved[kPage], 7);
    EXPECT_EQ(segment.status().shm_nattch, 1u);
    EXPECT_OK(::shmdt(moved));
    EXPECT_EQ(segment.status().shm_nattch, 0u);
}

TEST(Shm, exec_and_exit_detach)
{
    Segment segment(kPage);
    attach(segment.id);
    Fd nowhere = int(::syscall(SYS_memfd_create, "out", 0));
    pid_t child = start([&] {
        ::dup2(nowhere, 1);
        ::execl("/proc/self/exe", "abi-tests", "--list", nullptr);
    });
    EXPECT_EQ(wait_for(child), 0);
    EXPECT_EQ(segment.status().shm_nattch, 1u);
    EXPECT_EQ(wait_for(start([] { ::raise(SIGKILL); })), killed_by(SIGKILL));
    EXPECT_EQ(segment.status().shm_nattch, 1u);
}

TEST(Shm, set_and_permissions)
{
    Segment segment(kPage, 0600);
    auto status = segment.status();
    status.shm_perm.mode = 0440 | 01000;
    EXPECT_OK(::shmctl(segment.id, IPC_SET, &status));
    EXPECT_EQ(segment.status().shm_perm.mode, 0440);
    EXPECT_EQ(raw(SYS_shmctl, segment.id, IPC_SET, 8), -EFAULT);
    EXPECT_EQ(raw(SYS_shmctl, segment.id, IPC_STAT, 8), -EFAULT);
    EXPECT_ERROR(::shmctl(segment.id, 12345, nullptr), EINVAL);
    EXPECT_ERROR(::shmctl(segment.id, -1, nullptr), EINVAL);
    status.shm_perm.uid = uid_t(-1);
    EXPECT_ERROR(::shmctl(segment.id, IPC_SET, &status), EINVAL);
}

TEST(Shm, others_are_kept_out)
{
    NEEDS_ROOT();
    key_t key = own_key();
    Segment segment(kPage, 0604, key);
    as_ordinary_user([&] {
        shmid_ds status {};
        EXPECT_OK(::shmctl(segment.id, IPC_STAT, &status));
        EXPECT_ERROR(::shmctl(segment.id, IPC_SET, &status), EPERM);
        EXPECT_ERROR(::shmctl(segment.id, IPC_RMID, nullptr), EPERM);
        EXPECT_ERROR(::shmctl(segment.id, SHM_LOCK, nullptr), EPERM);
        EXPECT_EQ(attach_error(segment.id, nullptr, 0), EACCES);
        EXPECT_EQ(attach_error(segment.id, nullptr, SHM_RDONLY), 0);
        EXPECT_ERROR(::shmget(key, kPage, 0666), EACCES);
        EXPECT_EQ(::shmget(key, kPage, 0444), segment.id);
    });
    auto status = segment.status();
    status.shm_perm.mode = 0;
    EXPECT_OK(::shmctl(segment.id, IPC_SET, &status));
    as_ordinary_user([&] {
        shmid_ds other {};
        EXPECT_ERROR(::shmctl(segment.id, IPC_STAT, &other), EACCES);
        int slot = segment.id & 0x7fff;
        EXPECT_ERROR(::shmctl(slot, SHM_STAT, &other), EACCES);
        EXPECT_EQ(::shmctl(slot, SHM_STAT_ANY, &other), segment.id);
    });
    status.shm_perm.uid = kOrdinaryUser;
    EXPECT_OK(::shmctl(segment.id, IPC_SET, &status));
    as_ordinary_user([&] { EXPECT_OK(::shmctl(segment.id, IPC_RMID, nullptr)); });
}

TEST(Shm, lock)
{
    Segment segment(kPage);
    EXPECT_OK(::shmctl(segment.id, SHM_LOCK, nullptr));
    EXPECT_EQ(segment.status().shm_perm.mode, 0600 | SHM_LOCKED);
    EXPECT_OK(::shmctl(segment.id, SHM_UNLOCK, nullptr));
    EXPECT_EQ(segment.status().shm_perm.mode, 0600);
}

TEST(Shm, limits_and_usage)
{
    Segment segment(2 * kPage);
    shminfo limits {};
    int highest = ::shmctl(0, IPC_INFO, reinterpret_cast<shmid_ds*>(&limits));
    EXPECT_GE(highest, segment.id & 0x7fff);
    EXPECT_EQ(limits.shmmin, 1u);
    EXPECT_GT(limits.shmmax, 1u << 20);
    EXPECT_EQ(limits.shmseg, limits.shmmni);
    char* at = attach(segment.id);
    at[0] = at[kPage] = 1;
    struct shm_info usage { };
    EXPECT_EQ(::shmctl(0, SHM_INFO, reinterpret_cast<shmid_ds*>(&usage)), highest);
    EXPECT_GE(usage.used_ids, 1);
    EXPECT_GE(usage.shm_tot, 2u);
    EXPECT_GE(usage.shm_rss, 2u);
    shmid_ds status {};
    EXPECT_EQ(::shmctl(segment.id & 0x7fff, SHM_STAT, &status), segment.id);
    EXPECT_EQ(status.shm_segsz, 2 * kPage);
    EXPECT_ERROR(::shmctl(30000, SHM_STAT, &status), EINVAL);
    EXPECT_OK(::shmdt(at));
}

TEST(Shm, in_proc)
{
    key_t key = own_key();
    Segment segment(kPage, 0600, key);
    char* at = attach(segment.id);
    std::ifstream listing("/proc/sysvipc/shm");
    bool found = false;
    for (std::string line; std::getline(listing, line);) {
        std::istringstream words(line);
        long its_key = 0, id = 0;
        std::string mode;
        size_t size = 0;
        if ((words >> its_key >> id >> mode >> size) && id == segment.id) {
            found = true;
            EXPECT_EQ(its_key, key);
            EXPECT_EQ(mode, "600");
            EXPECT_EQ(size, kPage);
        }
    }
    EXPECT_TRUE(found);
    char name[40];
    std::snprintf(name, sizeof name, "/SYSV%08x (deleted)", unsigned(key));
    std::ifstream maps("/proc/self/maps");
    std::stringstream all;
    all << maps.rdbuf();
    EXPECT_NE(all.str().find(name), std::string::npos);
    EXPECT_OK(::shmdt(at));
}

TEST(Shm, pages_go_with_the_last_attachment)
{
    for (int i = 0; i < 100; ++i) {
        Segment segment(1 << 20);
        char* at = attach(segment.id);
        std::memset(at, i, 1 << 20);
        EXPECT_OK(::shmctl(segment.id, IPC_RMID, nullptr));
        EXPECT_OK(::shmdt(at));
    }
}

TEST(Shm, remap_file_pages_fails_on_a_segment_that_goes_with_its_last_area)
{
    int const id = ::shmget(IPC_PRIVATE, 2 * kPage, IPC_CREAT | 0600);
    ASSERT_OK(id);
    auto* at = static_cast<char*>(::shmat(id, nullptr, 0));
    ASSERT_NE(at, reinterpret_cast<char*>(-1));
    at[kPage] = 'b';
    EXPECT_EQ(raw(SYS_remap_file_pages, at, kPage, 0, 1, 0), 0);
    EXPECT_EQ(at[0], 'b');
    ASSERT_EQ(raw(SYS_munmap, at + kPage, kPage), 0);
    ASSERT_EQ(::shmctl(id, IPC_RMID, nullptr), 0);
    long const result = raw(SYS_remap_file_pages, at, kPage, 0, 0, 0);
    EXPECT_TRUE(result == -EINVAL || result == -EIDRM) << result;
    EXPECT_FALSE(can_read(at));
}

} // namespace
} // namespace abi_test
