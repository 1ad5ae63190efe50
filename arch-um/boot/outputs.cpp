// SPDX-License-Identifier: GPL-2.0-or-later
// Connecting log and trace.
#include "arch-um/boot/outputs.h"

#include <cerrno>
#include <cstring>

#include "arch-um/boot/panic.h"
#include "core/kernel.h"
#include "core/syscall/names.h"
#include "core/task/scheduler.h"

namespace umbra::boot {

namespace {
std::string open_file(char const* option, std::string const& path, std::unique_ptr<HostText>& file)
{
    if (path.empty()) return {};
    file = HostText::create(path);
    if (file) return {};
    return std::string(option) + " " + path + ": " + std::strerror(errno)
        + ": give a file that can be written";
}
} // namespace

std::string Outputs::open(RunOptions const& options)
{
    std::string problem = open_file("--log", options.log_file, log_);
    if (problem.empty() && options.strace)
        problem = open_file("--strace-output", options.strace->output, trace_);
    if (problem.empty()) problem = open_file("--stats-output", options.stats_file, stats_text_);
    if (problem.empty()) problem = open_file("--pcap", options.capture_file, packets_);
    return problem;
}

void Outputs::attach(Kernel& kernel, RunOptions const& options)
{
    kernel_ = &kernel;
    set_panic_kernel(&kernel);
    set_panic_texts({ &standard_error_, log_.get(), trace_.get() });
    Printk& log = kernel.printk();
    if (options.quiet) log.set_console_level(Printk::kConsoleLevelQuiet);
    log.set_console(&standard_error_);
    if (log_) log.set_log_file(log_.get());
    if (options.stats) stats_ = std::make_unique<trace::Stats>(kernel);
    if (!options.strace) return;
    std::vector<i64> calls;
    for (std::string const& name : options.strace->calls)
        calls.push_back(syscall_number(name));
    trace::TextSink& sink = trace_ ? *trace_ : standard_error_;
    strace_ = std::make_unique<trace::Strace>(kernel.trace(), sink, calls, options.strace->excluded);
}

void Outputs::start(Kernel& kernel, hostabi::Ring& ring)
{
    auto run_there
        = [&kernel](std::function<void()> work) { kernel.scheduler().vcpu(0).run_soon(std::move(work)); };
    for (HostText* text : { &standard_error_, log_.get(), trace_.get(), stats_text_.get(), packets_.get() })
        if (text) text->start(ring, run_there);
}

void Outputs::capture(net::NetworkNamespace& space)
{
    if (packets_) capture_ = std::make_unique<net::PacketFile>(space, *packets_);
}

void Outputs::end_capture()
{
    if (!capture_) return;
    if (u64 const lost = capture_->lost())
        kernel_->printk().warning(
            "umbra: --pcap: %llu packets are not in the file: the disk is too slow, or full",
            static_cast<unsigned long long>(lost));
    capture_.reset();
}

void Outputs::detach()
{
    end_capture();
    strace_.reset();
    if (stats_) (stats_text_ ? *stats_text_ : standard_error_).write(stats_->report());
    stats_.reset();
    set_panic_texts({});
    set_panic_kernel(nullptr);
    if (!kernel_) return;
    kernel_->printk().set_console(nullptr);
    kernel_->printk().set_log_file(nullptr);
    for (HostText* text : { &standard_error_, log_.get(), trace_.get(), stats_text_.get(), packets_.get() })
        if (text) text->finish();
    kernel_ = nullptr;
}

} // namespace umbra::boot
