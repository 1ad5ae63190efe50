// SPDX-License-Identifier: GPL-2.0-or-later
// A path walk in progress (Linux: struct nameidata). walk() and walk_parent() suffice for most; open(2) uses
// the walker itself, because it looks at the last component, may create it, and may go on through a symbolic
// link. The unwalked rest is text: following a link replaces what was walked of it by the link's target.
#pragma once

#include "core/vfs/path.h"

namespace umbra::vfs {

// openat2(2)
constexpr u64 kResolveNoXdev = 1, kResolveNoMagiclinks = 2, kResolveNoSymlinks = 4, kResolveBeneath = 8;
constexpr u64 kResolveInRoot = 16, kResolveCached = 32;
constexpr u32 kMaxSymlinks = 40; ///< MAXSYMLINKS

class Walker {
public:
    Walker(Task& task, Path const& base, WalkOptions const& options);

    /// Takes the path and goes to where it starts. ENOENT for "", EXDEV.
    Result<void> start(std::string_view path);
    /// Walks all but the last component, which name() then is; name() is empty where none is left ("/").
    Result<void> to_parent();
    /// Walks the component name(). With `follow`, a symbolic link there becomes the new rest (returns true:
    /// call to_parent() again), except that a magic link is followed at once.
    Result<bool> step(bool follow);
    /// The same for what a lookup of name() gave.
    Result<bool> step_into(Ref<Dentry> const& dentry, bool follow);
    /// All the way.
    Result<Path> finish();

    Path const& current() const { return current_; }
    std::string const& name() const { return name_; }
    bool trailing_slash() const { return trailing_slash_; }
    bool is_dots() const { return name_ == "." || name_ == ".."; }

private:
    Result<void> go_up();
    Result<void> go_to_root();
    Result<bool> follow_link(Path const& link);
    Result<void> cross(Path& path) const;
    Result<Ref<Dentry>> lookup();
    bool take_component();

    Task& task_;
    WalkOptions options_;
    Path root_; ///< ".." stops here, "/" starts here
    Path current_;
    std::string rest_;
    size_t position_ = 0; ///< of what is not yet walked in rest_
    std::string name_;
    bool trailing_slash_ = false;
    bool is_last_ = false;
    u32 links_ = 0;
};

} // namespace umbra::vfs
