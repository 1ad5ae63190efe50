// SPDX-License-Identifier: GPL-2.0-or-later
// execve(2) of ELF images that are cut short, overlap, ask for too much or lie. Every image is built here, byte by
// byte, from a program that ends with status 42. Linux tells two kinds of fault: what it sees while the old program
// can still go on is an error of execve; what it meets later, mapping the segments, is SIGSEGV for the caller.
#include "abi-test.h"

#include <elf.h>
#include <functional>
#include <vector>

namespace abi_test {
namespace {

constexpr Elf64_Addr kBase = 0x400000;
constexpr int kStatus = 42;

/// exit_group(status), in machine code: mov edi, status; mov eax, 231; syscall.
std::string exit_code(int status)
{
    return { '\xbf', char(status), 0, 0, 0, '\xb8', '\xe7', 0, 0, 0, '\x0f', '\x05' };
}

/// movb al, [address]; exit_group(0): what lies at the address decides whether it gets there.
std::string read_code(unsigned address)
{
    std::string code { '\x8a', '\x04', '\x25' };
    code.append(reinterpret_cast<char const*>(&address), sizeof address);
    return code + exit_code(0);
}

/// movb [address], al; exit_group(0).
std::string write_code(unsigned address)
{
    std::string code { '\x88', '\x04', '\x25' };
    code.append(reinterpret_cast<char const*>(&address), sizeof address);
    return code + exit_code(0);
}

/// A program of one segment, which begins with the file and holds headers and code, until a test changes that.
struct Image {
    Elf64_Ehdr header {};
    std::vector<Elf64_Phdr> segments;
    std::string code = exit_code(kStatus);
    std::string interpreter; ///< its path, without the final NUL
    size_t size = 2 * kPage; ///< of the whole file, padded with zeros or cut

    Image()
    {
        std::memcpy(header.e_ident, ELFMAG, SELFMAG);
        header.e_ident[EI_CLASS] = ELFCLASS64;
        header.e_ident[EI_DATA] = ELFDATA2LSB;
        header.e_ident[EI_VERSION] = EV_CURRENT;
        header.e_type = ET_EXEC;
        header.e_machine = EM_X86_64;
        header.e_version = EV_CURRENT;
        header.e_phoff = sizeof header;
        header.e_ehsize = sizeof header;
        header.e_phentsize = sizeof(Elf64_Phdr);
        header.e_entry = kBase + kCodeOffset;
        segments.push_back(load(0, kBase, kPage));
    }

    static constexpr size_t kCodeOffset = 0x800, kInterpreterOffset = 0xc00;

