// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `/proc/self/mountinfo`: where a device is mounted. See `proc_pid_mountinfo(5)`.

use crate::failure::{Failure, Result};
use crate::host::Host;
use std::fs;

/// One line of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// `major:minor` of the super block.
    pub(crate) dev: String,
    pub(crate) point: String,
    /// What was mounted: a device as a rule.
    pub(crate) source: String,
}

pub(crate) fn all(host: &Host) -> Result<Vec<Entry>> {
    let path = host.proc("self/mountinfo");
    let bytes = fs::read(&path).map_err(|error| Failure::io(path.display(), &error))?;
    Ok(bytes
        .split(|byte| *byte == b'\n')
        .filter_map(parse)
        .collect())
}

/// Fields: id, parent, dev, root, mount point, options, optional fields, `-`, type, source.
fn parse(line: &[u8]) -> Option<Entry> {
    let mut fields = line.split(|byte| *byte == b' ');
    let dev = String::from_utf8(fields.nth(2)?.to_vec()).ok()?;
    let point = unescape(fields.nth(1)?);
    let source = fields.skip_while(|field| *field != b"-").nth(2)?;
    Some(Entry {
        dev,
        point,
        source: unescape(source),
    })
}

/// Blanks, tabs, newlines and backslashes are written as three octal digits.
fn unescape(field: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((byte, behind)) = rest.split_first() {
        match octal(rest) {
            Some((value, behind)) => {
                bytes.push(value);
                rest = behind;
            }
            None => {
                bytes.push(*byte);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn octal(text: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, behind) = text.strip_prefix(b"\\")?.split_at_checked(3)?;
    let digits = core::str::from_utf8(digits).ok()?;
    Some((u8::from_str_radix(digits, 8).ok()?, behind))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn mount_points_with_blanks_are_read() {
        let line = br"36 35 254:16 / /mnt/my\040disk\134 rw shared:1 master:2 - xv6 /dev/vdb rw";
        let entry = parse(line).expect("a line");
        assert_eq!(entry.dev, "254:16");
        assert_eq!(entry.point, r"/mnt/my disk\");
        assert_eq!(entry.source, "/dev/vdb");
        assert_eq!(parse(b""), None);
        assert_eq!(parse(b"36 35 254:16 / /mnt rw"), None);
    }
}
