// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The inputs that are kept: for each target a text of hexadecimal lines in `corpus/`.
//!
//! Behind an input may stand, after `#`, what it once found: such lines stay.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::{fs, io};

const HEAD: &str = "# SPDX-License-Identifier: GPL-2.0-only OR MIT\n";

/// The inputs of a target, each with what it found.
pub type Inputs = BTreeMap<Vec<u8>, String>;

fn path(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("corpus/{target}.txt"))
}

/// Reads the inputs of a target.
///
/// # Errors
/// Those of reading; `InvalidData` for a line that is not hexadecimal.
pub fn read(target: &str) -> io::Result<Inputs> {
    let text = fs::read_to_string(path(target))?;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (hex, found) = line.split_once('#').unwrap_or((line, ""));
            let bytes = decode(hex.trim()).ok_or(io::ErrorKind::InvalidData)?;
            Ok((bytes, found.trim().to_owned()))
        })
        .collect()
}

/// Writes the inputs of a target.
///
/// # Errors
/// Those of writing.
pub fn write(target: &str, inputs: &Inputs) -> io::Result<()> {
    let mut text = HEAD.to_owned();
    for (bytes, found) in inputs {
        text.extend(bytes.iter().map(|byte| format!("{byte:02x}")));
        if !found.is_empty() {
            text += &format!(" # {found}");
        }
        text.push('\n');
    }
    fs::write(path(target), text)
}

fn decode(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
