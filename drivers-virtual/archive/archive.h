// SPDX-License-Identifier: GPL-2.0-or-later
// Tar archives of the host as a fs::TarSource: a plain one is read in place, a compressed one is unpacked
// once into memory that the host backs (a memfd), not the guest's.
#pragma once

#include <string>

#include "core/fs/tar/tar.h"

namespace umbra::drivers {

class HostIo;

/// Opens the archive at `path`. On an error `problem` is a text for the user, without the path, and the errno
/// is the host's, or EINVAL for a damaged compressed file. Called from a task, which sleeps meanwhile.
Result<Ref<fs::TarSource>> open_tar(std::string const& path, HostIo& io, std::string& problem);

} // namespace umbra::drivers
