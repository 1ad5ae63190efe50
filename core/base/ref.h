// SPDX-License-Identifier: GPL-2.0-or-later
// Intrusive reference counts for shared kernel objects: Ref<T> is never null, RefPtr<T> may be.
// The count is atomic so that an object may be dropped by a vCPU that does not hold the kernel lock.
#pragma once

#include <atomic>
#include <type_traits>
#include <utility>

#include "core/base/panic.h"
#include "core/base/types.h"

namespace umbra {

/// Base of a shared object. A new object has one reference, owned by the Ref that make_ref returns.
class RefCounted {
public:
    RefCounted() = default;
    RefCounted(RefCounted const&) = delete;
    RefCounted& operator=(RefCounted const&) = delete;

    void ref() const { count_.fetch_add(1, std::memory_order_relaxed); }
    void unref() const
    {
        // acq_rel: the last owner must see every write that earlier owners made before they let go.
        if (count_.fetch_sub(1, std::memory_order_acq_rel) == 1) const_cast<RefCounted*>(this)->last_unref();
    }
    u32 ref_count() const { return count_.load(std::memory_order_relaxed); }

protected:
    virtual ~RefCounted() = default;
    /// Called when the last reference goes; deletes the object unless a cache takes it back.
    virtual void last_unref() { delete this; }

private:
    mutable std::atomic<u32> count_ { 1 };
};

enum class AdoptTag { adopt };

template <typename T> class Ref;

/// A counted pointer that may be null.
template <typename T> class RefPtr {
public:
    RefPtr() = default;
    RefPtr(std::nullptr_t) { }
    RefPtr(T* p)
        : p_(p)
    {
        if (p_) p_->ref();
    }
    RefPtr(T* p, AdoptTag)
        : p_(p)
    {
    }
    RefPtr(RefPtr const& o)
        : RefPtr(o.p_)
    {
    }
    RefPtr(RefPtr&& o) noexcept
        : p_(std::exchange(o.p_, nullptr))
    {
    }
    // clang-format 14 does not know requires-clauses.
    // clang-format off
    template <typename U>
        requires std::is_convertible_v<U*, T*>
    RefPtr(RefPtr<U> o)
        : p_(o.leak())
    {
    }
    template <typename U>
        requires std::is_convertible_v<U*, T*>
    RefPtr(Ref<U> o);
    // clang-format on
    ~RefPtr()
    {
        if (p_) p_->unref();
    }
    RefPtr& operator=(RefPtr o) noexcept
    {
        std::swap(p_, o.p_);
        return *this;
    }
    T* get() const { return p_; }
    T* operator->() const
    {
        UMBRA_ASSERT(p_);
        return p_;
    }
    T& operator*() const
    {
        UMBRA_ASSERT(p_);
        return *p_;
    }
    explicit operator bool() const { return p_ != nullptr; }
    bool operator==(RefPtr const& o) const { return p_ == o.p_; }
    bool operator==(T const* o) const { return p_ == o; }
    /// Gives up the reference without dropping it.
    [[nodiscard]] T* leak() { return std::exchange(p_, nullptr); }

private:
    T* p_ = nullptr;
};

/// A counted pointer that is never null (except after a move, when it may only be destroyed or assigned).
template <typename T> class Ref {
public:
    Ref(T& o)
        : p_(&o)
    {
        p_->ref();
    }
    Ref(T& o, AdoptTag)
        : p_(&o)
    {
    }
    Ref(Ref const& o)
        : p_(o.p_)
    {
        p_->ref();
    }
    Ref(Ref&& o) noexcept
        : p_(std::exchange(o.p_, nullptr))
    {
    }
    // clang-format off
    template <typename U>
        requires(std::is_convertible_v<U*, T*> && !std::is_same_v<U, T>)
    Ref(Ref<U> o)
        : p_(o.leak())
    {
    }
    // clang-format on
    /// From a RefPtr that is known to hold something; panics on null.
    explicit Ref(RefPtr<T> o)
        : p_(o.leak())
    {
        UMBRA_ASSERT(p_);
    }
    ~Ref()
    {
        if (p_) p_->unref();
    }
    Ref& operator=(Ref o) noexcept
    {
        std::swap(p_, o.p_);
        return *this;
    }
    T* operator->() const { return p_; }
    T& operator*() const { return *p_; }
    T* get() const { return p_; }
    template <typename U> bool operator==(Ref<U> const& o) const { return p_ == o.get(); }
    bool operator==(T const* o) const { return p_ == o; }
    [[nodiscard]] T* leak() { return std::exchange(p_, nullptr); }

private:
    T* p_;
};

// clang-format off
template <typename T>
template <typename U>
    requires std::is_convertible_v<U*, T*>
RefPtr<T>::RefPtr(Ref<U> o)
    : p_(o.leak())
{
}
// clang-format on

template <typename T, typename... Args> Ref<T> make_ref(Args&&... args)
{
    return Ref<T>(*new T(std::forward<Args>(args)...), AdoptTag::adopt);
}

} // namespace umbra
