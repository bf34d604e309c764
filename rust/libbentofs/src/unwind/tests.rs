// SPDX-License-Identifier: GPL-2.0-only
//! The unwinder on the tables of this very test program, against what others make of them: the
//! linker (its own index of `.eh_frame`) and libgcc (its walk up the same stack).

use super::index::Entry;
use super::lsda::{Action, action};
use super::{Registers, Row, Stack, Tables, frame, index};
use core::ffi::{c_int, c_void};
use core::hint::black_box;
use std::sync::OnceLock;
use std::vec::Vec;

unsafe extern "C" {
    /// The ELF header of the program, in memory; defined by the linker.
    static __ehdr_start: u8;
}

/// This program: its tables, and the index that the linker made, as addresses of functions.
struct Program {
    tables: Tables<'static>,
    functions: Vec<usize>,
}

fn bytes(address: usize, len: usize) -> &'static [u8] {
    let start = core::ptr::with_exposed_provenance(address);
    // SAFETY: callers pass ranges of read-only segments, which stay mapped.
    unsafe { core::slice::from_raw_parts(start, len) }
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    *bytes[at..].first_chunk().expect("inside")
}

/// Address and size of the segments of a type (ELF-64, program header).
fn segments(wanted: u32) -> impl Iterator<Item = (usize, usize)> {
    let base = (&raw const __ehdr_start).expose_provenance();
    let header = bytes(base, 64);
    let table = usize::from_le_bytes(number(header, 32));
    let count = usize::from(u16::from_le_bytes(number(header, 56)));
    (0..count).filter_map(move |entry| {
        let entry = bytes(base + table + entry * 56, 56);
        let kind = u32::from_le_bytes(number(entry, 0));
        let start = base + usize::from_le_bytes(number(entry, 16));
        (kind == wanted).then_some((start, usize::from_le_bytes(number(entry, 40))))
    })
}

fn program() -> &'static Program {
    const LOAD: u32 = 1;
    const EH_FRAME: u32 = 0x6474_e550;
    static PROGRAM: OnceLock<Program> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let (header, len) = segments(EH_FRAME).next().expect("the program can unwind");
        let head = bytes(header, len);
        assert_eq!(head[..4], [1, 0x1b, 0x03, 0x3b], "as all linkers make it");
        let signed = |at| i32::from_le_bytes(number(head, at)) as isize;
        let table = header.wrapping_add_signed(4 + signed(4));
        let count = u32::from_le_bytes(number(head, 8)) as usize;
        let function = |n: usize| header.wrapping_add_signed(signed(12 + 8 * n));
        let (start, len) = segments(LOAD)
            .find(|(start, len)| (*start..start + len).contains(&table))
            .expect("the table is mapped");
        let frames = bytes(table, start + len - table);
        let index = std::vec![Entry::default(); count].leak();
        let used = index::build(frames, index).expect("enough room, all readable");
        Program {
            tables: Tables {
                frames,
                index: &index[..used],
                lsda: bytes(start, len),
            },
            functions: (0..count).map(function).collect(),
        }
    })
}

#[test]
fn the_index_is_the_linkers() {
    let Program { tables, functions } = program();
    assert!(functions.len() > 1000, "{} functions", functions.len());
    assert_eq!(tables.index.len(), functions.len());
    for start in functions {
        let found = index::find(tables.frames, tables.index, *start).expect("listed");
        assert_eq!(found.start, *start);
        let last = index::find(tables.frames, tables.index, found.end - 1).expect("listed");
        assert_eq!(last.start, *start);
        let behind = index::find(tables.frames, tables.index, found.end);
        assert!(behind.is_none_or(|next| next.start == found.end));
    }
}

#[test]
fn too_little_room_and_cut_tables_are_refused() {
    let Program { tables, functions } = program();
    let mut room = std::vec![Entry::default(); functions.len()];
    let short = functions.len() - 1;
    assert_eq!(
        index::build(tables.frames, &mut room[..short]),
        Err(frame::Unreadable)
    );
    for cut in 1..200 {
        let used = index::build(&tables.frames[..cut], &mut room);
        assert!(
            used.is_err() || used.is_ok_and(|used| used < 20),
            "cut at {cut}"
        );
    }
}

#[test]
fn every_function_can_be_left_from_everywhere() {
    let Program { tables, functions } = program();
    let mut unreadable = 0;
    for start in functions {
        let function = index::find(tables.frames, tables.index, *start).expect("listed");
        for address in [*start, (start + function.end) / 2, function.end - 1] {
            unreadable += usize::from(Row::at(&function, address).is_none());
        }
    }
    // The entry of the program, and stubs of the C library that use expressions.
    assert!(unreadable < 20, "{unreadable} places");
}

#[test]
fn landing_pads_lie_in_their_functions() {
    let Program { tables, functions } = program();
    let (mut cleanups, mut catches, mut terminates) = (0, 0, 0);
    for start in functions {
        let function = index::find(tables.frames, tables.index, *start).expect("listed");
        for address in (function.start..function.end).step_by(3) {
            let pad = match action(tables.lsda, &function, address).expect("readable") {
                Action::Continue | Action::Forbidden => continue,
                Action::Cleanup(pad) => {
                    cleanups += 1;
                    pad
                }
                Action::Catch(pad) => {
                    catches += 1;
                    pad
                }
                Action::Terminate(pad) => {
                    terminates += 1;
                    pad
                }
            };
            assert!((function.start..function.end).contains(&pad));
        }
    }
    assert!(cleanups > 1000 && catches > 0 && terminates > 0);
}

