// SPDX-License-Identifier: GPL-2.0-or-later
// Events of fanotify: which identities go into them, their keys and their records. The rules are those of fanotify(7) and
// fanotify_init(2).
#include "core/ipc/fanotify-event.h"

#include <cstring>

#include "core/kernel.h"
#include "core/task/scheduler.h"
#include "core/task/task.h"
#include "core/vfs/file-handle.h"

namespace umbra::ipc {

using namespace abi;

namespace {

/// Whoever does what is told of; null while nobody runs.
Task* doer(vfs::Happening const& what)
{
    Kernel& kernel = (what.inode ? what.inode : what.directory)->file_system().kernel();
    return kernel.is_shutting_down() ? nullptr : kernel.scheduler().active().running();
}

template <typename T> void append(std::string& bytes, T const& value)
{
    bytes.append(reinterpret_cast<char const*>(&value), sizeof value);
}

template <typename T> void append(std::vector<u8>& bytes, T const& value)
{
    auto const* at = reinterpret_cast<u8 const*>(&value);
    bytes.insert(bytes.end(), at, at + sizeof value);
}

u64 size_of_record(std::string_view name)
{
    u64 const size = sizeof(FanotifyInfoHeader) + sizeof(u64) + sizeof(WholeHandle);
    return (size + (name.empty() ? 0 : name.size() + 1) + 3) & ~u64 { 3 };
}

} // namespace

FanotifyEvent::FanotifyEvent(
    vfs::Happening const& what, vfs::MarkInterest const& interest, u32 mask, u32 flags)
    : mask_(mask)
{
    if (Task* task = doer(what)) {
        pid_ = flags & fan_report_tid ? task->tid() : task->pid();
        if (flags & fan_report_pidfd) process_ = RefPtr<Process>(&task->process());
    }
    if (flags & fan_fid_bits)
        set_ids(what, interest, flags);
    else if (what.path)
        path_ = *what.path;
    if (mask & fan_permission_events)
        question_ = make_ref<FanotifyQuestion>();
    else
        make_key();
}

FanotifyEvent::Id FanotifyEvent::id_of(vfs::Inode const& inode)
{
    return { inode.file_system().device(), vfs::handle_of(inode) };
}

void FanotifyEvent::set_ids(vfs::Happening const& what, vfs::MarkInterest const& interest, u32 flags)
{
    bool const of_entry = mask_ & fan_entry_events, of_directory = mask_ & fan_ondir;
    vfs::Inode const* object = of_entry && !(flags & fan_report_target_fid) ? what.directory : what.inode;
    vfs::Inode const* directory = what.directory;
    if (!of_entry && what.inode->is_directory()) directory = what.inode;
    if (!(flags & fan_report_dir_fid) || !directory) {
        object_ = id_of(*object);
        return;
    }
    bool const with_child
        = of_entry ? flags & fan_report_target_fid : (flags & fan_report_fid) && !of_directory;
    vfs::Inode const* child = with_child && object != directory ? object : nullptr;
    bool const named = (flags & fan_report_name) && (of_entry || !of_directory) && !what.name.empty();
    if (!named && !child) {
        object_ = id_of(*directory);
        return;
    }
    if (child) object_ = id_of(*child);
    if (mask_ & fan_rename) return set_rename_ids(what, interest);
    directory_ = id_of(*directory);
    if (named) name_ = what.name;
}

/// Whoever watches one of the two directories only is told of that one.
void FanotifyEvent::set_rename_ids(vfs::Happening const& what, vfs::MarkInterest const& interest)
{
    bool const both = interest.matched & vfs::kMarkedFileSystem;
    if (both || (interest.matched & vfs::kMarkedInode)) {
        directory_ = id_of(*what.directory);
        name_ = what.name;
    }
    if (both || (interest.matched & vfs::kMarkedNewDirectory)) {
        new_directory_ = id_of(*what.new_directory);
        new_name_ = what.new_name;
    }
}

void FanotifyEvent::make_key()
{
    append(key_, pid_.value);
    append(key_, mask_ & (fan_ondir | fan_rename));
    if (path_) {
        append(key_, path_->mount.get());
        append(key_, path_->dentry.get());
    }
    for (auto const* id : { &directory_, &new_directory_, &object_ }) {
        key_ += char(id->has_value());
        if (!*id) continue;
        append(key_, (*id)->file_system);
        append(key_, (*id)->handle);
    }
    key_ += name_ + '/' + new_name_;
}

/// What an object is called that comes without a directory.
u8 FanotifyEvent::lone_object_type(u32 flags) const
{
    if ((flags & fan_fid_bits) == fan_report_fid) return fan_info_fid;
    if ((flags & fan_report_name) && (mask_ & fan_ondir)) return fan_info_dfid_name; // "."
    return mask_ & (fan_entry_events | fan_ondir) ? fan_info_dfid : fan_info_fid;
}

std::vector<FanotifyEvent::Record> FanotifyEvent::records(u32 flags) const
{
    std::vector<Record> records;
    if (directory_) {
        u8 const type = name_.empty() ? fan_info_dfid : fan_info_dfid_name;
        records.push_back({ mask_ & fan_rename ? fan_info_old_dfid_name : type, *directory_, name_ });
    }
    if (new_directory_) records.push_back({ fan_info_new_dfid_name, *new_directory_, new_name_ });
    if (!object_) return records;
    u8 const type = records.empty() ? lone_object_type(flags) : fan_info_fid;
    records.push_back({ type, *object_, type == fan_info_dfid_name ? "." : "" });
    return records;
}

u64 FanotifyEvent::size(u32 flags) const
{
    u64 size = sizeof(FanotifyMetadata);
    for (auto const& record : records(flags))
        size += size_of_record(record.name);
    return size + (flags & fan_report_pidfd ? sizeof(FanotifyInfoPidfd) : 0);
}

std::vector<u8> FanotifyEvent::handle_records(u32 flags) const
{
    std::vector<u8> bytes;
    for (auto const& record : records(flags)) {
        u64 const size = size_of_record(record.name), begin = bytes.size();
        append(bytes, FanotifyInfoHeader { record.type, 0, u16(size) });
        append(bytes, record.id.file_system);
        append(bytes, record.id.handle);
        bytes.insert(bytes.end(), record.name.begin(), record.name.end());
        bytes.resize(begin + size); // zeroes end the name
    }
    return bytes;
}

} // namespace umbra::ipc
