// SPDX-License-Identifier: GPL-2.0-or-later
// /proc/PID/pagemap: 64 bits for each page of a process's address space, by page number.
#include <algorithm>
#include <array>

#include "core/fs/proc/pid-directory.h"
#include "core/kernel.h"
#include "core/mm/vma.h"
#include "core/task/permissions.h"

namespace umbra::fs {

namespace {

constexpr u64 kEntry = sizeof(u64);
constexpr u64 kEntriesAtOnce = 512;
// Bits of an entry; below 55 is the frame's number.
constexpr u64 kPresent = u64 { 1 } << 63, kOfFile = u64 { 1 } << 61, kExclusive = u64 { 1 } << 56;

class PagemapFile final : public vfs::File {
public:
    /// `shows_frames`: whoever opened it may know where pages are.
    PagemapFile(vfs::Path const& path, u32 flags, RefPtr<mm::AddressSpace> memory, bool shows_frames)
        : File(path, flags)
        , memory_(std::move(memory))
        , shows_frames_(shows_frames)
    {
    }
    bool is_seekable() const override { return true; }
    u64 end_offset() override { return 0; }

    Result<u64> read(IoBuffer& buffer, u64 offset) override
    {
        if (!memory_ || memory_->users == 0) return u64 { 0 };
        if (offset % kEntry || buffer.remaining() % kEntry) return err::inval;
        u64 const pages = memory_->kernel().platform().machine().task_size >> kPageShift;
        u64 total = 0;
        for (u64 page = offset / kEntry; page < pages && buffer.remaining();) {
            std::array<u64, kEntriesAtOnce> entries {};
            u64 const count = std::min({ kEntriesAtOnce, pages - page, buffer.remaining() / kEntry });
            fill(page, std::span(entries).first(count));
            auto moved = buffer.put(entries.data(), count * kEntry);
            if (moved.is_error()) return total ? Result<u64>(total) : moved;
            total += moved.value();
            if (moved.value() < count * kEntry) break;
            page += count;
        }
        return total;
    }

private:
    void fill(u64 first, std::span<u64> entries) const
    {
        auto& frames = memory_->kernel().memory();
        memory_->pages().for_each(first, first + entries.size(), [&](u64 page, mm::Pte const& entry) {
            u64& out = entries[page - first];
            if (!entry.present() && !entry.host_file()) return;
            mm::Vma const* area = memory_->find(page << kPageShift);
            out = kPresent | (area && area->object ? kOfFile : 0);
            if (!entry.present()) return; // the host's page: its number is nobody's business
            if (frames.ref_count(entry.frame()) == 1) out |= kExclusive;
            // 0 stands for what is not told.
            if (shows_frames_) out |= entry.frame().value + 1;
        });
    }

    RefPtr<mm::AddressSpace> memory_;
    bool shows_frames_;
};

class PagemapInode final : public PseudoInode {
public:
    PagemapInode(vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes)
        : PseudoInode(fs, abi::s_ifreg, attributes)
        , reference_(reference)
    {
    }
    Result<Ref<vfs::File>> open(vfs::Path const& path, u32 flags) override
    {
        Subject subject = TRY(find_subject(fs_.kernel(), reference_));
        TRY(check_inspection(subject));
        bool const shows_frames
            = is_capable(current().credentials(), *fs_.kernel().first_user_namespace, Capability::sys_admin);
        return Ref<vfs::File>(make_ref<PagemapFile>(path, flags, subject.memory(), shows_frames));
    }

private:
    PidReference reference_;
};

} // namespace

Ref<vfs::Inode> make_pagemap(
    vfs::FileSystem& fs, PidReference const& reference, PseudoAttributes const& attributes)
{
    return make_ref<PagemapInode>(fs, reference, attributes);
}

} // namespace umbra::fs
