// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Which build new mounts of a type use.

use crate::builds::Build;
use crate::failure::{Failure, Result};
use crate::host::{Host, write};
use std::io::ErrorKind;

/// Makes new mounts use `build`; its name where that changed anything.
pub(crate) fn build(host: &Host, build: &Build) -> Result<Option<String>> {
    if build.preferred {
        return Ok(None);
    }
    let path = host.bentofs().join("prefer");
    match write(&path, &build.module) {
        Ok(()) => Ok(Some(build.module.clone())),
        // An older bentofs, where the build that is loaded first stays.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::io(path.display(), &error)),
    }
}
