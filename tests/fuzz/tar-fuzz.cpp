// SPDX-License-Identifier: GPL-2.0-or-later
// libFuzzer target: the index of a tar archive, which is any bytes at all. A header counts only with its checksum, so
// the mutator puts that right: otherwise next to nothing would get past it.
#include <cstdio>
#include <cstring>

#include "core/fs/tar/tar-block.h"
#include "core/fs/tar/tar-tree.h"
#include "tests/fuzz/fuzz.h"

using namespace umbra;

extern "C" size_t LLVMFuzzerMutate(u8* data, size_t size, size_t limit);

namespace {

void stamp(u8* block)
{
    constexpr size_t at = offsetof(fs::TarBlock, checksum), length = sizeof(fs::TarBlock::checksum);
    std::memset(block + at, ' ', length);
    unsigned sum = 0;
    for (size_t i = 0; i < fs::kTarBlock; ++i)
        sum += block[i];
    char text[length + 1];
    std::snprintf(text, sizeof text, "%06o", sum);
    std::memcpy(block + at, text, 7);
}

/// What the file system relies on when it reads a file's data in place.
void check_data(fs::TarNode const& node, std::span<u8 const> archive)
{
    bool is_regular = (node.mode & 0170000) == 0100000;
    if (!is_regular) return;
    if (!node.extra || !node.extra->is_sparse) {
        require(node.position <= archive.size() && node.size <= archive.size() - node.position);
        return;
    }
    u64 end = 0;
    for (auto const& piece : node.extra->pieces) {
        require(piece.offset >= end && piece.length <= node.size && piece.offset <= node.size - piece.length);
        require(piece.position <= archive.size() && piece.length <= archive.size() - piece.position);
        end = piece.offset + piece.length;
    }
}

void check_tree(fs::TarTree const& tree, std::span<u8 const> archive)
{
    for (u32 i = 0; i < tree.node_count(); ++i) {
        auto const& node = tree.node(i);
        check_data(node, archive);
        for (auto const& child : tree.children(node)) {
            require(child.node < tree.node_count());
            require(!child.name.empty() && child.name.find('/') == std::string_view::npos);
            auto const* found = tree.find(node, child.name);
            require(found && found->node == child.node);
        }
    }
}

} // namespace

extern "C" size_t LLVMFuzzerCustomMutator(u8* data, size_t size, size_t limit, unsigned)
{
    size = LLVMFuzzerMutate(data, size, limit);
    for (size_t at = 0; at + fs::kTarBlock <= size; at += fs::kTarBlock)
        if (std::memcmp(data + at + offsetof(fs::TarBlock, magic), "ustar", 5) == 0) stamp(data + at);
    return size;
}

extern "C" int LLVMFuzzerTestOneInput(u8 const* data, size_t size)
{
    std::span<u8 const> archive(data, size);
    auto source = fs::make_memory_tar(archive);
    std::string problem;
    auto tree = fs::TarTree::build(*source, problem);
    if (tree.ok())
        check_tree(*tree.value(), archive);
    else
        require(!problem.empty());
    return 0;
}
