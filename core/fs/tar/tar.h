// SPDX-License-Identifier: GPL-2.0-or-later
// A tar archive as a read-only file system: the tree is what the archive says, owners, devices and hard links
// included. The archive is read once from header to header to make an index; file data stays where it is and
// is read in place. Formats: old tar, ustar, GNU (long names, sparse files), PAX with sparse files and
// extended attributes (SCHILY.xattr). Of entries with the same name the later wins; missing parent
// directories are made, owned by root, mode 755.
#pragma once

#include <span>
#include <string>

#include "core/device/host-file.h"
#include "core/vfs/file-system.h"

namespace umbra::fs {

/// An uncompressed archive.
class TarSource : public RefCounted {
public:
    virtual u64 size() const = 0;
    /// Short at the end only. May wait.
    virtual Result<u64> read(std::span<u8> out, u64 offset) = 0;
    /// All of it, where it lies in the kernel's memory; empty otherwise.
    virtual std::span<u8 const> memory() const { return {}; }
};

/// `bytes` live and stay as they are for as long as the kernel runs.
Ref<TarSource> make_memory_tar(std::span<u8 const> bytes);
/// `file` is open for reading. May wait.
Result<Ref<TarSource>> make_host_tar(Ref<device::HostFile> file);

/// May wait. On an error `problem` says what is wrong with the archive and where, for the user; the errno is
/// EIO where reading failed and EINVAL where the archive is bad.
Result<Ref<vfs::FileSystem>> make_tar_file_system(
    Kernel& kernel, Ref<TarSource> source, std::string& problem);

} // namespace umbra::fs