    static Elf64_Phdr load(
        Elf64_Off offset, Elf64_Addr address, Elf64_Xword length, Elf64_Word flags = PF_R | PF_X)
    {
        return { PT_LOAD, flags, offset, address, address, length, length, kPage };
    }
    /// Asks for an interpreter.
    Image& interpreted_by(std::string const& path)
    {
        interpreter = path;
        segments.insert(segments.begin(),
            { PT_INTERP, PF_R, kInterpreterOffset, 0, 0, path.size() + 1, path.size() + 1, 1 });
        return *this;
    }
    std::string bytes() const
    {
        Elf64_Ehdr complete = header;
        if (!complete.e_phnum) complete.e_phnum = Elf64_Half(segments.size());
        std::string file(reinterpret_cast<char const*>(&complete), sizeof complete);
        file.append(reinterpret_cast<char const*>(segments.data()), segments.size() * sizeof segments[0]);
        file.resize(kCodeOffset);
        file += code;
        file.resize(kInterpreterOffset);
        file += interpreter;
        file.resize(std::max(size, file.size()));
        file.resize(size);
        return file;
    }
};

class ElfImage : public InScratchDirectory {
protected:
    /// The wait status of a child that executes the file; an error of execve is its exit status.
    static int execute(std::string const& path)
    {
        return wait_for(start([&] {
            ::execl(path.c_str(), path.c_str(), nullptr);
            ::_exit(errno);
        }));
    }
    int execute_bytes(std::string const& bytes)
    {
        std::string name = "image" + std::to_string(++count_);
        write_file(name, bytes, 0755);
        return execute("./" + name);
    }
    int execute(Image const& image) { return execute_bytes(image.bytes()); }
    /// The same for a change of the good image.
    int variant(std::function<void(Image&)> const& change)
    {
        Image image;
        change(image);
        return execute(image);
    }
    /// A program that is interpreted by the file of this content.
    int interpreted_by(std::string const& content, mode_t mode = 0755)
    {
        std::string name = "interpreter" + std::to_string(++count_);
        write_file(name, content, mode);
        return execute(Image().interpreted_by("./" + name));
    }

private:
    int count_ = 0;
};

Image position_independent(int status = kStatus)
{
    Image image;
    image.header.e_type = ET_DYN;
    image.header.e_entry = Image::kCodeOffset;
    image.segments[0].p_vaddr = 0;
    image.code = exit_code(status);
    return image;
}

using Change = std::function<void(Image&)>;

TEST_F(ElfImage, smallest_programs_run)
{
    EXPECT_EQ(execute(Image()), exited(kStatus));
    EXPECT_EQ(execute(position_independent()), exited(kStatus));
    EXPECT_EQ(interpreted_by(position_independent(43).bytes()), exited(43));
}

TEST_F(ElfImage, header_that_is_no_programs)
{
    EXPECT_EQ(variant([](Image& i) { i.header.e_ident[0] = 'x'; }), exited(ENOEXEC));
    EXPECT_EQ(variant([](Image& i) { i.header.e_machine = EM_386; }), exited(ENOEXEC));
    EXPECT_EQ(variant([](Image& i) { i.header.e_machine = EM_AARCH64; }), exited(ENOEXEC));
    for (Elf64_Half type : { ET_NONE, ET_REL, ET_CORE })
        EXPECT_EQ(variant([&](Image& i) { i.header.e_type = type; }), exited(ENOEXEC)) << type;
}

TEST_F(ElfImage, fields_that_linux_does_not_read)
{
    EXPECT_EQ(variant([](Image& i) { i.header.e_ident[EI_CLASS] = ELFCLASS32; }), exited(kStatus));
    EXPECT_EQ(variant([](Image& i) { i.header.e_ident[EI_DATA] = ELFDATA2MSB; }), exited(kStatus));
    EXPECT_EQ(variant([](Image& i) { i.header.e_ident[EI_VERSION] = 7; }), exited(kStatus));
    EXPECT_EQ(variant([](Image& i) { i.header.e_version = 9; }), exited(kStatus));
    EXPECT_EQ(variant([](Image& i) { i.header.e_ehsize = 7; }), exited(kStatus));
    EXPECT_EQ(variant([](Image& i) { i.header.e_shoff = ~0ul, i.header.e_shnum = 9; }), exited(kStatus));
}

TEST_F(ElfImage, cut_short)
{
    size_t const headers = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr);
    for (size_t size :
        { size_t(0), size_t(1), size_t(4), size_t(16), size_t(63), size_t(64), size_t(100), headers - 1 })
        EXPECT_EQ(variant([&](Image& i) { i.size = size; }), exited(ENOEXEC)) << size;
    // With its headers whole it is a program; the code that is missing is zeros, to the end of the page.
    for (size_t size : { headers, Image::kCodeOffset, Image::kCodeOffset + 5 })
        EXPECT_EQ(variant([&](Image& i) { i.size = size; }), killed_by(SIGSEGV)) << size;
    size_t const whole = Image::kCodeOffset + Image().code.size();
    EXPECT_EQ(variant([&](Image& i) { i.size = whole; }), exited(kStatus));
}

TEST_F(ElfImage, table_of_program_headers)
{
    EXPECT_EQ(variant([](Image& i) { i.header.e_phentsize = 1; }), exited(ENOEXEC));
    EXPECT_EQ(variant([](Image& i) { i.header.e_phentsize = sizeof(Elf64_Phdr) + 1; }), exited(ENOEXEC));
    EXPECT_EQ(variant([](Image& i) { i.header.e_phoff = 1 << 20; }), exited(ENOEXEC));
    EXPECT_EQ(variant([](Image& i) { i.header.e_phoff = ~0ul; }), exited(ENOEXEC));
    EXPECT_EQ(variant([](Image& i) { i.header.e_phoff = ~0ul >> 1; }), exited(ENOEXEC));
    std::string none = Image().bytes();
    none[offsetof(Elf64_Ehdr, e_phnum)] = 0;
    EXPECT_EQ(execute_bytes(none), exited(ENOEXEC));
    // 64 KiB of them at the most. They are read as empty ones here: there is nothing to run.
    auto many = [](Elf64_Half count) {
        return [count](Image& i) { i.header.e_phoff = kPage, i.header.e_phnum = count, i.size = 1 << 20; };
    };
    EXPECT_EQ(variant(many(1170)), killed_by(SIGSEGV));
    EXPECT_EQ(variant(many(1171)), exited(ENOEXEC));
    EXPECT_EQ(variant(many(0xffff)), exited(ENOEXEC));
}

TEST_F(ElfImage, table_may_stand_anywhere)
{
    Image image;
    image.header.e_phnum = 1;
    image.header.e_phoff = (3 << 20) + 1;
    std::string file = image.bytes();
    file.resize(image.header.e_phoff);
    file.append(reinterpret_cast<char const*>(image.segments.data()), sizeof image.segments[0]);
    EXPECT_EQ(execute_bytes(file), exited(kStatus));
}

TEST_F(ElfImage, without_segments)
{
    EXPECT_EQ(variant([](Image& i) { i.segments[0].p_type = PT_NULL; }), killed_by(SIGSEGV));
    EXPECT_EQ(
        variant([](Image& i) { i.segments[0].p_filesz = i.segments[0].p_memsz = 0; }), killed_by(SIGSEGV));
    Image anywhere = position_independent();
    anywhere.segments[0].p_type = PT_NULL;
    EXPECT_EQ(execute(anywhere), killed_by(SIGSEGV));
}

TEST_F(ElfImage, entry_outside_of_the_program)
{
    for (Elf64_Addr entry : { 0ul, 1ul << 40, 1ul << 47, 1ul << 63, ~0ul })
        EXPECT_EQ(variant([&](Image& i) { i.header.e_entry = entry; }), killed_by(SIGSEGV))
            << std::hex << entry;
}

TEST_F(ElfImage, segment_that_cannot_be_mapped)
{
    Elf64_Xword const huge = 1ul << 62;
    Change const changes[] = {
        [](Image& i) { i.segments[0].p_memsz = 100; }, // less than the file's part
        [](Image& i) { i.segments[0].p_memsz = 0; }, [=](Image& i) { i.segments[0].p_memsz = huge; },
        [=](Image& i) { i.segments[0].p_filesz = i.segments[0].p_memsz = huge; },
        [](Image& i) { i.segments[0].p_filesz = i.segments[0].p_memsz = ~0ul; },
        [](Image& i) { i.segments[0].p_vaddr = 1ul << 47; },
        [](Image& i) { i.segments[0].p_vaddr = 0xffff800000000000; },
        [](Image& i) { i.segments[0].p_vaddr = ~0xffful; },
        [](Image& i) { i.segments[0].p_vaddr = kBase + 1; }, // another place in its page than in the file's
        [](Image& i) { i.segments[0].p_offset = 1; },
        [](Image& i) { i.segments.push_back(Image::load(~0xffful, 1 << 30, 10)); },
        [=](Image& i) { i.segments.push_back(Image::load(0, huge, 0)); }, // although it is empty
    };
    for (auto const& change : changes)
        EXPECT_EQ(variant(change), killed_by(SIGSEGV)) << "change " << &change - changes;
}

TEST_F(ElfImage, late_failure_of_a_vfork_child)
{
    write_file(
        "bad",
        [] {
            Image image;
            image.segments[0].p_vaddr = 1ul << 63;
            return image.bytes();
        }(),
        0755);
    // The parent shares its memory with the child that dies, and goes on.
    pid_t child = ::vfork();
    if (child == 0) {
        ::execl("./bad", "bad", nullptr);
        ::_exit(errno);
    }
    EXPECT_EQ(wait_for(child), killed_by(SIGSEGV));
}

TEST_F(ElfImage, segment_beyond_the_end_of_the_file)
{
    constexpr Elf64_Addr there = 1 << 30;
    auto with
        = [&](Elf64_Off offset, Elf64_Xword length, Elf64_Xword zeros, Elf64_Word flags, std::string code) {
              return variant([&](Image& i) {
                  i.segments.push_back(Image::load(offset, there, length, flags));
                  i.segments.back().p_memsz += zeros;
                  i.code = code;
              });
          };
    // Mapped all the same; to read it is what fails.
    EXPECT_EQ(with(1 << 20, 10, 0, PF_R, exit_code(1)), exited(1));
    EXPECT_EQ(with(1ul << 40, 10, 0, PF_R | PF_W, exit_code(1)), exited(1));
    EXPECT_EQ(with(1 << 20, 10, 0, PF_R, read_code(there)), killed_by(SIGBUS));
    EXPECT_EQ(with(0, 1ul << 40, 0, PF_R, exit_code(1)), exited(1));
    EXPECT_EQ(with(0, 1ul << 40, 0, PF_R, read_code(there + kPage)), exited(0));
    EXPECT_EQ(with(0, 1ul << 40, 0, PF_R, read_code(there + 2 * kPage)), killed_by(SIGBUS));
    // Zeros behind the file's part, in a page that is not there: Linux gives up, where it would have to write them.
    EXPECT_EQ(with(1 << 20, 10, 10, PF_R | PF_W, exit_code(1)), killed_by(SIGSEGV));
    EXPECT_EQ(with(1 << 20, 10, 10, PF_R, exit_code(1)), exited(1));
    EXPECT_EQ(with(1 << 20, kPage, 10, PF_R | PF_W, exit_code(1)), exited(1));
}

TEST_F(ElfImage, protection_of_segments)
{
    constexpr Elf64_Addr there = 1 << 30;
    auto with = [&](Elf64_Word flags, std::string code) {
        return variant([&](Image& i) {
            i.segments.push_back(Image::load(0, there, 10, flags));
            i.segments.back().p_memsz = 3 * kPage;
            i.code = code;
        });
    };
    EXPECT_EQ(with(PF_R, read_code(there)), exited(0));
    EXPECT_EQ(with(PF_R, write_code(there)), killed_by(SIGSEGV));
    EXPECT_EQ(with(PF_R | PF_W, write_code(there)), exited(0));
    EXPECT_EQ(with(0, read_code(there)), killed_by(SIGSEGV));
    // Pages of nothing but zeros are writable, whatever the segment says.
    EXPECT_EQ(with(PF_R, write_code(there + 2 * kPage)), exited(0));
    EXPECT_EQ(with(0, write_code(there + 2 * kPage)), exited(0));
    EXPECT_EQ(with(PF_R, read_code(there + 3 * kPage)), killed_by(SIGSEGV));
    EXPECT_EQ(variant([](Image& i) { i.segments[0].p_flags = PF_R; }), killed_by(SIGSEGV));
}

TEST_F(ElfImage, overlapping_segments_later_ones_win)
{
    auto second
        = [&](Elf64_Phdr segment) { return variant([&](Image& i) { i.segments.push_back(segment); }); };
    EXPECT_EQ(second(Image::load(0, kBase, 10)), exited(kStatus));
    // The file's second page is zeros, which is no code that ends well.
    EXPECT_EQ(second(Image::load(kPage, kBase, 10)), killed_by(SIGSEGV));
    auto zeros = Image::load(0, kBase, 0);
    zeros.p_memsz = 10;
    EXPECT_EQ(second(zeros), killed_by(SIGSEGV));
    EXPECT_EQ(variant([](Image& i) {
        i.segments.insert(i.segments.begin(), i.segments[0]);
        i.segments[0].p_memsz = 5 * kPage;
    }),
        exited(kStatus));
}

TEST_F(ElfImage, segments_in_descending_order)
{
    auto higher = [](Image& i, Elf64_Addr address) {
        i.segments.insert(i.segments.begin(), Image::load(0, address, kPage));
    };
    EXPECT_EQ(variant([&](Image& i) { higher(i, 2 * kBase); }), exited(kStatus));
    Image anywhere = position_independent();
    higher(anywhere, kBase);
    EXPECT_EQ(execute(anywhere), exited(kStatus));
}

TEST_F(ElfImage, alignments_that_make_no_sense)
{
    // 1 << 47 and above, Linux rounds the place down to 0, which only root may map.
    for (Elf64_Xword align : { 0ul, 3ul, 1ul << 40, ~0ul }) {
        EXPECT_EQ(variant([&](Image& i) { i.segments[0].p_align = align; }), exited(kStatus)) << align;
        Image anywhere = position_independent();
        anywhere.segments[0].p_align = align;
        EXPECT_EQ(execute(anywhere), exited(kStatus)) << align;
    }
}

TEST_F(ElfImage, position_independent_far_apart)
{
    auto anywhere = [&](Change const& change) {
        Image image = position_independent();
        change(image);
        return execute(image);
    };
    auto move = [](Elf64_Addr to) {
        return [to](Image& i) { i.segments[0].p_vaddr = to, i.header.e_entry += to; };
    };
    EXPECT_EQ(anywhere(move(1ul << 46)), exited(kStatus));
    EXPECT_EQ(anywhere(move(1ul << 63)), killed_by(SIGSEGV));
    EXPECT_EQ(
        anywhere([](Image& i) { i.segments.push_back(Image::load(0, 1ul << 46, 10)); }), exited(kStatus));
    EXPECT_EQ(
        anywhere([](Image& i) { i.segments.push_back(Image::load(0, 1ul << 62, 10)); }), killed_by(SIGSEGV));
}

TEST_F(ElfImage, name_of_the_interpreter)
{
    auto named = [&](
                     std::string const& name, std::function<void(Elf64_Phdr&)> const& change = [](auto&) {}) {
        Image image;
        image.interpreted_by(name);
        change(image.segments[0]);
        return execute(image);
    };
    EXPECT_EQ(named("./none"), exited(ENOENT));
    EXPECT_EQ(named("./none/none"), exited(ENOENT));
    EXPECT_EQ(named("."), exited(EACCES));
    EXPECT_EQ(named("/dev/null"), exited(EACCES));
    EXPECT_EQ(named("/proc/self/exe/x"), exited(ENOTDIR));
    ASSERT_EQ(::symlink("loop", "loop"), 0);
    EXPECT_EQ(named("./loop"), exited(ELOOP));
    EXPECT_EQ(named(""), exited(ENOEXEC)); // one byte
    EXPECT_EQ(named("", [](auto& p) { p.p_filesz = 2; }), exited(EACCES)); // two: the empty name is "."
    EXPECT_EQ(named("./none", [](auto& p) { p.p_filesz--; }), exited(ENOEXEC)); // without its NUL
    EXPECT_EQ(named("./none", [](auto& p) { p.p_filesz = 4096; }), exited(ENOENT));
    EXPECT_EQ(named("./none", [](auto& p) { p.p_filesz = 4097; }), exited(ENOEXEC));
    EXPECT_EQ(named("./none", [](auto& p) { p.p_filesz = ~0ul; }), exited(ENOEXEC));
    EXPECT_EQ(named("./none", [](auto& p) { p.p_offset = 1 << 20; }), exited(EIO));
    EXPECT_EQ(named("./none", [](auto& p) { p.p_offset = 2 * kPage - 3; }), exited(EIO));
    EXPECT_EQ(named("./none", [](auto& p) { p.p_offset = ~0ul; }), exited(EINVAL));
    EXPECT_EQ(named("./none", [](auto& p) { p.p_offset = ~0ul >> 1; }), exited(EINVAL));
}

TEST_F(ElfImage, interpreter_that_is_none)
{
    std::string const good = position_independent().bytes();
    EXPECT_EQ(interpreted_by(good, 0644), exited(EACCES));
    EXPECT_EQ(interpreted_by(""), exited(EIO));
    EXPECT_EQ(interpreted_by("short"), exited(EIO));
    EXPECT_EQ(interpreted_by(good.substr(0, sizeof(Elf64_Ehdr) - 1)), exited(EIO));
    EXPECT_EQ(interpreted_by(good.substr(0, sizeof(Elf64_Ehdr))), exited(ELIBBAD));
    EXPECT_EQ(interpreted_by(std::string(100, 'x')), exited(ELIBBAD));
    EXPECT_EQ(interpreted_by("#!/bin/sh\n" + std::string(100, '#')), exited(ELIBBAD));
}

TEST_F(ElfImage, interpreter_with_faults)
{
    auto with = [&](Change const& change) {
        Image image = position_independent(43);
        change(image);
        return interpreted_by(image.bytes());
    };
    EXPECT_EQ(with([](Image& i) { i.header.e_machine = EM_386; }), exited(ELIBBAD));
    EXPECT_EQ(with([](Image& i) { i.header.e_phentsize = 1; }), exited(ELIBBAD));
    EXPECT_EQ(with([](Image& i) { i.header.e_phoff = 1 << 20; }), exited(ELIBBAD));
    EXPECT_EQ(with([](Image& i) { i.header.e_ident[EI_CLASS] = ELFCLASS32; }), exited(43));
    EXPECT_EQ(with([](Image& i) { i.header.e_type = ET_REL; }), killed_by(SIGSEGV));
    EXPECT_EQ(with([](Image& i) { i.segments[0].p_type = PT_NULL; }), killed_by(SIGSEGV));
    EXPECT_EQ(with([](Image& i) { i.segments[0].p_memsz = 1; }), killed_by(SIGSEGV));
    EXPECT_EQ(with([](Image& i) { i.segments[0].p_memsz = 1ul << 62; }), killed_by(SIGSEGV));
    EXPECT_EQ(with([](Image& i) { i.segments[0].p_vaddr = 1ul << 63; }), killed_by(SIGSEGV));
    EXPECT_EQ(with([](Image& i) { i.header.e_entry = 1ul << 63; }), killed_by(SIGSEGV));
}

TEST_F(ElfImage, interpreters_are_not_interpreted)
{
    Image interpreter = position_independent(43);
    EXPECT_EQ(interpreted_by(interpreter.interpreted_by("./none").bytes()), exited(43));
    interpreter.segments[0].p_filesz = 1;
    EXPECT_EQ(interpreted_by(interpreter.bytes()), exited(43));
    // So one that names itself is no loop, and one at a fixed place takes the program's.
    Image self;
    write_file("self", self.interpreted_by("./self").bytes(), 0755);
    EXPECT_EQ(execute("./self"), exited(kStatus));
    Image same_place;
    same_place.code = exit_code(44);
    EXPECT_EQ(interpreted_by(same_place.bytes()), exited(44));
}

TEST_F(ElfImage, scripts_for_interpreters_of_scripts)
{
    auto script = [&](char const* name, std::string const& interpreter) {
        write_file(name, "#!" + scratch_.path() + "/" + interpreter + "\n", 0755);
    };
    write_file("program", Image().bytes(), 0755);
    script("a", "program"), script("b", "a"), script("c", "b"), script("d", "c"), script("e", "d"),
        script("f", "e");
    EXPECT_EQ(execute("./e"), exited(kStatus));
    EXPECT_EQ(execute("./f"), exited(ELOOP));
    script("ping", "pong"), script("pong", "ping");
    EXPECT_EQ(execute("./ping"), exited(ELOOP));
    // What is wrong with the program at the chain's end is the chain's error.
    Image foreign;
    foreign.header.e_machine = EM_AARCH64;
    write_file("foreign", foreign.bytes(), 0755);
    script("to-foreign", "foreign");
    EXPECT_EQ(execute("./to-foreign"), exited(ENOEXEC));
    write_file("plain", "text\n", 0755);
    script("to-plain", "plain");
    EXPECT_EQ(execute("./to-plain"), exited(ENOEXEC));
}

TEST_F(ElfImage, busy_programs_and_interpreters)
{
    write_file("program", Image().bytes(), 0755);
    write_file("interpreter", position_independent(43).bytes(), 0755);
    write_file("interpreted", Image().interpreted_by("./interpreter").bytes(), 0755);
    Fd program(::open("program", O_WRONLY));
    ASSERT_OK(program);
    EXPECT_EQ(execute("./program"), exited(ETXTBSY));
    program.reset();
    EXPECT_EQ(execute("./program"), exited(kStatus));
    Fd interpreter(::open("interpreter", O_RDWR));
    ASSERT_OK(interpreter);
    EXPECT_EQ(execute("./interpreted"), exited(ETXTBSY));
    interpreter.reset();
    EXPECT_EQ(execute("./interpreted"), exited(43));
}

} // namespace
} // namespace abi_test
