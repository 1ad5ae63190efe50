// SPDX-License-Identifier: GPL-2.0-or-later
// The descriptor table: lowest free numbers, reservation, closing with its hooks.
#include "core/vfs/fd-table.h"

#include <algorithm>

#include "core/kernel.h"
#include "core/vfs/directory-notice.h"
#include "core/vfs/locks.h"

namespace umbra {

namespace {
constexpr size_t kManyFiles = 4096;
}

FdTable::FdTable(Kernel& kernel)
    : kernel_(kernel)
{
}

FdTable::~FdTable() = default;

Result<Ref<vfs::File>> FdTable::get(GuestFd fd, bool allow_path) const
{
    if (fd.value < 0 || size_t(fd.value) >= slots_.size()) return err::badf;
    auto const& file = slots_[size_t(fd.value)].file;
    if (!file || (file->is_path_only() && !allow_path)) return err::badf;
    return Ref<vfs::File>(*file);
}

Result<GuestFd> FdTable::reserve(u64 limit, i32 from, For what)
{
    if (what == For::new_file && kernel_.open_files >= kernel_.max_open_files()) return err::nfile;
    size_t number = size_t(std::max(from, lowest_free_));
    while (number < slots_.size() && (slots_[number].file || slots_[number].reserved))
        ++number;
    if (number >= limit) return err::mfile;
    if (number >= slots_.size()) slots_.resize(number + 1);
    slots_[number].reserved = true;
    if (from <= lowest_free_) lowest_free_ = i32(number) + 1;
    return GuestFd(i32(number));
}

void FdTable::install(GuestFd fd, Ref<vfs::File> file, bool close_on_exec)
{
    Slot& slot = slots_[size_t(fd.value)];
    UMBRA_ASSERT(slot.reserved && !slot.file);
    slot = { std::move(file), close_on_exec, false };
}

void FdTable::release(GuestFd reserved)
{
    Slot& slot = slots_[size_t(reserved.value)];
    UMBRA_ASSERT(slot.reserved && !slot.file);
    slot.reserved = false;
    lowest_free_ = std::min(lowest_free_, reserved.value);
}

Result<GuestFd> FdTable::add(Ref<vfs::File> file, bool close_on_exec, u64 limit, i32 from, For what)
{
    auto fd = TRY(reserve(limit, from, what));
    install(fd, std::move(file), close_on_exec);
    return fd;
}

Result<void> FdTable::replace(Task& task, GuestFd fd, Ref<vfs::File> file, bool close_on_exec, u64 limit)
{
    if (fd.value < 0 || u64(fd.value) >= limit) return err::badf;
    auto number = size_t(fd.value);
    if (number >= slots_.size()) slots_.resize(number + 1);
    // Another thread is in the middle of open(2) with this number: Linux says EBUSY, see dup2(2).
    if (slots_[number].reserved) return err::busy;
    RefPtr<vfs::File> old = std::move(slots_[number].file);
    slots_[number] = { std::move(file), close_on_exec, false };
    if (old) run_close_hooks(task, *old);
    return {};
}

void FdTable::run_close_hooks(Task& task, vfs::File& file)
{
    if (file.path() && file.inode().has_locks()) vfs::locks_on_close(*this, file);
    if (directory_notices) directory_notices->remove(file);
    file.flush(task);
}

Result<void> FdTable::close(Task& task, GuestFd fd)
{
    if (fd.value < 0 || size_t(fd.value) >= slots_.size() || !slots_[size_t(fd.value)].file) return err::badf;
    // The number is free before the hooks run: they may wait, and Linux frees it first too, see close(2).
    RefPtr<vfs::File> file = std::move(slots_[size_t(fd.value)].file);
    slots_[size_t(fd.value)] = {};
    lowest_free_ = std::min(lowest_free_, fd.value);
    run_close_hooks(task, *file);
    return {};
}

void FdTable::close_range(Task& task, u32 first, u32 last)
{
    for (u64 fd = first; fd <= last && fd < slots_.size(); ++fd) {
        if (slots_[fd].file) (void)close(task, GuestFd(i32(fd)));
    }
}

void FdTable::set_close_on_exec_range(u32 first, u32 last)
{
    for (u64 fd = first; fd <= last && fd < slots_.size(); ++fd) {
        if (slots_[fd].file) slots_[fd].close_on_exec = true;
    }
}

void FdTable::close_on_exec(Task& task)
{
    for (size_t fd = 0; fd < slots_.size(); ++fd) {
        if (slots_[fd].file && slots_[fd].close_on_exec) (void)close(task, GuestFd(i32(fd)));
    }
}

void FdTable::close_all(Task& task)
{
    close_range(task, 0, ~0u);
    // What so many files were in the heap, sockets above all, it keeps unless it is asked.
    if (slots_.size() >= kManyFiles) kernel_.platform().trim_heap();
}

Result<bool> FdTable::get_close_on_exec(GuestFd fd) const
{
    TRY(get(fd, true));
    return slots_[size_t(fd.value)].close_on_exec;
}

Result<void> FdTable::set_close_on_exec(GuestFd fd, bool on)
{
    TRY(get(fd, true));
    slots_[size_t(fd.value)].close_on_exec = on;
    return {};
}

Ref<FdTable> FdTable::clone() const
{
    auto copy = make_ref<FdTable>(kernel_);
    copy->slots_ = slots_;
    copy->lowest_free_ = lowest_free_;
    // What another thread has reserved is not open in the copy.
    for (size_t fd = 0; fd < copy->slots_.size(); ++fd) {
        if (!std::exchange(copy->slots_[fd].reserved, false)) continue;
        copy->lowest_free_ = std::min(copy->lowest_free_, i32(fd));
    }
    return copy;
}

u32 FdTable::open_count() const
{
    return u32(std::count_if(slots_.begin(), slots_.end(), [](Slot const& slot) { return bool(slot.file); }));
}

} // namespace umbra
