// SPDX-License-Identifier: GPL-2.0-only
//! The functions of `.eh_frame` in the order of their addresses, for a binary search.
//!
//! Made once when the module is loaded, in memory that the linker script sets aside, so that
//! nothing is allocated and nothing needs to be freed.

use super::frame::{self, Function, Unreadable};

/// One function.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its first byte of code, relative to the table.
    start: i32,
    /// The offset of its record.
    record: u32,
}

/// `address` relative to the table, or `None` where it is more than 2 GiB away, which the code
/// model of kernel modules excludes.
fn relative(table: &[u8], address: usize) -> Option<i32> {
    let distance = address.wrapping_sub(table.as_ptr().addr()).cast_signed();
    i32::try_from(distance).ok()
}

/// Fills `room` with an entry per function of `table` and sorts them; returns how many there are.
///
/// # Errors
/// A record cannot be read, or there are more functions than room.
pub(super) fn build(table: &[u8], room: &mut [Entry]) -> Result<usize, Unreadable> {
    let mut used = 0usize;
    let mut offset = 0;
    while let Some(record) = frame::record(table, offset)? {
        if let Some(function) = record.function {
            let entry = room.get_mut(used).ok_or(Unreadable)?;
            entry.start = relative(table, function.start).ok_or(Unreadable)?;
            entry.record = u32::try_from(offset).map_err(|_| Unreadable)?;
            used = used.saturating_add(1);
        }
        offset = record.next;
    }
    let entries = room.get_mut(..used).ok_or(Unreadable)?;
    entries.sort_unstable_by_key(|entry| entry.start);
    Ok(used)
}

/// The function that the byte at `address` belongs to.
pub(super) fn find<'a>(table: &'a [u8], index: &[Entry], address: usize) -> Option<Function<'a>> {
    let wanted = relative(table, address)?;
    let behind = index.partition_point(|entry| entry.start <= wanted);
    let entry = index.get(behind.checked_sub(1)?)?;
    let offset = usize::try_from(entry.record).ok()?;
    let function = frame::record(table, offset).ok()??.function?;
    (function.start..function.end)
        .contains(&address)
        .then_some(function)
}
