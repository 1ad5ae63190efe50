// SPDX-License-Identifier: GPL-2.0-or-later
// Writing text to the host.
#include "arch-um/boot/host-text.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

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

void HostText::write(std::string_view text)
{
    if (!is_terminal_) return write_all(fd_, text);
    std::string converted;
    for (char c : text) {
        if (c == '\n') converted += '\r';
        converted += c;
    }
    write_all(fd_, converted);
}

} // namespace umbra::boot
