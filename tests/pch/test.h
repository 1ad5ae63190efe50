// SPDX-License-Identifier: GPL-2.0-or-later
// What every unit test includes, to be compiled once (meson's b_pch).
#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>
