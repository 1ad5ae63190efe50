// SPDX-License-Identifier: GPL-2.0-or-later
// Names of the guest's error numbers, for traces and logs.
#include "core/base/error.h"

namespace umbra {

char const* errno_name(Errno e)
{
    switch (e) {
#define NAME(member, text)                                                                                   \
    case Errno::member:                                                                                      \
        return text;
        // clang-format off
        NAME(perm, "EPERM") NAME(noent, "ENOENT") NAME(srch, "ESRCH") NAME(intr, "EINTR") NAME(io, "EIO")
        NAME(nxio, "ENXIO") NAME(too_big, "E2BIG") NAME(noexec, "ENOEXEC") NAME(badf, "EBADF")
        NAME(child, "ECHILD") NAME(again, "EAGAIN") NAME(nomem, "ENOMEM") NAME(acces, "EACCES")
        NAME(fault, "EFAULT") NAME(notblk, "ENOTBLK") NAME(busy, "EBUSY") NAME(exist, "EEXIST")
        NAME(xdev, "EXDEV") NAME(nodev, "ENODEV") NAME(notdir, "ENOTDIR") NAME(isdir, "EISDIR")
        NAME(inval, "EINVAL") NAME(nfile, "ENFILE") NAME(mfile, "EMFILE") NAME(notty, "ENOTTY")
        NAME(txtbsy, "ETXTBSY") NAME(fbig, "EFBIG") NAME(nospc, "ENOSPC") NAME(spipe, "ESPIPE")
        NAME(rofs, "EROFS") NAME(mlink, "EMLINK") NAME(pipe, "EPIPE") NAME(dom, "EDOM") NAME(range, "ERANGE")
        NAME(deadlk, "EDEADLK") NAME(nametoolong, "ENAMETOOLONG") NAME(nolck, "ENOLCK") NAME(nosys, "ENOSYS")
        NAME(notempty, "ENOTEMPTY") NAME(loop, "ELOOP") NAME(nomsg, "ENOMSG") NAME(idrm, "EIDRM")
        NAME(nodata, "ENODATA") NAME(time, "ETIME") NAME(proto, "EPROTO") NAME(badmsg, "EBADMSG")
        NAME(overflow, "EOVERFLOW") NAME(badfd, "EBADFD") NAME(libacc, "ELIBACC") NAME(libbad, "ELIBBAD")
        NAME(ilseq, "EILSEQ") NAME(users, "EUSERS") NAME(notsock, "ENOTSOCK")
        NAME(destaddrreq, "EDESTADDRREQ") NAME(msgsize, "EMSGSIZE") NAME(prototype, "EPROTOTYPE")
        NAME(noprotoopt, "ENOPROTOOPT") NAME(protonosupport, "EPROTONOSUPPORT")
        NAME(socktnosupport, "ESOCKTNOSUPPORT") NAME(opnotsupp, "EOPNOTSUPP")
        NAME(pfnosupport, "EPFNOSUPPORT") NAME(afnosupport, "EAFNOSUPPORT") NAME(addrinuse, "EADDRINUSE")
        NAME(addrnotavail, "EADDRNOTAVAIL") NAME(netdown, "ENETDOWN") NAME(netunreach, "ENETUNREACH")
        NAME(connaborted, "ECONNABORTED") NAME(connreset, "ECONNRESET") NAME(nobufs, "ENOBUFS")
        NAME(isconn, "EISCONN") NAME(notconn, "ENOTCONN") NAME(toomanyrefs, "ETOOMANYREFS") NAME(timedout, "ETIMEDOUT")
        NAME(connrefused, "ECONNREFUSED") NAME(hostunreach, "EHOSTUNREACH") NAME(already, "EALREADY")
        NAME(inprogress, "EINPROGRESS") NAME(stale, "ESTALE") NAME(dquot, "EDQUOT")
        NAME(canceled, "ECANCELED") NAME(ownerdead, "EOWNERDEAD") NAME(notrecoverable, "ENOTRECOVERABLE")
        NAME(restart_sys, "ERESTARTSYS") NAME(restart_nointr, "ERESTARTNOINTR")
        NAME(restart_nohand, "ERESTARTNOHAND") NAME(restart_block, "ERESTART_RESTARTBLOCK")
        // clang-format on
#undef NAME
    }
    return "E?";
}

} // namespace umbra
