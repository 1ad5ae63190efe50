// SPDX-License-Identifier: GPL-2.0-or-later
// Plugs an instance together: probe, backend, kernel, first process; runs it; gives the status back.
#include "arch-um/boot/compose.h"

#include <algorithm>
#include <cstdio>

#include "arch-um/boot/backend-choice.h"
#include "arch-um/boot/first-process.h"
#include "arch-um/boot/network.h"
#include "arch-um/boot/outputs.h"
#include "arch-um/boot/panic.h"
#include "arch-um/boot/terminal.h"
#include "arch-um/common/make-platform.h"
#include "arch-um/common/um-platform.h"
#include "arch-um/x86-64/signal-frame.h"
#include "core/fs/tmpfs/tmpfs.h"
#include "core/kernel.h"
#include "core/printk/printk.h"
#include "core/task/lifecycle.h"
#include "core/task/namespaces.h"
#include "core/task/scheduler.h"
#include "drivers-virtual/host-io.h"
#include "hostabi/probe.h"
#include "hostabi/process.h"
#include "hostabi/task-room.h"

namespace umbra::boot {

namespace {

int fail(std::string const& message)
{
    std::fprintf(stderr, "umbra: %s\n", message.c_str());
    return kExitUmbraError;
}

int give_up(Outputs& outputs, std::string const& message)
{
    outputs.detach();
    return fail(message);
}

/// The ring of the vCPU that holds the kernel lock: drivers run under it.
class KernelHostIo final : public drivers::HostIo {
public:
    KernelHostIo(Kernel& kernel, um::UmPlatform& platform)
        : kernel_(kernel)
        , platform_(platform)
    {
    }
    hostabi::Ring& ring() override { return platform_.ring(kernel_.scheduler().active().index()); }
    void cancel(hostabi::Ring& ring, hostabi::Completion& request) override
    {
        if (&ring == &this->ring()) return ring.cancel(request);
        for (unsigned i = 0; i < platform_.vcpu_count(); ++i)
            if (&platform_.ring(i) == &ring)
                kernel_.scheduler().vcpu(i).run_soon([&ring, &request] { ring.cancel(request); });
    }

private:
    Kernel& kernel_;
    um::UmPlatform& platform_;
};

/// Half of what the host has left at most: the rest is for others, and for what the kernel itself needs.
u64 max_guest_tasks()
{
    u64 const least = 16, most = KernelOptions().max_tasks;
    return std::clamp(hostabi::room_for_tasks() / 2, least, most);
}

KernelOptions kernel_options_of(RunOptions const& options)
{
    KernelOptions kernel;
    kernel.memory_limit = options.memory;
    kernel.fault_around = options.fault_around;
    kernel.image_faults = options.image_faults;
    kernel.patched_calls = options.patched_calls;
    kernel.quiet = options.quiet;
    kernel.max_tasks = max_guest_tasks();
    if (!options.hostname.empty()) kernel.hostname = options.hostname;
    return kernel;
}

/// Each vCPU's thread needs its own: the main thread has one.
void give_panic_stacks(Kernel& kernel, unsigned vcpus)
{
    for (unsigned i = 1; i < vcpus; ++i)
        kernel.scheduler().vcpu(i).run_soon(install_panic_stack);
}

void report(std::string const& problem)
{
    if (!problem.empty()) std::fprintf(stderr, "umbra: %s\n", problem.c_str());
}

} // namespace

int run_instance(RunOptions const& options)
{
    u32 const closed = hostabi::process::reserve_standard_descriptors();
    Outputs outputs;
    std::string problem = outputs.open(options);
    if (!problem.empty()) return fail(problem);
    auto host = hostabi::HostFeatures::probe_quick();
    if (options.backend == BackendChoice::ptrace) host.probe_ptrace();
    auto decision = decide_backend(host, options.backend);
    if (decision.backend == BackendChoice::automatic) return fail(decision.refusal);
    hostabi::process::raise_descriptor_limit();
    bool ptrace = decision.backend == BackendChoice::ptrace;
    if (ptrace && options.cpus > 1)
        return fail("--cpus " + std::to_string(options.cpus)
            + ": the ptrace backend runs one CPU only; use --cpus 1 or --backend seccomp");
    auto wanted = um::PlatformOptions::for_host(host);
    wanted.backend = ptrace ? um::Backend::ptrace : um::Backend::seccomp;
    auto faults = decide_fault_path(host, decision.backend, options.fault_path);
    if (faults.path == FaultPathChoice::automatic) return fail(faults.refusal);
    wanted.userfault = faults.path == FaultPathChoice::userfaultfd;
    wanted.vcpus = ptrace ? 1 : options.cpus ? options.cpus : host.cpu_count();
    Terminal terminal(closed); // blocks signals: before the platform starts threads
    auto platform = um::make_platform(wanted, problem);
    if (!platform) return fail(problem);

    // Never deleted: its memory goes with the process, and taking it apart object by object would only delay the exit.
    Kernel& kernel = *new Kernel(*platform, kernel_options_of(options));
    kernel.set_signal_frames(x86::make_signal_frames());
    outputs.attach(kernel, options);
    KernelHostIo io(kernel, *platform);
    terminal.connect(kernel, io);
    kernel.printk().info("umbra: %s backend, faults by %s, %u CPUs, %llu MiB", backend_name(decision.backend),
        fault_path_name(faults.path), wanted.vcpus, static_cast<unsigned long long>(options.memory >> 20));

    auto network = make_network(kernel, io, options, problem);
    if (!problem.empty()) return give_up(outputs, problem);
    outputs.capture(*kernel.first_namespaces().network);
    // Empty, until the first process has mounted the real root: mounting may wait, so it needs a task.
    auto mounts = vfs::make_first_mount_namespace(kernel);
    vfs::Path root { mounts->root(), mounts->root()->root() };
    auto init = create_init(kernel,
        { .root = root,
            .cwd = root,
            .mounts = mounts,
            .credentials = make_ref<Credentials>(kernel.first_user_namespace),
            .start = [&](Task& task) { run_first_process(task, io, terminal, network, options, problem); } });
    if (init.is_error()) return give_up(outputs, "no memory for the first process");
    wake_task(*init.value());
    outputs.start(kernel, platform->ring(0));
    give_panic_stacks(kernel, wanted.vcpus);
    kernel.scheduler().run();
    terminal.finish();
    outputs.detach();
    report(problem);
    return kernel.exit_status();
}

} // namespace umbra::boot