/// The registers of this function at its end, so that one step leads to the caller's.
#[inline(never)]
fn capture() -> (Registers, Stack) {
    let mut registers = Registers::default();
    // SAFETY: writes registers to a struct that is large enough.
    unsafe {
        core::arch::asm!(
            "mov [{to} + 24], rbx",
            "mov [{to} + 48], rbp",
            "mov [{to} + 56], rsp",
            "mov [{to} + 96], r12",
            "mov [{to} + 104], r13",
            "mov [{to} + 112], r14",
            "mov [{to} + 120], r15",
            "lea {here}, [rip]",
            "mov [{to} + 128], {here}",
            to = in(reg) registers.0.as_mut_ptr(),
            here = out(reg) _,
        );
    }
    let low = registers.0[Registers::STACK];
    // INVARIANT: the frames of a test need less than that, and only frames are read.
    let stack = Stack {
        low,
        high: low + (256 << 10),
    };
    let frame = program().tables.frame(&registers).expect("this function");
    stack
        .leave(&frame.row, &mut registers)
        .expect("to the caller");
    (registers, stack)
}

/// Address and stack pointer of each frame above the caller, as our tables have it.
#[inline(never)]
fn our_walk() -> Vec<(usize, usize)> {
    let (mut registers, stack) = capture();
    let mut frames = Vec::new();
    while let Some(frame) = program().tables.frame(&registers)
        && stack.leave(&frame.row, &mut registers).is_some()
    {
        frames.push((
            registers.0[Registers::RETURN],
            registers.0[Registers::STACK],
        ));
    }
    frames
}

// libgcc, which is part of every program that can unwind.
unsafe extern "C-unwind" {
    fn _Unwind_Backtrace(
        see: extern "C" fn(*mut c_void, *mut c_void) -> c_int,
        argument: *mut c_void,
    ) -> c_int;
    fn _Unwind_GetIP(context: *mut c_void) -> usize;
    fn _Unwind_GetCFA(context: *mut c_void) -> usize;
}

/// Notes one frame: address and stack pointer.
extern "C" fn see(context: *mut c_void, frames: *mut c_void) -> c_int {
    // SAFETY: libgcc passes its context.
    let address = unsafe { _Unwind_GetIP(context) };
    // SAFETY: as above.
    let stack = unsafe { _Unwind_GetCFA(context) };
    // SAFETY: the argument of the call below.
    unsafe { &mut *frames.cast::<Vec<(usize, usize)>>() }.push((address, stack));
    0
}

/// The same by libgcc.
#[inline(never)]
fn their_walk() -> Vec<(usize, usize)> {
    let mut frames = Vec::new();
    // SAFETY: `see` takes the argument for what it is.
    unsafe { _Unwind_Backtrace(see, (&raw mut frames).cast()) };
    // The first is this function.
    frames.split_off(1)
}

/// Frames of some variety: closures, callbacks of the library, values to drop.
#[inline(never)]
fn deep(levels: usize, check: &dyn Fn()) {
    let values = std::vec![levels; levels];
    if levels == 0 {
        check();
    } else if levels.is_multiple_of(3) {
        (0..1).for_each(|_| deep(levels - 1, check));
    } else if levels.is_multiple_of(2) {
        let mut order = std::vec![2, 1];
        order.sort_by(|a, b| {
            deep(levels - 1, check);
            a.cmp(b)
        });
    } else {
        deep(levels - 1, check);
    }
    black_box(&values);
}

#[test]
fn the_walk_up_the_stack_is_libgccs() {
    deep(12, &|| {
        let (ours, theirs) = (our_walk(), their_walk());
        assert!(ours.len() > 20, "{} frames", ours.len());
        // Theirs goes on into the C library, which has tables of its own. The first frame is
        // this closure, at one call and at the other.
        assert_eq!(ours[0].1, theirs[0].1);
        assert_eq!(ours[1..], theirs[1..ours.len()]);
    });
}

/// Something to drop: an obstacle on the way.
struct Value;

impl Drop for Value {
    fn drop(&mut self) {
        black_box(());
    }
}

#[test]
fn destructors_come_first_and_forced_unwinding_skips_them() {
    #[inline(never)]
    fn inner() -> (Registers, Stack) {
        let _value = black_box(Value);
        let (registers, stack) = capture();
        let tables = &program().tables;
        assert!(tables.is_caught(&registers, &stack));
        let frame = tables.frame(&registers).expect("this function");
        let Action::Cleanup(pad) = frame.action else {
            panic!("no destructor in {:?}", frame.action);
        };
        let mut next = registers;
        tables.next_pad(&mut next, &stack, false).expect("a pad");
        assert_eq!(next.0[Registers::RETURN], pad);
        assert_eq!(next.0[Registers::STACK], registers.0[Registers::STACK]);
        (registers, stack)
    }
    let caught = std::panic::catch_unwind(|| {
        let (registers, stack) = inner();
        let mut forced = registers;
        let tables = &program().tables;
        tables.next_pad(&mut forced, &stack, true).expect("a catch");
        assert!(forced.0[Registers::STACK] > registers.0[Registers::STACK]);
        let pad = forced.0[Registers::RETURN];
        let catcher = index::find(tables.frames, tables.index, pad).expect("listed");
        assert_eq!(forced.0[Registers::RAX], 1);
        catcher.lsda
    });
    assert_ne!(caught.expect("no panic"), 0);
}

#[test]
fn a_stack_that_leads_nowhere_is_not_followed() {
    let (registers, stack) = capture();
    let tables = &program().tables;
    let nowhere = Stack {
        low: stack.low,
        high: stack.low + 8,
    };
    assert!(!tables.is_caught(&registers, &nowhere));
    let mut lost = registers;
    lost.0[Registers::RETURN] = 42;
    assert!(!tables.is_caught(&lost, &stack));
    assert!(tables.next_pad(&mut lost, &stack, false).is_none());
}
