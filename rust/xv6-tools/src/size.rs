// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Sizes on the command line: `512M`, `10G`.

/// A size in bytes, with an optional unit of 1024: K, M, G or T.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.char_indices().next_back() {
        Some((end, unit)) if !unit.is_ascii_digit() => {
            let shift = match unit.to_ascii_uppercase() {
                'K' => 10,
                'M' => 20,
                'G' => 30,
                'T' => 40,
                _ => return Err(format!("unknown unit '{unit}' (use K, M, G or T)")),
            };
            (text.get(..end).unwrap_or_default(), shift)
        }
        _ => (text, 0),
    };
    let number: u64 = digits.parse().map_err(|_| "not a number".to_owned())?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| "too large".to_owned())
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn units_are_powers_of_1024_and_nonsense_is_refused() {
        assert_eq!(parse("4096"), Ok(4096));
        assert_eq!(parse("3k"), Ok(3072));
        assert_eq!(parse("2T"), Ok(2 << 40));
        for bad in ["", "G", "1X", "-1", "1.5G", "99999999T", "1\u{b5}"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
