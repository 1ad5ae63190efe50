// SPDX-License-Identifier: GPL-2.0-or-later
// An intrusive doubly linked list: a member node links an object into a list without allocation.
#pragma once

#include "core/base/panic.h"

namespace umbra {

/// A link in a list. Unlinks itself when destroyed.
struct ListNode {
    ListNode* prev = nullptr;
    ListNode* next = nullptr;

    ListNode() = default;
    ListNode(ListNode const&) = delete;
    ListNode& operator=(ListNode const&) = delete;
    ~ListNode() { unlink(); }

    bool is_linked() const { return next != nullptr; }
    void unlink()
    {
        if (!next) return;
        prev->next = next;
        next->prev = prev;
        prev = next = nullptr;
    }
};

/// A list of T linked through `Base`, an empty-tag ListNode base class of T: `struct T : ListNode`.
/// For several lists on one object, derive from several tagged nodes: `struct T : TaggedNode<A>, TaggedNode<B>`.
template <typename Tag> struct TaggedNode : ListNode {
};

template <typename T, typename Node = ListNode> class List {
public:
    List() { head_.prev = head_.next = &head_; }
    List(List const&) = delete;
    List& operator=(List const&) = delete;
    ~List()
    {
        while (!is_empty())
            head_.next->unlink();
        head_.prev = head_.next = nullptr;
    }

    bool is_empty() const { return head_.next == &head_; }
    void push_back(T& item) { insert_before(head_, item); }
    void push_front(T& item) { insert_before(*head_.next, item); }
    void insert_before(ListNode& at, T& item)
    {
        ListNode& n = static_cast<Node&>(item);
        UMBRA_ASSERT(!n.is_linked());
        n.prev = at.prev;
        n.next = &at;
        at.prev->next = &n;
        at.prev = &n;
    }
    T* front() const { return is_empty() ? nullptr : to_item(head_.next); }
    T* back() const { return is_empty() ? nullptr : to_item(head_.prev); }
    T* pop_front()
    {
        T* item = front();
        if (item) static_cast<Node*>(item)->unlink();
        return item;
    }

    class Iterator {
    public:
        explicit Iterator(ListNode* n)
            : n_(n)
            , next_(n->next)
        {
        }
        T& operator*() const { return *to_item(n_); }
        T* operator->() const { return to_item(n_); }
        /// The element just visited may have been unlinked: the next one was noted before.
        Iterator& operator++()
        {
            n_ = next_;
            next_ = n_->next;
            return *this;
        }
        bool operator==(Iterator const& o) const { return n_ == o.n_; }

    private:
        ListNode* n_;
        ListNode* next_;
    };
    Iterator begin() const { return Iterator(head_.next); }
    Iterator end() const { return Iterator(const_cast<ListNode*>(&head_)); }

private:
    static T* to_item(ListNode* n) { return static_cast<T*>(static_cast<Node*>(n)); }
    ListNode head_;
};

} // namespace umbra
