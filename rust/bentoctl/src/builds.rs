// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The registered builds: `/sys/fs/bentofs/types`.

use crate::failure::{Failure, Kind, Result};
use crate::host::{Host, lines, read};
use serde::Serialize;

/// Which state schemas a build writes and reads at an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Schemas {
    pub(crate) writes: u32,
    pub(crate) reads_min: u32,
    pub(crate) reads_max: u32,
}

/// A build of a file system that is loaded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Build {
    #[serde(rename = "type")]
    pub(crate) fs: String,
    pub(crate) version: String,
    pub(crate) module: String,
    /// New mounts of the type use it.
    pub(crate) preferred: bool,
    pub(crate) state_schema: Option<Schemas>,
}

/// All builds, in the order in which they were loaded.
pub(crate) fn all(host: &Host) -> Result<Vec<Build>> {
    host.require_bentofs()?;
    let path = host.bentofs().join("types");
    lines(&path, &read(&path)?, parse)
}

/// A line is `type version module *|- schema=W reads=MIN-MAX`; words that are not known are
/// skipped, for there may be more of them one day.
fn parse(line: &str) -> Option<Build> {
    let mut words = line.split_whitespace();
    let mut build = Build {
        fs: words.next()?.to_owned(),
        version: words.next()?.to_owned(),
        module: words.next()?.to_owned(),
        preferred: false,
        state_schema: None,
    };
    let (mut writes, mut reads) = (None, None);
    for word in words {
        if word == "*" {
            build.preferred = true;
        } else if let Some(number) = word.strip_prefix("schema=") {
            writes = Some(number.parse().ok()?);
        } else if let Some(range) = word.strip_prefix("reads=") {
            let (min, max) = range.split_once('-')?;
            reads = Some((min.parse().ok()?, max.parse().ok()?));
        }
    }
    if let (Some(writes), Some((reads_min, reads_max))) = (writes, reads) {
        build.state_schema = Some(Schemas {
            writes,
            reads_min,
            reads_max,
        });
    }
    Some(build)
}

/// The build that `name` means: a module, or a version that one build alone has.
pub(crate) fn find<'a>(builds: &'a [Build], name: &str) -> Result<Option<&'a Build>> {
    let wanted = module_name(name);
    if let Some(build) = builds.iter().find(|build| build.module == wanted) {
        return Ok(Some(build));
    }
    let mut named = builds.iter().filter(|build| build.version == name);
    match (named.next(), named.next()) {
        (Some(first), Some(second)) => {
            let text = format!(
                "{} and {} both have version {name}; name the module",
                first.module, second.module
            );
            Err(Failure::new(Kind::NotFound, text))
        }
        (found, _) => Ok(found),
    }
}

/// The kernel writes the names of modules with underscores only.
pub(crate) fn module_name(name: &str) -> String {
    name.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::{Schemas, find, parse};

    #[test]
    fn lines_of_all_versions_are_read() {
        let old = parse("xv6 0.1.0 bento_xv6_0_1_0_718ed89d *").expect("a build");
        assert!(old.preferred && old.state_schema.is_none());
        let new = parse("xv6 0.1.1 bento_xv6_0_1_1_0a1b2c3d - schema=2 reads=1-2 later=7");
        let new = new.expect("a build");
        assert!(!new.preferred);
        let schemas = Schemas {
            writes: 2,
            reads_min: 1,
            reads_max: 2,
        };
        assert_eq!(new.state_schema, Some(schemas));
        assert_eq!(parse("xv6 0.1.1"), None);
        assert_eq!(parse("xv6 1 m - schema=x reads=1-2"), None);
    }

    #[test]
    fn a_version_of_two_builds_names_neither() {
        let line = |text| parse(text).expect("a build");
        let builds = [line("xv6 1.0 a *"), line("xv6 1.0 b"), line("xv6 1.1 c_d")];
        assert_eq!(find(&builds, "b").expect("found"), builds.get(1));
        assert_eq!(find(&builds, "c-d").expect("found"), builds.get(2));
        assert_eq!(find(&builds, "1.1").expect("found"), builds.get(2));
        assert_eq!(find(&builds, "2.0").expect("none"), None);
        let error = find(&builds, "1.0").expect_err("two");
        assert_eq!(
            error.message,
            "a and b both have version 1.0; name the module"
        );
    }
}
