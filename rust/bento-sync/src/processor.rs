// SPDX-License-Identifier: GPL-2.0-only
//! What the processor can do that portable Rust has no words for: the CRC-32C instruction.
//!
//! It works on general registers, so the kernel may use it anywhere: no floating-point state has
//! to be saved for it. (Intel SDM, volume 2, `CRC32`; part of SSE4.2, in every x86-64 processor
//! since 2011.)

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod x86 {
    use core::arch::asm;
    use core::arch::x86_64::__cpuid;
    use core::sync::atomic::{AtomicU8, Ordering};

    const UNKNOWN: u8 = 0;
    const MISSING: u8 = 1;
    const PRESENT: u8 = 2;
    /// `cpuid` is slow, in a virtual machine very slow: it is asked once.
    static INSTRUCTION: AtomicU8 = AtomicU8::new(UNKNOWN);
    /// Of `cpuid` leaf 1, register ECX: SSE4.2.
    const SSE4_2: u32 = 1 << 20;

    #[inline]
    pub(super) fn present() -> bool {
        match INSTRUCTION.load(Ordering::Relaxed) {
            UNKNOWN => ask(),
            known => known == PRESENT,
        }
    }

    #[cold]
    fn ask() -> bool {
        let present = __cpuid(1).ecx & SSE4_2 != 0;
        let found = if present { PRESENT } else { MISSING };
        INSTRUCTION.store(found, Ordering::Relaxed);
        present
    }

    /// One step over eight bytes. The upper half of the register is zero before and after.
    ///
    /// # Safety
    /// The processor has the instruction ([`present`]).
    #[inline(always)]
    pub(super) unsafe fn eight(register: u64, bytes: u64) -> u64 {
        let mut register = register;
        // SAFETY: the caller says that the processor has the instruction; it changes nothing but
        // its first operand, no flags either.
        unsafe {
            asm!("crc32 {0}, {1}", inout(reg) register, in(reg) bytes,
                options(pure, nomem, nostack, preserves_flags));
        }
        register
    }

    /// One step over one byte.
    ///
    /// # Safety
    /// As [`eight`].
    #[inline(always)]
    pub(super) unsafe fn one(register: u64, byte: u8) -> u64 {
        let mut register = register;
        // SAFETY: as in `eight`.
        unsafe {
            asm!("crc32 {0}, {1}", inout(reg) register, in(reg_byte) byte,
                options(pure, nomem, nostack, preserves_flags));
        }
        register
    }
}

/// Continues the register of a CRC-32C over `bytes`; `None` where the processor has no
/// instruction for it.
///
/// The register is the checksum before its final inversion. May be called anywhere.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[must_use]
pub fn crc32c(register: u32, bytes: &[u8]) -> Option<u32> {
    if !x86::present() {
        return None;
    }
    let (blocks, rest) = bytes.as_chunks::<32>();
    let (words, rest) = rest.as_chunks::<8>();
    let mut register = u64::from(register);
    for block in blocks {
        for word in block.as_chunks::<8>().0 {
            // SAFETY: the instruction is present, see above.
            register = unsafe { x86::eight(register, u64::from_le_bytes(*word)) };
        }
    }
    for word in words {
        // SAFETY: the instruction is present, see above.
        register = unsafe { x86::eight(register, u64::from_le_bytes(*word)) };
    }
    for byte in rest {
        // SAFETY: the instruction is present, see above.
        register = unsafe { x86::one(register, *byte) };
    }
    u32::try_from(register).ok()
}

/// As [`crc32c`] over the eight bytes of a little-endian number.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline]
#[must_use]
pub fn crc32c_word(register: u32, word: u64) -> Option<u32> {
    if !x86::present() {
        return None;
    }
    // SAFETY: the instruction is present, see above.
    u32::try_from(unsafe { x86::eight(register.into(), word) }).ok()
}

/// This processor has no instruction for it.
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
#[must_use]
pub fn crc32c_word(_register: u32, _word: u64) -> Option<u32> {
    None
}

/// This processor has no instruction for it.
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
#[must_use]
pub fn crc32c(_register: u32, _bytes: &[u8]) -> Option<u32> {
    None
}

#[cfg(all(test, target_arch = "x86_64", not(miri)))]
mod tests {
    use super::{crc32c, crc32c_word};
    use std::vec::Vec;

    /// One bit at a time, as RFC 3720 defines it.
    fn slowly(register: u32, bytes: &[u8]) -> u32 {
        bytes.iter().fold(register, |register, byte| {
            (0..8).fold(register ^ u32::from(*byte), |r, _| {
                (r >> 1) ^ (0x82f6_3b78 * (r & 1))
            })
        })
    }

    #[test]
    fn the_instruction_does_what_the_definition_says() {
        if crc32c(0, &[]).is_none() {
            std::println!("skipped: this processor has no SSE4.2");
            return;
        }
        let text: Vec<u8> = (0..=255).map(|n: u8| n.wrapping_mul(91) ^ 0x3c).collect();
        for len in 0..text.len() {
            for start in [0, 1, 7] {
                let bytes = text.get(start..len).unwrap_or_default();
                let expected = Some(slowly(0xdead_beef, bytes));
                assert_eq!(crc32c(0xdead_beef, bytes), expected, "{start}..{len}");
                if let Ok(word) = bytes.try_into().map(u64::from_le_bytes) {
                    assert_eq!(crc32c_word(0xdead_beef, word), expected);
                }
            }
        }
    }
}
