// SPDX-License-Identifier: GPL-2.0-or-later
// What is to be shown to a guest, collected page by page, and then done in as few requests as the frames allow.
#pragma once

#include <vector>

#include "core/base/error.h"
#include "core/kernel.h"
#include "core/mm/frame.h"
#include "core/platform/in-place-paging.h"
#include "core/platform/platform.h"
#include "core/task/scheduler.h"
#include "core/task/task.h"
#include "core/trace/trace.h"

namespace umbra::mm {

/// Joins neighbouring pages that are shown in the same way.
struct ShowPlan {
    std::vector<platform::Mapping> maps;
    std::vector<platform::Range> fills, unguards;
    Frame next; ///< behind the page that was added last to one of these

    /// Pages whose frames do not follow each other lie in different host mappings, which some hosts do not change in one
    /// go.
    void add_range(std::vector<platform::Range>& ranges, u64 page, Frame frame)
    {
        GuestAddr at(page << kPageShift);
        if (!ranges.empty() && ranges.back().start + ranges.back().length == at && frame == next)
            ranges.back().length += kPageSize;
        else
            ranges.push_back({ at, kPageSize });
        next = frame + 1;
    }
    void add_map(platform::Mapping const& page)
    {
        if (!maps.empty()) {
            auto& last = maps.back();
            if (last.start + last.length == page.start && last.offset + last.length == page.offset
                && last.source == page.source && last.protection == page.protection) {
                last.length += kPageSize;
                return;
            }
        }
        maps.push_back(page);
    }
    Result<void> carry_out(platform::AddressSpace& stub, platform::InPlacePaging* in_place) const
    {
        auto& counters = current().kernel().trace().counters;
        counters.stub_maps += maps.size();
        counters.in_place += fills.size() + unguards.size();
        if (!maps.empty()) TRY(stub.map(*current().vcpu, maps));
        if (!fills.empty()) TRY(in_place->fill(fills));
        if (!unguards.empty()) TRY(in_place->unguard(unguards));
        return {};
    }
};

} // namespace umbra::mm
