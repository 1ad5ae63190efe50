// SPDX-License-Identifier: GPL-2.0-or-later
// Device nodes of terminals: /dev/tty, /dev/console, /dev/ptmx.
#include "core/tty/tty-registry.h"

#include "core/device/device-table.h"
#include "core/fs/devpts/devpts.h"
#include "core/kernel.h"
#include "core/task/task.h"
#include "core/tty/session.h"
#include "core/tty/tty-file.h"

namespace umbra::tty {

TtyRegistry::TtyRegistry() = default;
TtyRegistry::~TtyRegistry() = default;
Tty* TtyRegistry::console() const { return console_.get(); }
void TtyRegistry::set_console(Ref<Tty> console) { console_ = RefPtr<Tty>(console); }

namespace {

Result<Ref<vfs::File>> open_controlling(vfs::Path const& path, u32 flags)
{
    Tty* tty = controlling_terminal(current());
    if (!tty) return err::nxio;
    return open_tty(*tty, path, flags | abi::o_noctty);
}

Result<Ref<vfs::File>> open_console(vfs::Path const& path, u32 flags)
{
    Tty* console = path.inode().file_system().kernel().ttys().console();
    if (!console) return err::nodev;
    return open_tty(*console, path, flags);
}

} // namespace

void add_tty_devices(Kernel& kernel)
{
    auto add = [&](std::string name, u32 minor, u32 mode, device::DeviceOpener open) {
        kernel.devices().add({ .major = abi::tty_auxiliary_major,
            .first_minor = minor,
            .name = "/dev/" + name,
            .open = std::move(open),
            .nodes = { { .path = name, .minor = minor, .mode = mode } } });
    };
    add("tty", 0, 0666, open_controlling);
    add("console", 1, 0600, open_console);
    add("ptmx", 2, 0666, fs::open_ptmx);
    // A slave is known by its devpts inode; a node of its number elsewhere leads nowhere (Linux: EIO).
    kernel.devices().add(
        { .major = abi::pty_slave_major, .minors = 1 << 20, .name = "pts", .open = [](vfs::Path const&, u32) {
             return Result<Ref<vfs::File>>(err::io);
         } });
}

} // namespace umbra::tty
