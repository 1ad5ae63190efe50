# SPDX-License-Identifier: GPL-2.0-or-later
# gcc, g++ and clang; the same small project by make, cmake with ninja, and meson, its tests run by each.
mkdir project; cd project
cat > add.c <<'C'
#include "add.h"
int add(int a, int b) { return a + b; }
C
echo 'int add(int, int);' > add.h
cat > main.c <<'C'
#include <stdio.h>
#include "add.h"
int main(void) { printf("%d\n", add(40, 2)); return add(1, -1); }
C
cat > test.cpp <<'C'
#include <iostream>
#include <map>
#include <stdexcept>
#include <thread>
#include <vector>
extern "C" {
#include "add.h"
}
int main() {
    std::map<int, int> sums; std::vector<std::thread> threads; std::vector<int> part(8);
    for (int i = 0; i < 8; ++i) threads.emplace_back([&part, i] { for (int j = 0; j < 1000; ++j) part[i] = add(part[i], j); });
    for (auto& thread : threads) thread.join();
    for (int value : part) ++sums[value];
    try { throw std::runtime_error("thrown"); } catch (const std::exception& error) { std::cout << error.what() << ' ' << sums.size() << '\n'; }
    return sums.size() != 1;
}
C
for flags in -O0 '-O2 -flto' '-O2 -static' '-fsanitize=address -g' '-fsanitize=undefined' '-fsanitize=thread'; do
    gcc $flags main.c add.c -o out && ./out || echo "gcc $flags: $?"
done
for flags in -O0 '-O2 -static'; do clang $flags main.c add.c -o out && ./out || echo "clang $flags: $?"; done
for compiler in g++ clang++; do $compiler -c -x c add.c && $compiler -std=c++20 -O2 -pthread test.cpp add.o -o out && ./out; done
printf 'main: main.o add.o\n\t$(CC) -o $@ $^\n%%.o: %%.c add.h\n\t$(CC) -O2 -c -o $@ $<\nmany: $(foreach n,1 2 3 4 5 6 7 8,many-$(n).o)\nmany-%%.o: add.c\n\t$(CC) -O2 -Dadd=add$* -c -o $@ $<\n' > Makefile
make -sj4 main many && ./main; touch add.h; make -n main | wc -l; ls many-*.o | wc -l
cat > CMakeLists.txt <<'C'
cmake_minimum_required(VERSION 3.20)
project(ours C CXX)
find_package(Threads REQUIRED)
add_library(add STATIC add.c)
add_executable(main main.c)
add_executable(check test.cpp)
target_link_libraries(main add)
target_link_libraries(check add Threads::Threads)
enable_testing()
add_test(NAME main COMMAND main)
add_test(NAME check COMMAND check)
C
cmake -GNinja -S . -B by-cmake >/dev/null && ninja -C by-cmake -j2 >/dev/null && (cd by-cmake && ctest -j2 | grep 'tests passed')
cat > meson.build <<'C'
project('ours', ['c', 'cpp'], default_options: ['cpp_std=c++20'])
add = static_library('add', 'add.c')
test('main', executable('main', 'main.c', link_with: add))
test('check', executable('check', 'test.cpp', link_with: add, dependencies: dependency('threads')))
C
meson setup by-meson >/dev/null && ninja -C by-meson -j2 >/dev/null && meson test -C by-meson | grep '^Ok:'
gcc -g -O0 main.c add.c -o main && gdb -q -batch -ex 'break add' -ex run -ex 'print a' ./main 2>&1 | grep '^\$1'
objdump -d main | grep -c '<add>:'
nm main | grep -c ' T add'
strip main
./main
ldd main | grep -o libc.so.6
