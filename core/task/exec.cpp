// SPDX-License-Identifier: GPL-2.0-or-later
// execve(2): from a name to a running program. The new address space is built beside the old one; only when nothing
// can fail any more does the task move into it.
// size: from a name to a running program is one story: script, image, stack, credentials.
#include <algorithm>
#include <bit>
#include <cstring>
#include <optional>
#include <utility>

#include "core/abi/mman.h"
#include "core/abi/prctl.h"
#include "core/abi/rseq.h"
#include "core/abi/system.h"
#include "core/cgroup/cgroup.h"
#include "core/kernel.h"
#include "core/mm/address-space.h"
#include "core/mm/vdso.h"
#include "core/platform/elf.h"
#include "core/task/exec-credentials.h"
#include "core/task/lifecycle.h"
#include "core/task/namespaces.h"
#include "core/task/permissions.h"
#include "core/task/posix-timers.h"
#include "core/task/process-table.h"
#include "core/task/ptrace.h"
#include "core/task/rseq.h"
#include "core/task/scheduler.h"
#include "core/task/task-access.h"
#include "core/task/watchpoints.h"
#include "core/time/time-namespace.h"
#include "core/trace/trace.h"
#include "core/vfs/access.h"
#include "core/vfs/lease.h"
#include "core/vfs/notify.h"
#include "core/vfs/operations.h"

