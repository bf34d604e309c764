// SPDX-License-Identifier: GPL-2.0-only
//! The records of `.eh_frame` (Linux Standard Base, chapter 10.6): one per function.

use super::reader::{Encoding, Reader};

/// What the table says about one function.
#[derive(Clone, Copy)]
pub(super) struct Function<'a> {
    /// Address of the first byte of code.
    pub(super) start: usize,
    /// Address behind the last byte of code.
    pub(super) end: usize,
    /// Address of its call-site table; 0 where it needs none.
    pub(super) lsda: usize,
    /// Instructions that hold at its first byte, from the common record.
    pub(super) common: Reader<'a>,
    /// Instructions that follow the code.
    pub(super) own: Reader<'a>,
    /// Unit of code addresses in the instructions.
    pub(super) code_align: u64,
    /// Unit of stack offsets in the instructions.
    pub(super) data_align: i64,
}

/// One record, and where the next begins.
pub(super) struct Record<'a> {
    /// `None` for a common record (CIE).
    pub(super) function: Option<Function<'a>>,
    /// Offset of the next record.
    pub(super) next: usize,
}

/// What functions share.
struct Common<'a> {
    instructions: Reader<'a>,
    code_align: u64,
    data_align: i64,
    augmented: bool,
    lsda: Encoding,
    address: Encoding,
}

/// The record at `offset` of the table; `Ok(None)` at its end.
///
/// # Errors
/// `Err(Unreadable)` for a record that is cut short or of a kind that is never made for our code.
pub(super) fn record(table: &[u8], offset: usize) -> Result<Option<Record<'_>>, Unreadable> {
    let mut reader = Reader::new(table.get(offset..).ok_or(Unreadable)?);
    if reader.is_empty() {
        return Ok(None);
    }
    let len = reader.u32().ok_or(Unreadable)?;
    match len {
        0 => Ok(None),
        // The 64-bit format.
        u32::MAX => Err(Unreadable),
        _ => body(table, offset, reader, len).map(Some).ok_or(Unreadable),
    }
}

/// A record that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

fn body<'a>(table: &'a [u8], offset: usize, at: Reader<'a>, len: u32) -> Option<Record<'a>> {
    let mut rest = at;
    let mut reader = rest.part(usize::try_from(len).ok()?)?;
    let next = table.len().checked_sub(rest.left())?;
    // A function names its common record by the distance from this very field.
    let distance = usize::try_from(reader.u32()?).ok()?;
    if distance == 0 {
        return Some(Record {
            function: None,
            next,
        });
    }
    let common = common(table, offset.checked_add(4)?.checked_sub(distance)?)?;
    let start = reader.encoded(common.address)?;
    let size = reader.encoded(common.address.format_only())?;
    let mut lsda = 0;
    if common.augmented {
        let len = reader.size()?;
        let mut data = reader.part(len)?;
        if common.lsda != Encoding::OMIT {
            // A null address is written as such, not relative to its place.
            let mut peek = data;
            if peek.encoded(common.lsda.format_only())? != 0 {
                lsda = data.encoded(common.lsda)?;
            }
        }
    }
    let function = Function {
        start,
        end: start.checked_add(size)?,
        lsda,
        common: common.instructions,
        own: reader,
        code_align: common.code_align,
        data_align: common.data_align,
    };
    Some(Record {
        function: Some(function),
        next,
    })
}

fn common(table: &[u8], offset: usize) -> Option<Common<'_>> {
    let mut rest = Reader::new(table.get(offset..)?);
    let len = rest.u32()?;
    let mut reader = rest.part(usize::try_from(len).ok()?)?;
    let (id, _version) = (reader.u32()?, reader.u8()?);
    if id != 0 {
        return None;
    }
    let augmentation = reader.string()?;
    let mut common = Common {
        code_align: reader.uleb()?,
        data_align: reader.sleb()?,
        // The register of the return address: always 16.
        instructions: {
            reader.uleb()?;
            reader
        },
        augmented: false,
        lsda: Encoding::OMIT,
        address: Encoding::ABSOLUTE,
    };
    if let Some((b'z', letters)) = augmentation.split_first() {
        common.augmented = true;
        let len = reader.size()?;
        let mut data = reader.part(len)?;
        for letter in letters {
            match letter {
                b'L' => common.lsda = Encoding(data.u8()?),
                b'R' => common.address = Encoding(data.u8()?),
                // The personality routine: ours is part of the unwinder.
                b'P' => {
                    let format = Encoding(data.u8()?).format_only();
                    data.encoded(format)?;
                }
                _ => return None,
            }
        }
        common.instructions = reader;
    } else if !augmentation.is_empty() {
        return None;
    }
    Some(common)
}
