// SPDX-License-Identifier: GPL-2.0-or-later
// Shared libraries that are loaded when they are needed for the first time: what an instance seldom needs costs its start nothing.
#pragma once

#include <string>

namespace umbra::hostabi {

/// Never unloaded. Loading reads files: by a helper thread.
class Library {
public:
    /// `name` as dlopen(3) takes it. On an error `problem` says what is wrong, and symbols are null.
    Library(char const* name, std::string& problem);

    /// Null: it has none of the name.
    void* symbol(char const* name) const;
    template <typename Function> void find(Function& function, char const* name) const
    {
        function = reinterpret_cast<Function>(symbol(name)); // as dlsym(3) gives functions
    }
    explicit operator bool() const { return handle_ != nullptr; }

private:
    void* handle_;
};

} // namespace umbra::hostabi
