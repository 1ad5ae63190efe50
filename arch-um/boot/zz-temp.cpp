#include "core/task/process.h"
#include "core/tty/session.h"
#include "core/tty/tty-registry.h"

namespace umbra::tty { struct TtyRegistry::State {}; TtyRegistry::TtyRegistry() {} TtyRegistry::~TtyRegistry() {} void session_leader_exits(Process&) {} }
#include "core/kernel.h"
#include "core/syscall/syscall.h"
#include "core/trace/trace.h"
namespace umbra::boot {
struct Dbg final : TraceObserver {
    void syscall_enter(Task& t, i64 n, u64 const a[6]) override { auto e = syscall_entry(n); fprintf(stderr, "[%d] %s(%lx %lx %lx %lx %lx %lx)\n", t.tid().value, e ? e->name : "?", a[0], a[1], a[2], a[3], a[4], a[5]); }
    void syscall_exit(Task& t, i64 n, u64 const*, SyscallResult const& r) override { auto e = syscall_entry(n); fprintf(stderr, "[%d] %s = %ld %s\n", t.tid().value, e ? e->name : "?", r.ok() ? r.value() : 0, r.ok() ? "" : errno_name(r.error())); }
    void fault(Task& t, GuestAddr a, platform::Protection p) override { fprintf(stderr, "[%d] fault %lx %d rip %lx\n", t.tid().value, a.value, int(p), 0ul); }
    void signal(Task& t, abi::SigInfo const& i) override { fprintf(stderr, "[%d] signal %d code %d addr %lx\n", t.tid().value, i.signo, i.code, i.fault.address); }
};
void attach_debug(Kernel& k) { static Dbg d; if (getenv("UMBRA_DEBUG")) k.trace().attach(d); }
}
