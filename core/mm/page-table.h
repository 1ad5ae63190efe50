// SPDX-License-Identifier: GPL-2.0-or-later
// The software page table of a guest address space: what is resident, and what of it the guest's stub shows. Four
// levels of 512 entries, as the CPU's own; entries are ours, so that a ring-0 backend can translate them.
#pragma once

#include <array>
#include <memory>

#include "core/base/types.h"
#include "core/mm/frame.h"

namespace umbra::mm {

/// One page's entry: flags below, the frame above.
struct Pte {
    enum Flag : u64 {
        kPresent = 1, ///< there is a frame, and the entry holds a reference on it
        kWritable = 2, ///< it may be written without a copy (the VMA's protection still rules)
        kShown = 4, ///< the stub maps it, or a host file in its place
        kShownWritable = 8,
        kHostFile = 16, ///< shown straight from the host's file: no frame
        kGuarded
        = 64, ///< shown writable by its host mapping, but writes are guarded (platform::InPlacePaging)
    };
    u64 bits = 0;

    bool present() const { return bits & kPresent; }
    bool writable() const { return bits & kWritable; }
    bool shown() const { return bits & kShown; }
    bool shown_writable() const { return bits & kShownWritable; }
    bool guarded() const { return bits & kGuarded; }
    bool host_file() const { return bits & kHostFile; }
    Frame frame() const { return present() ? Frame(bits >> 12) : Frame(); }
    static Pte make(Frame frame, u64 flags) { return Pte { (frame.value << 12) | flags | kPresent }; }
    void clear_shown() { bits &= ~u64(kShown | kShownWritable | kHostFile | kGuarded); }
};

class PageTable {
public:
    /// The entry for a page number (address >> 12), or null if no table covers it.
    Pte* find(u64 page);
    /// The entry, with tables made as needed.
    Pte& get(u64 page);
    /// Calls visit(page, Pte&) for every non-zero entry of [first, last), in order. Skips empty tables quickly.
    template <typename Visit> void for_each(u64 first, u64 last, Visit visit);
    /// Frees tables whose entries in [first, last) are all zero, if the whole table lies inside.
    void prune(u64 first, u64 last);

private:
    struct Leaf {
        std::array<Pte, 512> entries {};
    };
    struct Middle {
        std::array<std::unique_ptr<Leaf>, 512> leaves;
    };
    struct Upper {
        std::array<std::unique_ptr<Middle>, 512> middles;
    };
    std::array<std::unique_ptr<Upper>, 512> top_;
    // The last leaf found: faults and copies come in runs.
    u64 cached_index_ = ~u64 { 0 };
    Leaf* cached_leaf_ = nullptr;

    Leaf* find_leaf(u64 page);
};

template <typename Visit> void PageTable::for_each(u64 first, u64 last, Visit visit)
{
    for (u64 page = first; page < last;) {
        auto& upper = top_[page >> 27 & 511];
        if (!upper) {
            page = ((page >> 27) + 1) << 27;
            continue;
        }
        auto& middle = upper->middles[page >> 18 & 511];
        if (!middle) {
            page = ((page >> 18) + 1) << 18;
            continue;
        }
        auto& leaf = middle->leaves[page >> 9 & 511];
        u64 end = ((page >> 9) + 1) << 9;
        if (leaf) {
            for (u64 p = page; p < end && p < last; ++p)
                if (leaf->entries[p & 511].bits) visit(p, leaf->entries[p & 511]);
        }
        page = end;
    }
}

} // namespace umbra::mm