namespace umbra {

using namespace abi;
using platform::ElfImage;
using platform::ElfKind;

namespace {

constexpr int kMaxInterpreters = 5; // of #! scripts; Linux: ELOOP beyond
constexpr u64 kScriptHeader = 256;
constexpr u64 kArgumentLimit = 128 << 10; // one string, MAX_ARG_STRLEN
constexpr u64 kStackReserve = 128 << 10;
constexpr u64 kPieBase = 0x555555554000;
constexpr u64 kMaxFileOffset = ~u64 { 0 } >> 1;

/// An executable file that is open, with execute permission checked.
struct Executable {
    Ref<vfs::File> file;
    std::string name;
};

Result<Executable> open_executable(Task& task, ExecRequest const& r)
{
    vfs::Path path = r.file ? *r.file->path()
                            : TRY(vfs::walk(task, r.base, r.name,
                                { .follow_last = r.follow_last, .allow_empty = r.allow_empty }));
    auto& inode = path.inode();
    if (inode.is_symlink()) return err::loop;
    if (!inode.is_regular()) return err::acces;
    if (path.mount->flags() & vfs::kMountNoExec) return err::acces;
    TRY(vfs::check_permission(task.credentials(), inode, x_ok));
    // root needs at least one x bit
    if (!(inode.mode() & 0111)) return err::acces;
    TRY(vfs::ask_permission(path, fan_open_exec_perm));
    TRY(vfs::ask_permission(path, fan_open_perm));
    if (inode.write_count > 0) return err::txtbsy;
    TRY(vfs::break_leases(task, inode, o_rdonly));
    auto file = TRY(inode.open(path, o_rdonly));
    vfs::notify_file(*file, in_open | fan_open_exec);
    return Executable { std::move(file), r.name };
}

Result<std::vector<u8>> read_at(vfs::File& file, u64 offset, u64 size)
{
    TRY(vfs::ask_to_read(file));
    std::vector<u8> bytes(size);
    u64 done = 0;
    while (done < size) {
        auto buffer = IoBuffer::kernel(std::span(bytes).subspan(done));
        u64 n = TRY(file.read(buffer, offset + done));
        if (n == 0) break;
        done += n;
    }
    bytes.resize(done);
    if (done > 0) vfs::notify_file(file, in_access);
    return bytes;
}

/// `head`: the file's first page. ENOEXEC where it is no ELF file for this machine, or ends within its headers.
Result<ElfImage> read_elf(vfs::File& file, std::vector<u8> const& head)
{
    auto place = TRY(platform::elf_program_headers(head));
    if (place.offset + place.size <= head.size())
        return platform::parse_elf(head, std::span(head).subspan(place.offset, place.size));
    return platform::parse_elf(head, TRY(read_at(file, place.offset, place.size)));
}

/// "#! interpreter [argument]": rewrites the request. ENOEXEC for a malformed line.
Result<void> apply_script(ExecRequest& request, std::vector<u8> const& head)
{
    std::string_view text(reinterpret_cast<char const*>(head.data()), head.size());
    auto end = text.find('\n');
    bool whole = end != std::string_view::npos || head.size() < kScriptHeader;
    std::string_view line = text.substr(2, end == std::string_view::npos ? std::string_view::npos : end - 2);
    auto is_space = [](char c) { return c == ' ' || c == '\t'; };
    while (!line.empty() && is_space(line.front()))
        line.remove_prefix(1);
    while (!line.empty() && (is_space(line.back()) || line.back() == '\0'))
        line.remove_suffix(1);
    auto cut = std::find_if(line.begin(), line.end(), is_space);
    std::string interpreter(line.begin(), cut);
    if (auto nul = interpreter.find('\0'); nul != std::string::npos) interpreter.resize(nul);
    // A name that the 256 bytes cut short must not be run.
    if (interpreter.empty() || (!whole && cut == line.end())) return err::noexec;
    std::string_view argument = line.substr(u64(cut - line.begin()));
    while (!argument.empty() && is_space(argument.front()))
        argument.remove_prefix(1);
    std::vector<std::string> arguments { interpreter };
    if (!argument.empty()) arguments.emplace_back(argument);
    arguments.push_back(request.script_name.empty() ? request.name : request.script_name);
    request.script_name.clear();
    if (request.arguments.size() > 1)
        arguments.insert(arguments.end(), request.arguments.begin() + 1, request.arguments.end());
    request.arguments = std::move(arguments);
    request.name = std::move(interpreter);
    request.file = nullptr;
    request.follow_last = true;
    request.allow_empty = false;
    return {};
}

u32 prot_of(platform::ElfSegment const& s)
{
    return (s.readable ? prot_read : 0) | (s.writable ? prot_write : 0) | (s.executable ? prot_exec : 0);
}

/// Maps the segments at `bias`; the tail of each beyond the file's bytes is zero.
Result<void> map_segments(mm::AddressSpace& space, vfs::File& file, ElfImage const& image, u64 bias)
{
    for (auto const& s : image.loads) {
        u64 start = page_down(s.address) + bias, file_end = s.address + s.file_size + bias;
        u64 end = page_up(s.address + s.memory_size + bias);
        u64 mapped_end = s.file_size ? page_up(file_end) : start;
        if (s.file_size) {
            auto object = TRY(file.mmap_object(page_down(s.offset), mapped_end - start, false));
            TRY(space.map({ .address = start,
                .length = mapped_end - start,
                .prot = prot_of(s),
                .fixed = true,
                .object = std::move(object),
                .object_offset = page_down(s.offset),
                .path = file.path() }));
        }
        if (mapped_end > file_end && s.memory_size > s.file_size && s.writable && s.file_size) {
            for (u64 at = file_end; at < mapped_end;) {
                auto view = TRY(space.kernel_view(GuestAddr(at), platform::Protection::write));
                u64 n = std::min<u64>(view.size(), mapped_end - at);
                std::memset(view.data(), 0, n);
                at += n;
            }
        }
        // As in Linux, what lies beyond the file's pages is writable whatever the segment says.
        u32 const zero_prot = prot_read | prot_write | (s.executable ? prot_exec : 0);
        if (end > mapped_end)
            TRY(space.map(
                { .address = mapped_end, .length = end - mapped_end, .prot = zero_prot, .fixed = true }));
    }
    return {};
}

/// Nothing under ADDR_NO_RANDOMIZE (personality(2)).
u64 random_offset(Task& task, u64 pages)
{
    if (task.personality & personality_no_randomize) return 0;
    u64 r;
    task.kernel().platform().random_bytes({ reinterpret_cast<u8*>(&r), sizeof r });
    return (r % pages) << kPageShift;
}

struct Loaded {
    u64 entry = 0; ///< where to start: the interpreter's entry or the program's
    u64 program_entry = 0, program_headers = 0, interpreter_base = 0;
    u16 program_header_count = 0;
};

/// An ELF file that is open, with its headers read and not yet mapped.
struct Program {
    Ref<vfs::File> file;
    ElfImage image;
};

/// What PT_INTERP names: ENOEXEC where that is no name, ELIBBAD where it is not what can be an interpreter, EIO where a
/// file ends too early, as Linux has them.
Result<std::optional<Program>> open_interpreter(Task& task, vfs::File& program, ElfImage const& image)
{
    if (!image.has_interpreter) return std::optional<Program>();
    u64 const size = image.interpreter_size;
    if (size < 2 || size > kPathMax) return err::noexec;
    if (image.interpreter_offset > kMaxFileOffset - size) return err::inval;
    auto bytes = TRY(read_at(program, image.interpreter_offset, size));
    if (bytes.size() < size) return err::io;
    if (bytes.back() != 0) return err::noexec;
    // The empty name is the working directory to Linux, and no regular file.
    ExecRequest request { .base = task.fs().cwd, .name = reinterpret_cast<char const*>(bytes.data()) };
    if (request.name.empty()) return err::acces;
    auto file = TRY(open_executable(task, request)).file;
    auto head = TRY(read_at(*file, 0, kPageSize));
    if (head.size() < platform::kElfHeaderSize) return err::io;
    auto parsed = read_elf(*file, head);
    if (parsed.is_error()) return parsed.error() == err::noexec ? Errno::libbad : parsed.error();
    return std::optional<Program>(Program { std::move(file), parsed.release_value() });
}

/// A free place that holds the whole image: the bias.
Result<u64> find_place(mm::AddressSpace& space, ElfImage const& image)
{
    u64 span = image.highest - image.lowest;
    auto place = TRY(space.map({ .length = span, .prot = prot_none }));
    TRY(space.unmap(place.value, span));
    return place.value - image.lowest;
}

/// Maps the interpreter and returns its entry.
Result<u64> load_interpreter(mm::AddressSpace& space, Program const& interpreter, Loaded& out)
{
    ElfImage const& image = interpreter.image;
    if (!image.mappable || image.kind == ElfKind::no_program) return err::inval;
    u64 bias = 0;
    if (image.kind == ElfKind::position_independent)
        bias = out.interpreter_base = TRY(find_place(space, image));
    TRY(map_segments(space, *interpreter.file, image, bias));
    return image.entry + bias;
}

/// Where a program goes that can go anywhere.
Result<u64> choose_bias(Task& task, mm::AddressSpace& space, ElfImage const& image)
{
    if (image.kind != ElfKind::position_independent) return 0;
    u64 align = kPageSize;
    for (auto const& s : image.loads)
        if (std::has_single_bit(s.align) && s.align < kPieBase) align = std::max(align, s.align);
    u64 const base = (kPieBase + random_offset(task, 1 << 20)) & ~(align - 1);
    if (base + (image.highest - image.lowest) > task.kernel().platform().machine().task_size)
        return find_place(space, image);
    return base - image.lowest;
}

/// Fills the space. Linux has given up the old program by now, so the caller does not outlive an error.
Result<Loaded> load_program(
    Task& task, mm::AddressSpace& space, Program const& program, std::optional<Program> const& interpreter)
{
    Kernel& kernel = task.kernel();
    auto const& machine = kernel.platform().machine();
    ElfImage const& image = program.image;
    if (!image.mappable) return err::inval;
    Loaded out;
    u64 const bias = TRY(choose_bias(task, space, image));
    if (image.highest + bias > machine.task_size || image.lowest + bias < machine.min_address)
        return err::inval;
    TRY(map_segments(space, *program.file, image, bias));
    out.program_entry = out.entry = image.entry + bias;
    out.program_header_count = image.program_header_count;
    for (auto const& s : image.loads) {
        if (image.program_headers_offset >= s.offset && image.program_headers_offset < s.offset + s.file_size)
            out.program_headers = image.program_headers_offset - s.offset + s.address + bias;
        if (s.executable && space.code_start.is_null())
            space.code_start = GuestAddr(s.address + bias),
            space.code_end = GuestAddr(s.address + s.file_size + bias);
        if (s.writable)
            space.data_start = GuestAddr(s.address + bias),
            space.data_end = GuestAddr(s.address + s.file_size + bias);
    }
    u64 break_at = image.highest + bias;
    // A static PIE's break would run into the mmap area; Linux puts it there too, with a gap.
    space.set_break_start(break_at + random_offset(task, 1 << 13));
    if (interpreter) out.entry = TRY(load_interpreter(space, *interpreter, out));
    if (out.entry >= machine.task_size) return err::inval;
    return out;
}

/// Writes downwards on the new stack.
class StackWriter {
public:
    StackWriter(mm::AddressSpace& space, u64 top)
        : space_(space)
        , at_(top)
    {
    }
    u64 at() const { return at_; }
    void align(u64 to) { at_ &= ~(to - 1); }
    Result<u64> push(void const* bytes, u64 size)
    {
        at_ -= size;
        for (u64 done = 0; done < size;) {
            auto view = TRY(space_.kernel_view(GuestAddr(at_ + done), platform::Protection::write));
            u64 n = std::min<u64>(view.size(), size - done);
            std::memcpy(view.data(), static_cast<u8 const*>(bytes) + done, n);
            done += n;
        }
        return at_;
    }
    Result<u64> push_string(std::string const& s) { return push(s.c_str(), s.size() + 1); }

private:
    mm::AddressSpace& space_;
    u64 at_;
};

constexpr u64 at_null = 0, at_phdr = 3, at_phent = 4, at_phnum = 5, at_pagesz = 6, at_base = 7, at_flags = 8,
              at_entry = 9;
constexpr u64 at_uid = 11, at_euid = 12, at_gid = 13, at_egid = 14, at_platform = 15, at_hwcap = 16,
              at_clktck = 17;
constexpr u64 at_secure = 23, at_random = 25, at_hwcap2 = 26, at_execfn = 31, at_sysinfo_ehdr = 33,
              at_minsigstksz = 51;
constexpr u64 at_rseq_feature_size = 27, at_rseq_align = 28;

Result<u64> build_stack(Task& task, mm::AddressSpace& space, ExecRequest const& request,
    std::string const& file_name, Loaded const& loaded, Credentials const& cred, bool secure)
{
    Kernel& kernel = task.kernel();
    u64 top = kernel.platform().machine().task_size - kPageSize - random_offset(task, 1 << 12);
    TRY(space.map({ .address = top - kStackReserve,
        .length = kStackReserve,
        .prot = prot_read | prot_write,
        .fixed = true,
        .grows_down = true,
        .label = "[stack]" }));
    StackWriter stack(space, top - 8);
    u64 name = TRY(stack.push_string(file_name));
    std::vector<u64> env, args;
    u64 env_end = stack.at();
    for (auto it = request.environment.rbegin(); it != request.environment.rend(); ++it)
        env.push_back(TRY(stack.push_string(*it)));
    u64 env_start = stack.at();
    for (auto it = request.arguments.rbegin(); it != request.arguments.rend(); ++it)
        args.push_back(TRY(stack.push_string(*it)));
    space.arguments_start = GuestAddr(stack.at()), space.arguments_end = GuestAddr(env_start);
    space.environment_start = GuestAddr(env_start), space.environment_end = GuestAddr(env_end);
    u64 platform_name = TRY(stack.push_string("x86_64"));
    u8 random[16];
    kernel.platform().random_bytes(random);
    stack.align(16);
    u64 random_at = TRY(stack.push(random, sizeof random));
    stack.align(16);
    auto const& m = kernel.platform().machine();
    UserNamespace const& ids = *cred.user_namespace;
    std::vector<u64> auxv { at_sysinfo_ehdr, space.vdso.value, at_hwcap, m.hwcap, at_pagesz, kPageSize,
        at_clktck, 100, at_phdr, loaded.program_headers, at_phent, 56, at_phnum, loaded.program_header_count,
        at_base, loaded.interpreter_base, at_flags, 0, at_entry, loaded.program_entry, at_uid,
        ids.uid_out(cred.uid), at_euid, ids.uid_out(cred.euid), at_gid, ids.gid_out(cred.gid), at_egid,
        ids.gid_out(cred.egid), at_secure, secure, at_random, random_at, at_hwcap2, m.hwcap2, at_execfn, name,
        at_platform, platform_name, at_minsigstksz, std::max<u64>(2048, m.xsave_size + 1024), at_null, 0 };
    if (space.vdso.is_null()) auxv.erase(auxv.begin(), auxv.begin() + 2);
    auxv.insert(auxv.end() - 2, { at_rseq_feature_size, rseq_feature_size, at_rseq_align, 32 });
    std::vector<u64> words { args.size() };
    words.insert(words.end(), args.rbegin(), args.rend());
    words.push_back(0);
    words.insert(words.end(), env.rbegin(), env.rend());
    words.push_back(0);
    words.insert(words.end(), auxv.begin(), auxv.end());
    if (words.size() % 2) stack.align(16), TRY(stack.push("\0\0\0\0\0\0\0", 8));
    u64 sp = TRY(stack.push(words.data(), words.size() * 8));
    space.stack_start = GuestAddr(sp);
    space.auxv = std::move(auxv);
    return sp;
}

/// E2BIG as execve(2): strings and pointers within a quarter of the stack limit (at least 128 KiB, at most 6 MiB).
Result<void> check_argument_sizes(Task& task, ExecRequest const& r)
{
    u64 total = 0;
    for (auto const* list : { &r.arguments, &r.environment })
        for (auto const& s : *list) {
            if (s.size() + 1 > kArgumentLimit) return err::too_big;
            total += s.size() + 1 + 8;
        }
    u64 limit = std::clamp<u64>(task.limit(Resource::stack) / 4, kArgumentLimit, 6 << 20);
    if (total > limit) return err::too_big;
    return {};
}

/// Ends all other threads; the caller becomes the leader with the process's number.
Result<void> become_only_thread(Task& task)
{
    Process& process = task.process();
    while (process.live_threads() > 1) {
        for (Task* t : process.threads) {
            if (t == &task) continue;
            t->exiting = true;
            if (t->state == TaskState::sleeping && t->sleep_mode != Interruption::refused) wake_task(*t);
            if (t->state == TaskState::running) t->vcpu->request_attention();
        }
        auto r = process.exit_waiters.wait_until(
            [&] { return process.live_threads() == 1; }, kNever, Interruption::killable);
        if (r.is_error()) return err::again; // killed: never seen
    }
    release_zombie_leader(process);
    cgroup::forget(process); // the former leader: this thread goes on in its place
    if (task.tid() != process.id) {
        tracing::take_leaders_number(task);
        auto& table = task.kernel().processes();
        table.remove(task);
        TaskAccess(task).set_tid(process.id);
        table.add(task);
    }
    return {};
}

void reset_process(Task& task, std::string const& name)
{
    Process& process = task.process();
    if (process.handlers->ref_count() > 1) {
        auto own = make_ref<SignalHandlers>();
        own->actions = process.handlers->actions;
        process.handlers = std::move(own);
    }
    for (auto& action : process.handlers->actions) {
        bool ignore = action.handler == sig_ign;
        action = {};
        if (ignore) action.handler = sig_ign;
    }
    task.alt_stack = { 0, ss_disable, 0, 0 };
    task.robust_list = GuestAddr(0);
    task.clear_child_tid = GuestAddr(0);
    task.rseq = {};
    task.rseq_pending = false;
    task.dispatch = {};
    task.syscall_work &= ~u32 { work_dispatch };
    task.restart_block = nullptr;
    if (process.timers) process.timers->timers.clear();
    ++process.programs_run;
    process.membarrier_registrations = 0;
    process.exit_signal = sigchld;
    auto slash = name.rfind('/');
    task.set_name(slash == std::string::npos ? name : name.substr(slash + 1));
}

/// MMAP_PAGE_ZERO (personality(2)): as SVr4, reading through a null pointer gives zeroes.
void map_zero_page(Task& task, mm::AddressSpace& space)
{
    if (!(task.personality & personality_zero_page)) return;
    // Where the host lets nobody map address 0 the program runs without, as on Linux.
    (void)space.map({ .length = kPageSize, .prot = prot_read | prot_exec, .fixed = true }).ok();
}

/// The point of no return: the task moves into the new space.
Result<void> enter_new_program(Task& task, Ref<mm::AddressSpace> space, u64 entry, u64 sp)
{
    auto access = TaskAccess(task);
    auto guest = TRY(space->stub().create_thread(*task.vcpu));
    if (!task.counter_is_readable) TRY(guest->set_time_stamp_counter(*task.vcpu, false));
    RefPtr<mm::AddressSpace> old = access.mm();
    if (old) rseq::release_id(task);
    access.guest() = std::move(guest);
    access.mm() = space;
    ++space->users;
    if (old && --old->users == 0) old->clear();
    if (WaitQueue* done = task.vfork_done) {
        task.vfork_done = nullptr;
        done->wake_all();
    }
    auto* regs = task.guest().registers(*task.vcpu);
    if (!regs) return err::nomem;
    *regs = {};
    regs->rip = entry, regs->rsp = sp;
    regs->cs = platform::kUserCodeSegment, regs->ss = platform::kUserDataSegment;
    regs->eflags = 0x202;
    regs->orig_rax = platform::kNoSyscall;
    task.guest().reset_fp_state(*task.vcpu);
    return {};
}

/// What a program that starts uses first is shown before it faults on it: the images around its entry and the end of its
/// stack. What cannot be shown is left to its own faults, which come to the same. May wait.
void show_start(mm::AddressSpace& space, Loaded const& loaded, u64 sp)
{
    auto const& options = space.kernel().options();
    if (!options.image_faults || options.fault_around <= kPageSize) return;
    space.fault(GuestAddr(loaded.entry), platform::Protection::execute);
    if (loaded.program_entry != loaded.entry)
        space.fault(GuestAddr(loaded.program_entry), platform::Protection::execute);
    space.fault(GuestAddr(sp), platform::Protection::write);
}

/// While it is held nobody starts to trace the process, brings filters into its threads or shares its root and working
/// directory: what the new credentials were judged by stays so until they are in place.
class ExecGuard {
public:
    ~ExecGuard() { release(); }
    void release()
    {
        auto process = std::exchange(process_, nullptr);
        if (!process) return;
        process->executing = nullptr;
        process->exec_over.wake_all();
    }
    /// Waits for another thread's. EINTR where that ends this one.
    Result<void> take(Task& task)
    {
        Process& process = task.process();
        TRY(process.exec_over.wait_until([&] { return !process.executing; }, kNever, Interruption::killable));
        process.executing = &task;
        process_ = Ref<Process>(process);
        return {};
    }

private:
    RefPtr<Process> process_;
};

} // namespace

Result<void> exec_task(Task& task, ExecRequest request)
{
    Kernel& kernel = task.kernel();
    std::string const file_name = request.name;
    TRY(check_argument_sizes(task, request));
    std::optional<Executable> executable;
    std::vector<u8> head;
    for (int depth = 0;; ++depth) {
        if (depth > kMaxInterpreters) return err::loop;
        executable.emplace(TRY(open_executable(task, request)));
        head = TRY(read_at(*executable->file, 0, kPageSize));
        if (head.size() < 2 || head[0] != '#' || head[1] != '!') break;
        head.resize(std::min<u64>(head.size(), kScriptHeader));
        TRY(apply_script(request, head));
    }
    // Not within the braces: what TRY leaves half-made there is not destroyed.
    auto image = TRY(read_elf(*executable->file, head));
    Program program { executable->file, std::move(image) };
    if (program.image.kind == ElfKind::no_program) return err::noexec;
    vfs::File& file = *program.file;
    auto interpreter = TRY(open_interpreter(task, file, program.image));

    auto space = TRY(mm::AddressSpace::create(kernel));
    space->limit_address_space = task.limit(Resource::as);
    space->limit_data = task.limit(Resource::data);
    space->limit_stack = task.limit(Resource::stack);
    space->limit_memlock = task.limit(Resource::memlock);
    if (task.has_mm() && !(task.mm().write_or_execute & mdwe_no_inherit))
        space->write_or_execute = task.mm().write_or_execute;
    if (task.has_mm()) space->dump_filter = task.mm().dump_filter;
    space->set_executable(*file.path());
    ExecGuard guard;
    TRY(guard.take(task));
    auto [credentials, secure] = TRY(credentials_after_exec(task, file));
    if (secure) task.personality &= ~personality_insecure;
    auto mapped = load_program(task, *space, program, interpreter);
    if (mapped.is_error()) {
        exit_group(task.process(), sigsegv);
        return mapped.error();
    }
    Loaded const loaded = mapped.release_value();
    TRY(mm::map_vdso(kernel, *space, *time_of_next_program(task)));
    if (request.arguments.empty()) request.arguments.emplace_back(); // as Linux since 5.18
    map_zero_page(task, *space);
    u64 sp = TRY(build_stack(task, *space, request, file_name, loaded, *credentials, secure));

    Pid const former_tid = task.tid();
    TRY(become_only_thread(task));
    tracing::drop_watchpoints(task);
    if (auto r = enter_new_program(task, space, loaded.entry, sp); r.is_error()) {
        exit_group(task.process(), sigkill);
        return r;
    }
    enter_time_for_children(task);
    reset_process(task, file_name);
    show_start(*space, loaded, sp);
    // A program that its user may not read must not be read from its memory either (Linux: would_dump()).
    bool const may_read = vfs::check_permission(task.credentials(), file.inode(), abi::r_ok).ok();
    task.set_credentials(std::move(credentials));
    task.process().dumpable = !secure && may_read;
    guard.release();
    if (secure) task.parent_death_signal = 0;
    if (task.files().ref_count() > 1) TaskAccess(task).files() = task.files().clone();
    task.files().close_on_exec(task);
    kernel.trace().task_exec(task);
    tracing::report_exec(task, former_tid);
    return {};
}

} // namespace umbra
