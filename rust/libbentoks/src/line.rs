// SPDX-License-Identifier: GPL-2.0-only
//! A line of text on the stack, for the kernel log: what does not fit is cut off.

use core::fmt;

/// A line of at most `N` bytes.
///
/// # Invariants
/// `used <= N`.
pub(crate) struct Line<const N: usize> {
    bytes: [u8; N],
    used: usize,
}

impl<const N: usize> Line<N> {
    pub(crate) const fn new() -> Self {
        Self {
            bytes: [0; N],
            used: 0,
        }
    }

    /// The text so far. A character at the very end may be cut in two.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or_default()
    }
}

impl<const N: usize> fmt::Write for Line<N> {
    /// Never fails. Control characters, with which a name on a damaged disk could forge a line of
    /// the log, become `?`; a line break becomes a space.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let space = self.bytes.get_mut(self.used..).unwrap_or_default();
        for (to, from) in space.iter_mut().zip(text.bytes()) {
            *to = match from {
                b'\n' => b' ',
                0..0x20 | 0x7f => b'?',
                other => other,
            };
            self.used += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Line;
    use core::fmt::Write;

    #[test]
    fn text_is_cut_at_the_end_and_cleaned() {
        let mut line = Line::<16>::new();
        write!(line, "a\nb\x1b[1m{}", 12345).expect("never fails");
        assert_eq!(line.as_bytes(), b"a b?[1m12345");
        write!(line, "6789 too long").expect("never fails");
        assert_eq!(line.as_bytes(), b"a b?[1m123456789");
    }
}
