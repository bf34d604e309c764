// SPDX-License-Identifier: GPL-2.0-only
//! The way into an operation, one function per signature: guard, handles, request, name.

use super::handle::borrow;
use super::{KernelFs, args};
use crate::guard::guard;
use bento::{OpSet, Request, Result};
use bento_sys::{BENTO_CX_DRAIN, bento_cx};
use core::ffi::c_int;

/// What an operation has to say when it succeeds: nothing, or a number as C takes it.
pub(super) trait Answer {
    fn number(self) -> c_int;
}

impl Answer for () {
    #[inline]
    fn number(self) -> c_int {
        0
    }
}

impl Answer for c_int {
    #[inline]
    fn number(self) -> c_int {
        self
    }
}

/// An operation of the instance `fs`.
///
/// # Safety
/// Clause fs.
#[inline]
pub(super) unsafe fn on_fs<F: KernelFs, A: Answer>(
    fs: u64,
    call: impl FnOnce(&F) -> Result<A>,
) -> c_int {
    guard(move || {
        // SAFETY: the caller's guarantee.
        let fs = unsafe { borrow::<F>(fs) };
        call(fs).map(Answer::number)
    })
}

/// An operation on a node for which it does not matter who asks.
///
/// # Safety
/// Clauses fs and node.
#[inline]
pub(super) unsafe fn on_node<F: KernelFs, A: Answer>(
    (fs, node): (u64, u64),
    call: impl FnOnce(&F, &F::Node) -> Result<A>,
) -> c_int {
    let call = |fs: &F| {
        // SAFETY: the caller's guarantee.
        let node = unsafe { borrow::<F::Node>(node) };
        call(fs, node)
    };
    // SAFETY: the caller's guarantee.
    unsafe { on_fs(fs, call) }
}

/// A request that concerns a node.
///
/// # Safety
/// Clauses cx, fs and node.
#[inline]
pub(super) unsafe fn on_request<F: KernelFs, A: Answer>(
    (cx, fs, node): (*mut bento_cx, u64, u64),
    call: impl FnOnce(&F, &Request, &F::Node) -> Result<A>,
) -> c_int {
    let call = |fs: &F, node: &F::Node| {
        // SAFETY: the caller's guarantee.
        let req = unsafe { args::request(cx) };
        let result = call(fs, &req, node);
        // SAFETY: the caller's guarantee.
        unsafe { args::ask(cx, fs.pressure()) };
        if F::OPS.contains(OpSet::LOG) && fs.wants_drain() {
            // SAFETY: the caller's guarantee; `cx` is no longer borrowed.
            unsafe { (*cx).flags |= BENTO_CX_DRAIN };
        }
        result
    };
    // SAFETY: the caller's guarantee.
    unsafe { on_node((fs, node), call) }
}

/// A request that concerns a name in a directory.
///
/// # Safety
/// Clauses cx, fs, node (the directory) and in (the name).
#[inline]
pub(super) unsafe fn on_name<F: KernelFs, A: Answer>(
    (cx, fs, dir): (*mut bento_cx, u64, u64),
    (name, len): (*const u8, u32),
    call: impl FnOnce(&F, &Request, &F::Node, &[u8]) -> Result<A>,
) -> c_int {
    let call = |fs: &F, req: &Request, dir: &F::Node| {
        // SAFETY: the caller's guarantee.
        let name = unsafe { args::name(name, len) }?;
        call(fs, req, dir, name)
    };
    // SAFETY: the caller's guarantee.
    unsafe { on_request((cx, fs, dir), call) }
}
