// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! [`Script`]: bytes as decisions. Where they end, all further decisions are 0.

/// What is left of an input.
#[derive(Clone, Copy, Debug)]
pub struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    /// All of an input.
    #[must_use]
    pub const fn new(input: &'a [u8]) -> Self {
        Self(input)
    }

    /// Nothing is left.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Up to `len` bytes.
    pub fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        self.bytes(usize::MAX)
    }

    /// A number of one byte.
    pub fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    /// Yes or no.
    pub fn coin(&mut self) -> bool {
        self.byte() & 1 == 1
    }

    /// A number of two bytes.
    pub fn short(&mut self) -> usize {
        usize::from(self.byte()) | usize::from(self.byte()) << 8
    }

    /// An index below `len`; `None` where that is 0.
    pub fn index(&mut self, len: usize) -> Option<usize> {
        let number = if len > 256 {
            self.short()
        } else {
            usize::from(self.byte())
        };
        number.checked_rem(len)
    }

    /// A place in a file: near its start mostly, and in all orders of magnitude.
    pub fn place(&mut self) -> u64 {
        let (mantissa, shift) = (self.byte(), self.byte());
        u64::from(mantissa) << (shift % 48)
    }
}

#[cfg(test)]
mod tests {
    use super::Script;

    #[test]
    fn an_empty_script_decides_nothing() {
        let mut script = Script::new(&[7, 1, 2]);
        assert_eq!((script.index(5), script.short()), (Some(2), 0x201));
        assert!(script.is_empty());
        assert_eq!(
            (script.byte(), script.index(3), script.index(0)),
            (0, Some(0), None)
        );
        assert_eq!((script.place(), script.rest()), (0, &[][..]));
    }
}
