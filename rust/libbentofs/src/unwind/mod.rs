// SPDX-License-Identifier: GPL-2.0-only
//! Unwinding of Rust frames in the kernel, for the containment of panics.
//!
//! Reads the tables that the compiler makes (`.eh_frame`, `.gcc_except_table`). Allocates nothing,
//! makes no indirect call, needs about 1.5 KiB of stack, and never panics. In two phases: nothing
//! is touched before a guard that catches has been found.
//!
//! | module | what it holds |
//! |---|---|
//! | `reader` | numbers and addresses in tables |
//! | `frame` | the records of `.eh_frame`: one per function |
//! | `index` | the functions by address |
//! | `cfi` | where a function keeps its caller's registers |
//! | `lsda` | what a function does when a call in it unwinds |
//! | `kernel` | where the tables of this module lie; entry points of `unwind.S`; `catch` |
//!
//! The host has `std` to unwind; there this code is only tested, on the tables of the test program.

mod cfi;
mod frame;
mod index;
#[cfg(target_os = "none")]
mod kernel;
mod lsda;
mod reader;
#[cfg(test)]
mod tests;

#[cfg(target_os = "none")]
pub(crate) use kernel::{catch, init};

use cfi::Row;
use lsda::Action;

/// The registers of a frame, by their DWARF numbers (System V ABI for x86-64, figure 3.36): rax,
/// rdx, rcx, rbx, rsi, rdi, rbp, rsp, r8 to r15, and the address in the code. C: `unwind.S`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Registers([usize; Registers::COUNT]);

impl Registers {
    const COUNT: usize = 17;
    const RAX: usize = 0;
    const RDX: usize = 1;
    const STACK: usize = 7;
    const RETURN: usize = 16;

    fn get(&self, register: usize) -> Option<usize> {
        self.0.get(register).copied()
    }

    fn set(&mut self, register: usize, value: usize) -> Option<()> {
        *self.0.get_mut(register)? = value;
        Some(())
    }
}

/// The tables of a program, mapped where they were linked to be.
#[derive(Clone, Copy)]
struct Tables<'a> {
    frames: &'a [u8],
    index: &'a [index::Entry],
    lsda: &'a [u8],
}

/// One frame of the stack: how to leave it, and what it asks for.
struct Frame {
    row: Row,
    action: Action,
}

impl Tables<'_> {
    /// The frame that `registers` are in; `None` where the address is not in the tables.
    fn frame(&self, registers: &Registers) -> Option<Frame> {
        // The address is behind a call, which may be the last instruction of its function.
        let address = registers.get(Registers::RETURN)?.checked_sub(1)?;
        let function = index::find(self.frames, self.index, address)?;
        Some(Frame {
            row: Row::at(&function, address)?,
            action: lsda::action(self.lsda, &function, address)?,
        })
    }

    /// Phase 1: whether some frame above catches, so that unwinding may begin.
    fn is_caught(&self, registers: &Registers, stack: &Stack) -> bool {
        let mut registers = *registers;
        while let Some(frame) = self.frame(&registers) {
            match frame.action {
                Action::Catch(_) | Action::Terminate(_) => return true,
                Action::Forbidden => return false,
                Action::Continue | Action::Cleanup(_) => {}
            }
            if stack.leave(&frame.row, &mut registers).is_none() {
                return false;
            }
        }
        false
    }

    /// Phase 2: makes `registers` those of the next landing pad to enter; `None` where there is
    /// none. With `forced` only a guard will do.
    fn next_pad(&self, registers: &mut Registers, stack: &Stack, forced: bool) -> Option<()> {
        loop {
            let frame = self.frame(registers)?;
            let pad = match frame.action {
                Action::Catch(pad) => Some(pad),
                Action::Cleanup(pad) | Action::Terminate(pad) if !forced => Some(pad),
                Action::Forbidden if !forced => return None,
                _ => None,
            };
            let Some(pad) = pad else {
                stack.leave(&frame.row, registers)?;
                continue;
            };
            let top = registers.get(Registers::STACK)?;
            registers.set(Registers::STACK, top.checked_add(frame.row.arguments)?)?;
            // A pad gets the exception and the number of its type; ours carries nothing.
            registers.set(Registers::RAX, 1)?;
            registers.set(Registers::RDX, 0)?;
            return registers.set(Registers::RETURN, pad);
        }
    }
}

/// The part of the stack that may be unwound.
///
/// # Invariants
/// The bytes from `low` to `high` are mapped while the value exists.
struct Stack {
    low: usize,
    high: usize,
}

impl Stack {
    /// Goes from a frame to its caller; `None` where the tables lead out of the stack, or
    /// nowhere.
    fn leave(&self, row: &Row, registers: &mut Registers) -> Option<()> {
        let top = row.frame_address(registers)?;
        if top <= registers.get(Registers::STACK)? || top > self.high {
            return None;
        }
        for (register, offset) in row.saved() {
            registers.set(register, self.word(top.checked_add_signed(offset)?)?)?;
        }
        registers.set(Registers::STACK, top)
    }

    fn word(&self, address: usize) -> Option<usize> {
        let end = address.checked_add(size_of::<usize>())?;
        if address < self.low || end > self.high || !address.is_multiple_of(align_of::<usize>()) {
            return None;
        }
        let word = core::ptr::with_exposed_provenance::<usize>(address);
        // SAFETY: within the stack, which is mapped by the invariant, and aligned. It may be
        // changed by nobody but this thread.
        Some(unsafe { word.read_volatile() })
    }
}
