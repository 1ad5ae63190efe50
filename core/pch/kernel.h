// SPDX-License-Identifier: GPL-2.0-or-later
// What most of the kernel's sources include, to be compiled once (meson's b_pch): half of what compiling them costs. Each source
// still includes what it uses: `tools/dev check tidy` does without this and finds where one does not.
#include <algorithm>
#include <array>
#include <bitset>
#include <cstring>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/task/task.h"
#include "core/vfs/file.h"
#include "core/vfs/operations.h"
