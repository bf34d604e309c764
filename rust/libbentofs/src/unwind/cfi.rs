// SPDX-License-Identifier: GPL-2.0-only
//! Where a function keeps its caller's registers (DWARF 5, 6.4: call frame information).

use super::Registers;
use super::frame::Function;
use super::reader::Reader;

/// How to leave a function at one of its addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The canonical frame address (the stack pointer before the call) is this register ...
    base: usize,
    /// ... plus this.
    offset: i64,
    /// Bit n: register n lies on the stack, at the frame address plus `at[n]`.
    saved: u32,
    at: [i32; Registers::COUNT],
    /// Bytes of arguments on the stack at this call.
    pub(super) arguments: usize,
}

/// How many states a function may remember at once; LLVM uses one.
const REMEMBERED: usize = 2;

impl Row {
    /// The row of `function` at the instruction before `address`.
    pub(super) fn at(function: &Function<'_>, address: usize) -> Option<Self> {
        let mut row = Self {
            base: 0,
            offset: 0,
            saved: 0,
            at: [0; Registers::COUNT],
            arguments: 0,
        };
        row.run(function, function.common, usize::MAX, None)?;
        let initial = row;
        row.run(function, function.own, address, Some(&initial))?;
        let complete = row.base < Registers::COUNT && row.is_saved(Registers::RETURN);
        complete.then_some(row)
    }

    const fn is_saved(&self, register: usize) -> bool {
        self.saved >> register & 1 != 0
    }

    /// The stack pointer of the caller, given the registers of the callee.
    pub(super) fn frame_address(&self, registers: &Registers) -> Option<usize> {
        let base = registers.get(self.base)?;
        base.checked_add_signed(isize::try_from(self.offset).ok()?)
    }

    /// Which registers lie where, relative to the frame address.
    pub(super) fn saved(&self) -> impl Iterator<Item = (usize, isize)> {
        let places = self.at.iter().enumerate();
        places.filter_map(|(register, at)| {
            let at = isize::try_from(*at).ok()?;
            self.is_saved(register).then_some((register, at))
        })
    }

    fn save(&mut self, register: usize, factored: i64, function: &Function<'_>) -> Option<()> {
        let offset = factored.checked_mul(function.data_align)?;
        *self.at.get_mut(register)? = i32::try_from(offset).ok()?;
        self.saved |= 1 << register;
        Some(())
    }

    /// The register is as `initial` says, or unchanged.
    fn restore(&mut self, register: usize, initial: Option<&Self>) -> Option<()> {
        let at = *initial?.at.get(register)?;
        *self.at.get_mut(register)? = at;
        self.saved &= !(1 << register);
        self.saved |= initial?.saved & 1 << register;
        Some(())
    }

    fn forget(&mut self, register: usize) -> Option<()> {
        (register < Registers::COUNT).then(|| self.saved &= !(1 << register))
    }

    /// Runs instructions up to those that take effect behind `address`. `None` for one that LLVM
    /// does not make for our code (expressions, other registers).
    fn run(
        &mut self,
        function: &Function<'_>,
        mut code: Reader<'_>,
        address: usize,
        initial: Option<&Self>,
    ) -> Option<()> {
        let mut location = function.start;
        let mut remembered = [*self; REMEMBERED];
        let mut depth = 0usize;
        while !code.is_empty() {
            let byte = code.u8()?;
            let low = byte & 0x3f;
            let advance = match (byte >> 6, low) {
                (1, delta) => u64::from(delta),
                (2, register) => {
                    let offset = code.uleb()?.cast_signed();
                    self.save(usize::from(register), offset, function)?;
                    continue;
                }
                (3, register) => {
                    self.restore(usize::from(register), initial)?;
                    continue;
                }
                (_, 0x02) => u64::from(code.u8()?),
                (_, 0x03) => u64::from(code.u16()?),
                (_, 0x04) => u64::from(code.u32()?),
                (_, 0x0a) => {
                    *remembered.get_mut(depth)? = *self;
                    depth = depth.checked_add(1)?;
                    continue;
                }
                (_, 0x0b) => {
                    depth = depth.checked_sub(1)?;
                    let arguments = self.arguments;
                    *self = *remembered.get(depth)?;
                    self.arguments = arguments;
                    continue;
                }
                (_, operation) => {
                    self.operate(operation, &mut code, function, initial)?;
                    continue;
                }
            };
            let delta = usize::try_from(advance.checked_mul(function.code_align)?).ok()?;
            location = location.checked_add(delta)?;
            if location > address {
                break;
            }
        }
        Some(())
    }

    /// One instruction that neither moves on nor remembers.
    fn operate(
        &mut self,
        operation: u8,
        code: &mut Reader<'_>,
        function: &Function<'_>,
        initial: Option<&Self>,
    ) -> Option<()> {
        match operation {
            // nop
            0x00 => {}
            // offset_extended
            0x05 => {
                let (register, offset) = (code.size()?, code.uleb()?.cast_signed());
                self.save(register, offset, function)?;
            }
            // restore_extended
            0x06 => self.restore(code.size()?, initial)?,
            // undefined, same_value
            0x07 | 0x08 => self.forget(code.size()?)?,
            // def_cfa
            0x0c => {
                self.base = code.size()?;
                self.offset = code.uleb()?.cast_signed();
            }
            // def_cfa_register
            0x0d => self.base = code.size()?,
            // def_cfa_offset
            0x0e => self.offset = code.uleb()?.cast_signed(),
            // GNU_args_size
            0x2e => self.arguments = code.size()?,
            _ => return None,
        }
        Some(())
    }
}
