// SPDX-License-Identifier: GPL-2.0-or-later
#include "hostabi/library.h"

#include <dlfcn.h>

namespace umbra::hostabi {

Library::Library(char const* name, std::string& problem)
    : handle_(::dlopen(name, RTLD_NOW | RTLD_LOCAL))
{
    if (handle_) return;
    char const* const text = ::dlerror();
    problem = text ? text : name;
}

void* Library::symbol(char const* name) const { return handle_ ? ::dlsym(handle_, name) : nullptr; }

} // namespace umbra::hostabi
