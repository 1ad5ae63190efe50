// SPDX-License-Identifier: GPL-2.0-or-later
// /dev/kmsg as Linux's Documentation/ABI/testing/dev-kmsg has it, and /proc/kmsg.
#include "core/printk/kmsg.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "core/device/device-table.h"
#include "core/kernel.h"
#include "core/printk/printk.h"
#include "core/printk/reader.h"
#include "core/task/task.h"

namespace umbra {

namespace {
constexpr u32 kMemoryMajor = 1, kKmsgMinor = 11;
constexpr u8 kUserFacility = 1;

class KmsgFile final : public vfs::File {
public:
    KmsgFile(vfs::Path const& path, u32 flags)
        : File(path, flags)
        , log_(path.inode().file_system().kernel().printk())
        , sequence_(log_.first_sequence())
    {
    }
    bool is_seekable() const override { return true; }
    bool has_own_position() const override { return true; }
    WaitQueue* wait_queue() override { return &log_.readers(); }

    Result<u64> read(IoBuffer& buffer, u64 offset) override
    {
        if (offset != vfs::kOwnPosition) return err::spipe;
        if (sequence_ < log_.first_sequence()) {
            // The reader learns that it missed something, and goes on with what is left.
            sequence_ = log_.first_sequence();
            return err::pipe;
        }
        LogRecord const* record = log_.record(sequence_);
        if (!record) return err::again;
        std::string text = format_kmsg(*record);
        if (text.size() > buffer.remaining()) return err::inval;
        ++sequence_;
        return buffer.put(text.data(), text.size());
    }

    Result<u64> write(IoBuffer& buffer, u64) override
    {
        u64 length = buffer.remaining();
        if (length > Printk::kRecordMax) return err::inval;
        char text[Printk::kRecordMax];
        if (TRY(buffer.take(text, length)) < length) return err::fault;
        append({ text, length });
        return length;
    }

    Result<u64> seek_special(i64 offset, i32 whence) override
    {
        if (offset) return err::spipe;
        switch (whence) {
        case abi::seek_set:
            sequence_ = log_.first_sequence();
            return u64 { 0 };
        case abi::seek_data:
            sequence_ = log_.cleared_sequence();
            return u64 { 0 };
        case abi::seek_end:
            sequence_ = log_.next_sequence();
            return u64 { 0 };
        default:
            return err::inval;
        }
    }

    u32 readiness() override
    {
        if (sequence_ < log_.first_sequence())
            return abi::pollin | abi::pollrdnorm | abi::pollerr | abi::pollpri;
        return sequence_ < log_.next_sequence() ? abi::pollin | abi::pollrdnorm : 0;
    }

private:
    /// "<30>text": level and facility in front; a user's facility can be anything but the kernel's.
    void append(std::string_view text)
    {
        u32 priority = u32(LogLevel::warning);
        if (text.starts_with('<')) {
            u32 given = 0;
            auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), given);
            if (error == std::errc() && end != text.data() + text.size() && *end == '>' && given < 0x800) {
                priority = given;
                text.remove_prefix(size_t(end + 1 - text.data()));
            }
        }
        u8 facility = u8(priority >> 3);
        log_.append(LogLevel(priority & 7), facility ? facility : kUserFacility, text);
    }

    Printk& log_;
    u64 sequence_; ///< of the record that comes next
};

class ProcKmsgFile final : public vfs::File {
public:
    using File::File;
    Result<u64> read(IoBuffer& buffer, u64) override { return read_shared_log(log(), buffer); }
    u32 readiness() override { return has_shared_log(log()) ? abi::pollin | abi::pollrdnorm : 0; }
    WaitQueue* wait_queue() override { return &log().readers(); }

private:
    Printk& log() { return inode().file_system().kernel().printk(); }
};
} // namespace

void add_kmsg_device(device::DeviceTable& table)
{
    table.add({ .major = kMemoryMajor,
        .first_minor = kKmsgMinor,
        .name = "mem",
        .open = [](vfs::Path const& path,
                    u32 flags) { return Result<Ref<vfs::File>>(make_ref<KmsgFile>(path, flags)); },
        .nodes = { { .path = "kmsg", .minor = kKmsgMinor, .mode = 0644 } } });
}

Result<Ref<vfs::File>> open_proc_kmsg(vfs::Path const& path, u32 flags)
{
    auto const& who = current().credentials();
    if (!who.has(Capability::syslog) && !who.has(Capability::sys_admin)) return err::perm;
    return Ref<vfs::File>(make_ref<ProcKmsgFile>(path, flags));
}

} // namespace umbra
