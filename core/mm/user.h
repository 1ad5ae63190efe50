// SPDX-License-Identifier: GPL-2.0-or-later
// Guest memory as seen by the kernel: typed pointers whose direction is in the type, and the checked copies behind
// them. A copy may fault pages in and so may wait; it fails with err::fault where Linux would. The address space is
// the given task's. Core never dereferences a GuestAddr in any other way.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "core/base/error.h"
#include "core/base/types.h"

namespace umbra {

class Task;

/// Copies between the kernel and the guest memory of `task`. All or EFAULT (a prefix may have been copied).
Result<void> copy_from_user(Task& task, void* to, GuestAddr from, u64 length);
Result<void> copy_to_user(Task& task, GuestAddr to, void const* from, u64 length);
Result<void> zero_user(Task& task, GuestAddr to, u64 length);
/// As much as is accessible: returns the number of bytes copied, which may be short; EFAULT only for none.
Result<u64> copy_from_user_partial(Task& task, void* to, GuestAddr from, u64 length);
Result<u64> copy_to_user_partial(Task& task, GuestAddr to, void const* from, u64 length);
/// A NUL-terminated string of at most `limit` bytes with its NUL; `too_long` is returned beyond.
Result<std::string> copy_string_from_user(Task& task, GuestAddr from, u64 limit, Errno too_long);

template <typename T>
concept UserCopyable = std::is_trivially_copyable_v<T>;

/// A guest pointer that the kernel reads.
template <UserCopyable T> struct UserIn {
    GuestAddr address;
    bool is_null() const { return address.is_null(); }
    Result<T> copy_in(Task& task, u64 index = 0) const
    {
        T value;
        TRY(copy_from_user(task, &value, address + index * sizeof(T), sizeof(T)));
        return value;
    }
    Result<std::vector<T>> copy_in_array(Task& task, u64 count) const
    {
        std::vector<T> values(count);
        TRY(copy_from_user(task, values.data(), address, count * sizeof(T)));
        return values;
    }
};

/// A guest pointer that the kernel writes.
template <UserCopyable T> struct UserOut {
    GuestAddr address;
    bool is_null() const { return address.is_null(); }
    Result<void> copy_out(Task& task, T const& value, u64 index = 0) const
    {
        return copy_to_user(task, address + index * sizeof(T), &value, sizeof(T));
    }
    Result<void> copy_out_array(Task& task, std::span<T const> values) const
    {
        return copy_to_user(task, address, values.data(), values.size_bytes());
    }
};

/// A guest pointer that the kernel reads and writes.
template <UserCopyable T> struct UserInOut {
    GuestAddr address;
    bool is_null() const { return address.is_null(); }
    Result<T> copy_in(Task& task) const { return UserIn<T> { address }.copy_in(task); }
    Result<void> copy_out(Task& task, T const& value) const
    {
        return UserOut<T> { address }.copy_out(task, value);
    }
};

constexpr u64 kPathMax = 4096;

/// A guest pointer to a NUL-terminated string.
struct UserCString {
    GuestAddr address;
    bool is_null() const { return address.is_null(); }
    /// A path: ENAMETOOLONG from 4096 bytes on. ENOENT for an empty one is the path walk's business.
    Result<std::string> copy_in(Task& task) const
    {
        return copy_string_from_user(task, address, kPathMax, err::nametoolong);
    }
    Result<std::string> copy_in(Task& task, u64 limit, Errno too_long) const
    {
        return copy_string_from_user(task, address, limit, too_long);
    }
};

/// Where bytes of a read or write go to or come from: guest memory (one or more segments) or kernel memory. Keeps a
/// cursor: every copy advances it.
class IoBuffer {
public:
    struct Segment {
        u64 address; ///< a guest address, or a kernel pointer for kernel buffers
        u64 length;
    };
    static IoBuffer kernel(std::span<u8> memory);
    static IoBuffer kernel_source(std::span<u8 const> memory);
    static IoBuffer user(Task& task, GuestAddr address, u64 length);
    static IoBuffer user(Task& task, std::vector<Segment> segments);

    u64 remaining() const { return remaining_; }
    u64 transferred() const { return transferred_; }
    bool is_user() const { return task_ != nullptr; }
    /// Limits what is left to `count` bytes.
    void truncate(u64 count);
    /// The same for a while: returns how much was hidden, for reveal().
    u64 hide_beyond(u64 count)
    {
        u64 hidden = remaining_ > count ? remaining_ - count : 0;
        remaining_ -= hidden;
        return hidden;
    }
    void reveal(u64 hidden) { remaining_ += hidden; }
    /// Copies up to `length` bytes into the buffer (a read's data) / out of it (a write's data), and advances. Short
    /// only at the end of the buffer or at an inaccessible page; EFAULT if that stopped it before the first byte.
    Result<u64> put(void const* from, u64 length);
    Result<u64> put_zeros(u64 length);
    Result<u64> take(void* to, u64 length);
    /// Shows up to `length` bytes of a write's data where they are, as far as that needs no wait, piece by piece to `accept`,
    /// which says how many it took; ends where it did not take all. Returns how many were taken, and advances over them.
    u64 offer_present(u64 length, std::function<u64(std::span<u8 const>)> const& accept);
    /// The same, all or nothing: EFAULT with the cursor where it was.
    Result<void> put_all(void const* from, u64 length) { return whole(put(from, length), length); }
    Result<void> take_all(void* to, u64 length) { return whole(take(to, length), length); }
    /// Goes back over the last `count` bytes transferred (at most what one put or take moved).
    void rewind(u64 count);

private:
    IoBuffer() = default;
    Result<void> whole(Result<u64> const& moved, u64 length)
    {
        if (moved.is_error()) return moved.error();
        if (moved.value() == length) return {};
        rewind(moved.value());
        return err::fault;
    }
    template <typename Move> Result<u64> move(u64 length, Move&& move_piece);

    Task* task_ = nullptr;
    Segment single_ {};
    std::vector<Segment> many_;
    u64 index_ = 0; ///< segment that holds the cursor
    u64 within_ = 0; ///< offset in it
    u64 remaining_ = 0;
    u64 transferred_ = 0;
};

} // namespace umbra
