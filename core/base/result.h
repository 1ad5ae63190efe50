// SPDX-License-Identifier: GPL-2.0-or-later
// Errors are values (law 7). `Result<T>` carries a T or a guest errno; `TRY` returns early with the error.
// The host's errors are another type (hostabi/host-result.h) built on the same template: they do not mix.
#pragma once

#include <cstdlib>
#include <new>
#include <type_traits>
#include <utility>

#include "core/base/panic.h"
#include "core/base/types.h"

namespace umbra {

/// An error number of type `E` on its way to becoming an Expected. Made by `fail(e)`.
template <typename E> struct Failure {
    E error;
};
template <typename E> Failure(E) -> Failure<E>;

/// A value of type T or an error of type E. T may be void or a reference-free type.
template <typename T, typename E> class [[nodiscard]] Expected {
public:
    using Value = T;
    using Error = E;

    Expected(T value)
        : ok_(true)
    {
        new (&value_) T(std::move(value));
    }
    // clang-format 14 does not know requires-clauses.
    // clang-format off
    template <typename U>
        requires(std::is_convertible_v<U &&, T> && !std::is_same_v<std::remove_cvref_t<U>, T>
            && !std::is_same_v<std::remove_cvref_t<U>, E> && !std::is_same_v<std::remove_cvref_t<U>, Failure<E>>)
    Expected(U&& value)
        : ok_(true)
    {
        new (&value_) T(std::forward<U>(value));
    }
    // clang-format on
    Expected(Failure<E> f)
        : error_(f.error)
        , ok_(false)
    {
    }
    // clang-format off
    Expected(E e)
        requires(!std::is_same_v<T, E>)
        : error_(e)
        , ok_(false)
    {
    }
    // clang-format on
    Expected(Expected&& o) noexcept
        : ok_(o.ok_)
    {
        if (ok_)
            new (&value_) T(std::move(o.value_));
        else
            error_ = o.error_;
    }
    Expected(Expected const& o)
        : ok_(o.ok_)
    {
        if (ok_)
            new (&value_) T(o.value_);
        else
            error_ = o.error_;
    }
    Expected& operator=(Expected o) noexcept
    {
        this->~Expected();
        return *new (this) Expected(std::move(o));
    }
    ~Expected()
    {
        if (ok_) value_.~T();
    }

    bool ok() const { return ok_; }
    bool is_error() const { return !ok_; }
    E error() const { return error_; }
    T& value() &
    {
        UMBRA_ASSERT(ok_);
        return value_;
    }
    T const& value() const&
    {
        UMBRA_ASSERT(ok_);
        return value_;
    }
    T&& value() &&
    {
        UMBRA_ASSERT(ok_);
        return std::move(value_);
    }
    T&& release_value() { return std::move(*this).value(); }
    T value_or(T fallback) const { return ok_ ? value_ : fallback; }

private:
    union {
        T value_;
        E error_;
    };
    bool ok_;
};

template <typename E> class [[nodiscard]] Expected<void, E> {
public:
    using Value = void;
    using Error = E;

    Expected() = default;
    Expected(Failure<E> f)
        : error_(f.error)
        , ok_(false)
    {
    }
    Expected(E e)
        : error_(e)
        , ok_(false)
    {
    }

    bool ok() const { return ok_; }
    bool is_error() const { return !ok_; }
    E error() const { return error_; }
    void value() const { UMBRA_ASSERT(ok_); }
    void release_value() const { UMBRA_ASSERT(ok_); }

private:
    E error_ {};
    bool ok_ = true;
};

#define UMBRA_CONCAT_AGAIN(a, b) a##b
#define UMBRA_CONCAT(a, b) UMBRA_CONCAT_AGAIN(a, b)

/// Evaluates to the value of `expr`, or returns its error from the enclosing function. Nests: each use has its own name.
#define TRY(expr) UMBRA_TRY(UMBRA_CONCAT(try_result_, __COUNTER__), expr)
#define UMBRA_TRY(name, expr)                                                                                \
    ({                                                                                                       \
        auto&& name = (expr);                                                                                \
        if (name.is_error()) [[unlikely]]                                                                    \
            return ::umbra::Failure { name.error() };                                                        \
        std::move(name).release_value();                                                                     \
    })

/// Evaluates to the value of `expr`; an error is a broken invariant and panics. The use carries its proof.
#define MUST(expr) UMBRA_MUST(UMBRA_CONCAT(must_result_, __COUNTER__), expr)
#define UMBRA_MUST(name, expr)                                                                               \
    ({                                                                                                       \
        auto&& name = (expr);                                                                                \
        if (name.is_error()) [[unlikely]]                                                                    \
            ::umbra::panic("MUST failed: %s: error %d", #expr, static_cast<int>(name.error()));              \
        std::move(name).release_value();                                                                     \
    })

} // namespace umbra
