// SPDX-License-Identifier: GPL-2.0-or-later
// Writing text to the host.
#include "arch-um/boot/host-text.h"

#include <cerrno>
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

#include "hostabi/host-call.h"
#include "hostabi/terminal.h"

namespace umbra::boot {

namespace {
constexpr int kStandardError = 2;

void write_all(int fd, std::string_view text)
{
    while (!text.empty()) {
        i64 written = hostabi::host_call(SYS_write, fd, text.data(), text.size());
        if (written == -EINTR) continue;
        // A full disk or a reader that is gone must not stop the guest.
        if (written <= 0) return;
        text.remove_prefix(size_t(written));
    }
}
} // namespace

HostText::HostText(int fd)
    : fd_(fd)
    , is_terminal_(hostabi::is_terminal(fd))
{
}

HostText::~HostText()
{
    if (fd_ != kStandardError) (void)hostabi::host_call(SYS_close, fd_);
}

std::unique_ptr<HostText> HostText::create(std::string const& path)
{
    int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_APPEND, 0644);
    return fd < 0 ? nullptr : std::make_unique<HostText>(fd);
}

void HostText::start(hostabi::Ring& ring, RunThere run_there)
{
    ring_ = &ring;
    run_there_ = std::move(run_there);
    submit_soon();
}

void HostText::submit_soon()
{
    if (!ring_ || request_ != Request::none || kept_.empty()) return;
    request_ = Request::ordered;
    run_there_([this] { submit(); });
}

void HostText::append(std::string_view text)
{
    if (broken_) return;
    if (!is_terminal_) {
        kept_ += text;
    } else {
        for (char c : text) {
            if (c == '\n') kept_ += '\r';
            kept_ += c;
        }
    }
    submit_soon();
}

void HostText::log(LogRecord const& record)
{
    // Whoever logs must not wait, and memory has an end.
    if (kept_.size() >= kRoom) {
        ++dropped_records_;
        return;
    }
    if (dropped_records_ > 0)
        append(
            "umbra: " + std::to_string(dropped_records_) + " records were dropped: the reader is too slow\n");
    dropped_records_ = 0;
    append(format_record(record, false));
}

void HostText::write(std::string_view text) { append(text); }

bool HostText::offer(std::string_view bytes, bool always)
{
    if (broken_ || (!always && kept_.size() + bytes.size() > kCaptureRoom)) return false;
    kept_ += bytes;
    submit_soon();
    return true;
}

void HostText::wait_for_room()
{
    // An error is the task's death, and then nobody needs the room.
    (void)room_.wait_until([this] { return kept_.size() < kRoom; }, kNever, Interruption::killable);
}

void HostText::submit()
{
    if (flying_.empty()) flying_.swap(kept_);
    room_.wake_all();
    request_ = Request::none;
    if (flying_.empty()) return;
    request_ = Request::write;
    ring_->write(fd_, { reinterpret_cast<u8 const*>(flying_.data()), flying_.size() }, -1, *this);
}

void HostText::complete(i32 result)
{
    Request const done = std::exchange(request_, Request::none);
    if (result == -EAGAIN && done == Request::write) { // a descriptor that somebody made non-blocking
        request_ = Request::poll;
        return ring_->poll(fd_, POLLOUT, *this);
    }
    if (result < 0 && result != -EINTR) {
        broken_ = true;
        flying_.clear();
        kept_.clear();
        return room_.wake_all();
    }
    if (done == Request::write && result > 0) flying_.erase(0, size_t(result));
    if (run_there_) submit();
}

void HostText::finish()
{
    run_there_ = nullptr; // completions submit nothing more
    while (request_ == Request::write || request_ == Request::poll) {
        ring_->wait(kNever);
        ring_->dispatch();
    }
    ring_ = nullptr;
    write_all(fd_, flying_);
    write_all(fd_, kept_);
    flying_.clear();
    kept_.clear();
}

void HostText::write_rest_at_panic() const
{
    write_all(fd_, flying_);
    write_all(fd_, kept_);
}

} // namespace umbra::boot
