// SPDX-License-Identifier: GPL-2.0-or-later
// The file of a group of fanotify.
#include "core/ipc/fanotify.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "core/abi/ioctl.h"
#include "core/ipc/pidfd.h"
#include "core/kernel.h"
#include "core/task/pid-namespace.h"
#include "core/task/process-table.h"
#include "core/task/task.h"
#include "core/vfs/fd-table.h"
#include "core/vfs/file-handle.h"
#include "core/vfs/operations.h"

namespace umbra::ipc {

using namespace abi;

Fanotify::Fanotify(vfs::Path path, u32 flags, Ref<FanotifyGroup> group)
    : File(std::move(path), (flags & o_nonblock) | o_rdwr)
    , group_(std::move(group))
{
}

Fanotify::~Fanotify() { group_->shut_down(); }

namespace {

/// A descriptor that is not open yet; given back unless it is installed.
class NewDescriptor {
public:
    explicit NewDescriptor(Task& task)
        : task_(task)
    {
    }
    ~NewDescriptor()
    {
        if (file_) task_.files().release(fd_);
    }
    NewDescriptor(NewDescriptor const&) = delete;

    Result<void> reserve(Ref<vfs::File> file)
    {
        fd_ = TRY(task_.files().reserve(task_.limit(Resource::nofile)));
        file_ = std::move(file);
        return {};
    }
    void install(bool close_on_exec)
    {
        if (RefPtr<vfs::File> file = std::exchange(file_, nullptr))
            task_.files().install(fd_, Ref<vfs::File>(std::move(file)), close_on_exec);
    }
    i32 number() const { return fd_.value; }

private:
    Task& task_;
    GuestFd fd_ { fan_no_fd };
    RefPtr<vfs::File> file_;
};

/// The number for the record: none of a process that is gone, an error where there can be none now.
i32 reserve_pidfd(FanotifyEvent const& event, NewDescriptor& pidfd)
{
    auto const& process = event.process();
    if (!process || process->kernel.processes().find_process(process->id) != process.get())
        return fan_no_pidfd;
    return pidfd.reserve(make_pidfd(*process, 0)).ok() ? pidfd.number() : fan_error_pidfd;
}

} // namespace

Result<u64> Fanotify::deliver(Task& task, FanotifyEvent const& event, IoBuffer& buffer)
{
    auto const& options = group_->options();
    u64 const size = event.size(options.flags);
    NewDescriptor fd(task), pidfd(task);
    if (event.path()) TRY(fd.reserve(TRY(vfs::open_silently(task, *event.path(), options.event_flags))));
    bool const hides_pid = options.is_unprivileged && event.pid() != task.pid();
    FanotifyMetadata const metadata { .length = u32(size),
        .version = fan_metadata_version,
        .reserved = 0,
        .metadata_length = sizeof metadata,
        .mask = event.mask(),
        .fd = fd.number(),
        .pid = hides_pid ? 0 : pid_out(task, event.pid()) };
    std::vector<u8> bytes(sizeof metadata);
    std::memcpy(bytes.data(), &metadata, sizeof metadata);
    auto const handles = event.handle_records(options.flags);
    bytes.insert(bytes.end(), handles.begin(), handles.end());
    if (options.flags & fan_report_pidfd) {
        FanotifyInfoPidfd const record { { fan_info_pidfd, 0, sizeof record }, reserve_pidfd(event, pidfd) };
        bytes.resize(size);
        std::memcpy(bytes.data() + size - sizeof record, &record, sizeof record);
    }
    TRY(buffer.put_all(bytes.data(), bytes.size()));
    fd.install(options.event_flags & o_cloexec);
    pidfd.install(true);
    if (event.question()) {
        event.question()->fd = metadata.fd;
        group_->asked(Ref<FanotifyQuestion>(event.question()));
    }
    return size;
}

Result<u64> Fanotify::read(IoBuffer& buffer, u64)
{
    u64 moved = 0;
    while (auto const* oldest = group_->front()) {
        if (oldest->size(group_->options().flags) > buffer.remaining())
            return moved > 0 ? Result<u64>(moved) : err::inval;
        // Taken out first: opening and copying may wait, and another reader must not get the same event.
        FanotifyEvent const event = group_->take();
        auto const size = deliver(current(), event, buffer);
        if (size.ok()) {
            moved += size.value();
            continue;
        }
        if (event.question()) event.question()->answer(err::perm);
        if (size.error() == err::stale) continue; // of a file that is gone there is nothing to tell
        return moved > 0 && size.error() != err::fault ? Result<u64>(moved) : size.error();
    }
    return moved > 0 ? Result<u64>(moved) : err::again;
}

namespace {

/// A response with what may follow it.
struct LongResponse {
    FanotifyResponse response;
    FanotifyAuditRule rule;
};
static_assert(sizeof(LongResponse) == 24);

/// FAN_INFO: what an audit record, which is not kept here, would say of the answer.
bool is_audit_rule(FanotifyAuditRule const& rule)
{
    return rule.header.type == fan_response_info_audit_rule && rule.header.padding == 0
        && rule.header.length == sizeof rule;
}

Result<void> respond(FanotifyGroup& group, LongResponse const& text, u64 size)
{
    auto const [fd, response] = text.response;
    u32 const verdict = response & ~fan_info;
    if (verdict != fan_allow && verdict != fan_deny) return err::inval; // FAN_AUDIT needs FAN_ENABLE_AUDIT
    if (response & fan_info) {
        if (size != sizeof text || !is_audit_rule(text.rule)) return err::inval;
        if (fd == fan_no_fd) return {}; // whether we know of such rules was the question
    }
    if (fd < 0) return err::inval;
    return group.answer(fd, verdict == fan_allow ? Result<void>() : err::perm);
}

} // namespace

Result<u64> Fanotify::write(IoBuffer& buffer, u64)
{
    u64 const size = buffer.remaining();
    LongResponse text {};
    if (size < sizeof text.response) return err::inval;
    TRY(buffer.take_all(&text, std::min(size, sizeof text)));
    auto const answered = respond(*group_, text, size);
    if (answered.ok()) return size;
    buffer.rewind(buffer.transferred()); // else what was taken would count as written
    return answered.error();
}

u32 Fanotify::readiness() { return group_->front() ? pollin | pollrdnorm : 0; }

Result<i64> Fanotify::ioctl(Task& task, u32 command, u64 argument)
{
    if (command != fionread) return File::ioctl(task, command, argument);
    TRY(UserOut<i32> { GuestAddr(argument) }.copy_out(task, i32(group_->queued_bytes())));
    return 0;
}

namespace {

using ull = unsigned long long;

std::string handle_text(vfs::Inode const& inode)
{
    auto const handle = vfs::handle_of(inode);
    char line[64];
    std::snprintf(line, sizeof line, "fhandle-bytes:%x fhandle-type:%x f_handle:", handle.header.bytes,
        u32(handle.header.type));
    std::string text = line;
    u8 bytes[sizeof handle.inode];
    std::memcpy(bytes, &handle.inode, sizeof bytes);
    for (u8 byte : bytes) {
        std::snprintf(line, sizeof line, "%02x", byte);
        text += line;
    }
    return text;
}

std::string mark_text(vfs::Mark const& mark)
{
    u32 const flags = (mark.ignored_survives_modify ? fan_mark_ignored_surv_modify : 0)
        | (mark.is_evictable() ? fan_mark_evictable : 0) | (mark.has_ignore_flags ? fan_mark_ignore : 0);
    char masks[96], object[96];
    std::snprintf(masks, sizeof masks, " mflags:%x mask:%x ignored_mask:%x", flags, mark.mask, mark.ignored);
    ull const device = mark.file_system().device();
    if (mark.mount())
        std::snprintf(object, sizeof object, "fanotify mnt_id:%x", mark.mount()->id());
    else if (mark.inode())
        std::snprintf(
            object, sizeof object, "fanotify ino:%llx sdev:%llx", ull(mark.inode()->number()), device);
    else
        std::snprintf(object, sizeof object, "fanotify sdev:%llx", device);
    std::string text = std::string(object) + masks;
    if (mark.inode()) text += " " + handle_text(*mark.inode());
    return text + "\n";
}

} // namespace

std::string Fanotify::fdinfo()
{
    char line[64];
    std::snprintf(line, sizeof line, "fanotify flags:%x event-flags:%x\n", group_->options().flags,
        group_->options().event_flags);
    std::string text = line;
    for (auto const& mark : group_->marks())
        text += mark_text(mark);
    return text;
}

Result<Ref<vfs::File>> make_fanotify(Task& task, FanotifyOptions const& options)
{
    auto group = TRY(FanotifyGroup::create(task, options));
    u32 const flags = options.flags & fan_nonblock ? o_nonblock : 0;
    auto path = vfs::make_anonymous_path(task.kernel(), "anon_inode:[fanotify]", 0600);
    return Ref<vfs::File>(make_ref<Fanotify>(std::move(path), flags, std::move(group)));
}

Fanotify* as_fanotify(vfs::File& file) { return dynamic_cast<Fanotify*>(&file); }

} // namespace umbra::ipc
