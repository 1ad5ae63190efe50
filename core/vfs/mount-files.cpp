// SPDX-License-Identifier: GPL-2.0-or-later
// Files of trees of mounts and of configurations.
#include "core/vfs/mount-files.h"

#include "core/kernel.h"

namespace umbra::vfs {

namespace {

class MountTreeFile final : public File {
public:
    bool can_splice() const override { return false; }
    MountTreeFile(Path path, Ref<MountNamespace> space)
        : File(std::move(path), abi::o_path)
        , space_(std::move(space))
    {
    }

private:
    Ref<MountNamespace> space_; ///< takes apart what is still in it when it goes
};

class ConfigFile final : public File {
public:
    bool can_splice() const override { return false; }
    ConfigFile(Path path, FileSystemConfig config)
        : File(std::move(path), abi::o_rdwr)
        , config_(std::move(config))
    {
    }
    FileSystemConfig& config() { return config_; }
    Result<u64> read(IoBuffer& buffer, u64) override
    {
        auto const message = TRY(config_.next_message());
        if (message.size() > buffer.remaining()) return err::msgsize;
        config_.drop_message();
        return buffer.put(message.data(), message.size());
    }

private:
    FileSystemConfig config_;
};

} // namespace

Ref<File> make_mount_tree_file(MountNamespace const& of, MountTree tree)
{
    Ref<Mount> top(tree.top());
    return make_ref<MountTreeFile>(Path { top, top->root() }, of.make_anonymous(std::move(tree)));
}

Ref<File> make_config_file(Kernel& kernel, FileSystemConfig config)
{
    return make_ref<ConfigFile>(
        make_anonymous_path(kernel, "anon_inode:[fscontext]", 0600), std::move(config));
}

FileSystemConfig* config_of_file(File& file)
{
    auto* open = dynamic_cast<ConfigFile*>(&file);
    return open ? &open->config() : nullptr;
}

} // namespace umbra::vfs
