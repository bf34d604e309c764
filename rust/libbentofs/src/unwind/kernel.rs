// SPDX-License-Identifier: GPL-2.0-only
//! The unwinder of this module: its tables, its entry points, and the catching end.

use super::{Registers, Stack, Tables, index};
use core::ffi::c_int;
use core::mem::ManuallyDrop;
use core::sync::atomic::{AtomicUsize, Ordering};

unsafe extern "C" {
    // Set by prelink.lds.
    static __bento_eh_frame_start: u8;
    static __bento_eh_frame_end: u8;
    static __bento_lsda_start: u8;
    static __bento_lsda_end: u8;
    static mut __bento_eh_index_start: index::Entry;
    static mut __bento_eh_index_end: index::Entry;

    /// Loads the registers and goes on at the return address. In unwind.S.
    fn bento_unwind_install(registers: *const Registers);
}

/// Entries of the index that are in use; 0 before `init()`.
static INDEXED: AtomicUsize = AtomicUsize::new(0);

/// Size of a kernel stack on x86-64 (`THREAD_SIZE`).
const THREAD_SIZE: usize = 16 << 10;

/// The bytes between two symbols of the linker script.
///
/// # Safety
/// `start` and `end` delimit one section of this module that is never written.
unsafe fn section(start: *const u8, end: *const u8) -> &'static [u8] {
    let len = end.addr().saturating_sub(start.addr());
    // SAFETY: the caller's guarantee.
    unsafe { core::slice::from_raw_parts(start, len) }
}

fn frames() -> &'static [u8] {
    let (start, end) = (
        &raw const __bento_eh_frame_start,
        &raw const __bento_eh_frame_end,
    );
    // SAFETY: prelink.lds puts the symbols around the section.
    unsafe { section(start, end) }
}

fn tables() -> Tables<'static> {
    let (start, end) = (&raw const __bento_lsda_start, &raw const __bento_lsda_end);
    let entries = &raw const __bento_eh_index_start;
    let used = INDEXED.load(Ordering::Acquire);
    Tables {
        frames: frames(),
        // SAFETY: the first `used` entries were written by `init()`, and never change again.
        index: unsafe { core::slice::from_raw_parts(entries, used) },
        // SAFETY: prelink.lds puts the symbols around the section.
        lsda: unsafe { section(start, end) },
    }
}

/// Makes the index. Once, when the module is loaded, before any other code of it runs.
///
/// Returns 0, or `-ENOEXEC` where the module was linked in a way that cannot be unwound.
pub(crate) fn init() -> c_int {
    let (start, end) = (
        &raw mut __bento_eh_index_start,
        &raw mut __bento_eh_index_end,
    );
    let room = end.addr().saturating_sub(start.addr()) / size_of::<index::Entry>();
    // SAFETY: prelink.lds sets the zeroed memory between the symbols aside for this index; nobody
    // else refers to it, as `INDEXED` is 0.
    let room = unsafe { core::slice::from_raw_parts_mut(start, room) };
    let used = index::build(frames(), room).unwrap_or(0);
    INDEXED.store(used, Ordering::Release);
    // The unwinder must find at least itself.
    let myself = init as *const () as usize;
    if index::find(frames(), tables().index, myself).is_some() {
        return 0;
    }
    log::error!("the unwind tables of this module cannot be read: build it with kernel-module/");
    -8
}

/// The stack of a task in a leaf call, from `registers` up.
///
/// # Safety
/// `registers` are those of a live frame of this task.
unsafe fn stack(registers: &Registers) -> Stack {
    let low = registers.get(Registers::STACK).unwrap_or_default();
    // A kernel stack is aligned to its size.
    // INVARIANT: from a live frame to the end of the stack everything is mapped.
    Stack {
        low: low & !(THREAD_SIZE - 1),
        high: (low | (THREAD_SIZE - 1)) + 1,
    }
}

/// From `bento_unwind_raise()` in unwind.S. Returns only where nobody catches.
///
/// # Safety
/// `registers` are those of the caller of `bento_unwind_raise()`.
#[unsafe(no_mangle)]
unsafe extern "C" fn bento_unwind_raise_inner(registers: *mut Registers, forced: u32) {
    // SAFETY: the caller made the struct on its stack.
    let registers = unsafe { &mut *registers };
    // SAFETY: the caller's guarantee.
    let stack = unsafe { stack(registers) };
    let (tables, forced) = (tables(), forced != 0);
    if (forced || tables.is_caught(registers, &stack))
        && tables.next_pad(registers, &stack, forced).is_some()
    {
        // SAFETY: the registers are those that the landing pad expects.
        unsafe { bento_unwind_install(registers) };
    }
}

/// From `_Unwind_Resume()` in unwind.S, which landing pads call at their end. Does not return.
///
/// # Safety
/// `registers` are those of a landing pad at its call of `_Unwind_Resume()`.
#[unsafe(no_mangle)]
unsafe extern "C" fn bento_unwind_resume_inner(registers: *mut Registers) {
    // SAFETY: the caller made the struct on its stack.
    let registers = unsafe { &mut *registers };
    // SAFETY: the caller's guarantee.
    let stack = unsafe { stack(registers) };
    if tables().next_pad(registers, &stack, false).is_some() {
        // SAFETY: the registers are those that the landing pad expects.
        unsafe { bento_unwind_install(registers) };
    }
    // Phase 1 has seen a guard, so this is a bug here.
    // SAFETY: the service takes no argument; it ends this task.
    unsafe { bento_sys::bento_ks_bug() };
}

/// Called by nobody: the unwinder above does what a personality routine would.
#[lang = "eh_personality"]
extern "C" fn personality() {}

/// Calls `f`; `None` where it panicked.
#[inline]
pub(crate) fn catch<R, F: FnOnce() -> R>(f: F) -> Option<R> {
    /// The closure before the call, its result afterwards.
    union Slot<F, R> {
        closure: ManuallyDrop<F>,
        result: ManuallyDrop<R>,
    }
    #[inline]
    fn call<F: FnOnce() -> R, R>(slot: *mut u8) {
        let slot = slot.cast::<Slot<F, R>>();
        // SAFETY: `slot` is the local variable below, which nobody else uses now.
        let slot = unsafe { &mut *slot };
        // SAFETY: the closure was put there, and is taken once.
        let closure = unsafe { ManuallyDrop::take(&mut slot.closure) };
        slot.result = ManuallyDrop::new(closure());
    }
    #[cold]
    fn caught(_slot: *mut u8, _exception: *mut u8) {
        // SAFETY: the service takes no argument; this task has just stopped unwinding.
        unsafe { bento_sys::bento_ks_panic_done() };
        bento_sync::panicking::end();
    }
    let mut slot = Slot {
        closure: ManuallyDrop::new(f),
    };
    let memory = (&raw mut slot).cast::<u8>();
    // SAFETY: both functions take the slot for what it is.
    if unsafe { core::intrinsics::catch_unwind(call::<F, R>, memory, caught) } != 0 {
        return None;
    }
    // SAFETY: `call` returned, so the result is there.
    Some(ManuallyDrop::into_inner(unsafe { slot.result }))
}
