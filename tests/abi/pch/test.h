// SPDX-License-Identifier: GPL-2.0-or-later
// What every test includes, to be compiled once (meson's b_pch). They know nothing of the kernel's own headers.
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>
