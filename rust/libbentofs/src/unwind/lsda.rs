// SPDX-License-Identifier: GPL-2.0-only
//! What to do in a function when a call in it unwinds (`.gcc_except_table`, the language-specific
//! data area; format: `GCC: Exception Frames`, as LLVM's `ExceptionDemo` documents it).

use super::frame::Function;
use super::reader::{Encoding, Reader};

/// What the call site asks for. Pads are addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Nothing: unwind through.
    Continue,
    /// Run destructors, then resume.
    Cleanup(usize),
    /// A guard: the panic ends here.
    Catch(usize),
    /// The edge of code that must not unwind: the pad panics without unwinding.
    Terminate(usize),
    /// The call is not in the table: it must not unwind, and there is no pad.
    Forbidden,
}

/// The action of `function` at the call before `address`; `None` where its table, which must lie
/// in `area`, cannot be read.
pub(super) fn action(area: &[u8], function: &Function<'_>, address: usize) -> Option<Action> {
    if function.lsda == 0 {
        return Some(Action::Continue);
    }
    let offset = function.lsda.checked_sub(area.as_ptr().addr())?;
    let mut reader = Reader::new(area.get(offset..)?);
    let base = match Encoding(reader.u8()?) {
        Encoding::OMIT => function.start,
        other => reader.encoded(other)?,
    };
    if Encoding(reader.u8()?) != Encoding::OMIT {
        // Where the types are that a catch can name: Rust names none.
        reader.uleb()?;
    }
    let encoding = Encoding(reader.u8()?);
    let len = reader.size()?;
    let mut sites = reader.part(len)?;
    let actions = reader;
    while !sites.is_empty() {
        let start = function.start.checked_add(sites.encoded(encoding)?)?;
        let end = start.checked_add(sites.encoded(encoding)?)?;
        let (pad, first) = (sites.encoded(encoding)?, sites.size()?);
        // Sorted by address.
        if address < start {
            break;
        }
        if address < end {
            return of_site(base, pad, first, actions);
        }
    }
    Some(Action::Forbidden)
}

fn of_site(base: usize, pad: usize, first: usize, mut actions: Reader<'_>) -> Option<Action> {
    if pad == 0 {
        return Some(Action::Continue);
    }
    let pad = base.checked_add(pad)?;
    let Some(skip) = first.checked_sub(1) else {
        return Some(Action::Cleanup(pad));
    };
    actions.skip(skip)?;
    Some(match actions.sleb()? {
        0 => Action::Cleanup(pad),
        1.. => Action::Catch(pad),
        _ => Action::Terminate(pad),
    })
}
