// SPDX-License-Identifier: GPL-2.0-or-later
// Reading events of fanotify(7) for tests.
#include "fanotify.h"

#include <array>

namespace abi_test {

namespace {

std::string bytes_of(file_handle const& handle)
{
    return std::string(reinterpret_cast<char const*>(&handle), sizeof handle + handle.handle_bytes);
}

struct MaskName {
    uint64_t bit;
    char const* name;
};
constexpr MaskName kNames[] = { { FAN_ACCESS, "ACCESS" }, { FAN_MODIFY, "MODIFY" }, { FAN_ATTRIB, "ATTRIB" },
    { FAN_CLOSE_WRITE, "CLOSE_WRITE" }, { FAN_CLOSE_NOWRITE, "CLOSE_NOWRITE" }, { FAN_OPEN, "OPEN" },
    { FAN_MOVED_FROM, "MOVED_FROM" }, { FAN_MOVED_TO, "MOVED_TO" }, { FAN_CREATE, "CREATE" },
    { FAN_DELETE, "DELETE" }, { FAN_DELETE_SELF, "DELETE_SELF" }, { FAN_MOVE_SELF, "MOVE_SELF" },
    { FAN_OPEN_EXEC, "OPEN_EXEC" }, { FAN_Q_OVERFLOW, "Q_OVERFLOW" }, { FAN_OPEN_PERM, "OPEN_PERM" },
    { FAN_ACCESS_PERM, "ACCESS_PERM" }, { FAN_OPEN_EXEC_PERM, "OPEN_EXEC_PERM" }, { FAN_RENAME, "RENAME" },
    { FAN_ONDIR, "ONDIR" } };

char const* name_of_type(int type)
{
    switch (type) {
    case FAN_EVENT_INFO_TYPE_FID:
        return "FID";
    case FAN_EVENT_INFO_TYPE_DFID_NAME:
        return "DFID_NAME";
    case FAN_EVENT_INFO_TYPE_DFID:
        return "DFID";
    case FAN_EVENT_INFO_TYPE_OLD_DFID_NAME:
        return "OLD";
    case FAN_EVENT_INFO_TYPE_NEW_DFID_NAME:
        return "NEW";
    default:
        return "?";
    }
}

bool has_name(int type)
{
    return type == FAN_EVENT_INFO_TYPE_DFID_NAME || type == FAN_EVENT_INFO_TYPE_OLD_DFID_NAME
        || type == FAN_EVENT_INFO_TYPE_NEW_DFID_NAME;
}

} // namespace

std::string to_text(FanEvent const& event)
{
    std::string text;
    uint64_t rest = event.mask;
    for (auto const& [bit, name] : kNames) {
        if (!(event.mask & bit)) continue;
        if (!text.empty()) text += "|";
        text += name;
        rest &= ~bit;
    }
    if (rest) text += "|" + std::to_string(rest);
    if (!event.target.empty()) text += " " + event.target;
    for (auto const& record : event.records)
        text += ", " + record;
    return text;
}

void Fanotify::SetUp()
{
    NEEDS_ROOT();
    InOwnMounts::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    for (char const* name : { "d", "e" })
        ASSERT_OK(::mkdir(name, 0755));
    for (char const* name : { "f", "d/g" })
        write_file(name, "text");
    for (char const* name : { ".", "d", "e", "f", "d/g" })
        remember(name);
}

void Fanotify::remember(std::string const& name)
{
    alignas(file_handle) std::array<char, 128> room {};
    auto* handle = reinterpret_cast<file_handle*>(room.data());
    handle->handle_bytes = unsigned(room.size() - sizeof *handle);
    int mount;
    ASSERT_OK(::name_to_handle_at(AT_FDCWD, name.c_str(), handle, &mount, 0)) << name;
    handles.emplace_back(bytes_of(*handle), name);
}

std::string Fanotify::name_of(file_handle const& handle) const
{
    for (auto const& [bytes, name] : handles)
        if (bytes == bytes_of(handle)) return name;
    return "?";
}

void Fanotify::init(unsigned flags, unsigned event_flags)
{
    fd = ::fanotify_init(flags | FAN_NONBLOCK | FAN_CLOEXEC, event_flags);
    ASSERT_OK(int(fd));
}

std::vector<FanEvent> Fanotify::events() const
{
    std::vector<FanEvent> events;
    alignas(fanotify_event_metadata) std::array<char, 16384> buffer;
    ssize_t left = ::read(fd, buffer.data(), buffer.size());
    if (left < 0) {
        EXPECT_EQ(errno, EAGAIN);
    }
    auto const* at = buffer.data();
    for (; left > 0;) {
        auto const* data = reinterpret_cast<fanotify_event_metadata const*>(at);
        EXPECT_EQ(data->vers, FANOTIFY_METADATA_VERSION);
        FanEvent event;
        event.mask = data->mask, event.fd = data->fd, event.pid = data->pid;
        if (data->fd >= 0) {
            std::array<char, 4096> link {};
            auto const path = "/proc/self/fd/" + std::to_string(data->fd);
            EXPECT_GT(::readlink(path.c_str(), link.data(), link.size() - 1), 0);
            std::string const target = link.data();
            event.target = target == top_ ? "." : target.substr(std::min(target.size(), top_.size() + 1));
        }
        for (auto const* info = at + data->metadata_len; info < at + data->event_len;) {
            auto const* header = reinterpret_cast<fanotify_event_info_header const*>(info);
            if (header->info_type == FAN_EVENT_INFO_TYPE_PIDFD) {
                event.pidfd = reinterpret_cast<fanotify_event_info_pidfd const*>(info)->pidfd;
            } else {
                auto const* fid = reinterpret_cast<fanotify_event_info_fid const*>(info);
                auto const* handle = reinterpret_cast<file_handle const*>(fid->handle);
                std::string record = std::string(name_of_type(header->info_type)) + " " + name_of(*handle);
                if (has_name(header->info_type))
                    record += std::string(" ")
                        + reinterpret_cast<char const*>(handle->f_handle + handle->handle_bytes);
                event.records.push_back(record);
            }
            if (header->len == 0) {
                ADD_FAILURE() << "an empty record";
                return events;
            }
            info += header->len;
        }
        at += data->event_len, left -= data->event_len;
        events.push_back(std::move(event));
    }
    return events;
}

Texts Fanotify::texts() const
{
    Texts texts;
    for (auto const& event : events())
        texts.push_back(to_text(event));
    return texts;
}

} // namespace abi_test
