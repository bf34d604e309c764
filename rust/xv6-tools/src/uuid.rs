// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! UUIDs (RFC 9562).

use std::fs::File;
use std::io::{self, Read};

/// The places of the hyphens in the text form.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// A random UUID (version 4).
pub(crate) fn random() -> io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    Ok(bytes)
}

/// Reads the usual text form.
pub(crate) fn parse(text: &str) -> Result<[u8; 16], String> {
    let error = || "not a UUID (xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx)".to_owned();
    let hyphens = text
        .char_indices()
        .filter(|(_, c)| *c == '-')
        .map(|(at, _)| at);
    if !hyphens.eq(HYPHENS) {
        return Err(error());
    }
    let digits = text.replace('-', "");
    if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(error());
    }
    let number = u128::from_str_radix(&digits, 16).map_err(|_| error())?;
    Ok(number.to_be_bytes())
}

/// The usual text form.
pub(crate) fn format(uuid: [u8; 16]) -> String {
    let mut text = format!("{:032x}", u128::from_be_bytes(uuid));
    HYPHENS.iter().for_each(|at| text.insert(*at, '-'));
    text
}

#[cfg(test)]
mod tests {
    use super::{format, parse, random};

    #[test]
    fn text_and_bytes_agree_and_nonsense_is_refused() {
        let text = "01234567-89ab-cdef-0123-456789abcdef";
        let uuid = parse(text).expect("well-formed");
        assert_eq!((uuid[0], uuid[15]), (0x01, 0xef));
        assert_eq!(format(uuid), text);
        let random = random().expect("urandom");
        assert_eq!(parse(&format(random)), Ok(random));
        assert_eq!((random[6] >> 4, random[8] >> 6), (4, 2));
        let bad = [
            "",
            "0123456789abcdef0123456789abcdef",
            "+1234567-89ab-cdef-0123-456789abcdef",
        ];
        for bad in bad {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
