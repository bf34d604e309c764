// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The open files of a mount whose file system wants to know about them.

use bento::FileEvent;
use fuser::FileHandle;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What has been told of each open file. Without such a file system it stays empty, and all
/// handles are 0.
#[derive(Debug, Default)]
pub(super) struct Opened(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    next: u64,
    files: HashMap<u64, Told>,
}

#[derive(Debug, Default)]
struct Told {
    read: bool,
    written: bool,
}

impl Opened {
    fn table(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self) -> FileHandle {
        let mut table = self.table();
        table.next += 1;
        let handle = table.next;
        table.files.insert(handle, Told::default());
        FileHandle(handle)
    }

    /// Whether this is the first such event of the file.
    pub(super) fn is_first(&self, handle: FileHandle, event: FileEvent) -> bool {
        let mut table = self.table();
        let Some(file) = table.files.get_mut(&handle.0) else {
            return false;
        };
        let told = match event {
            FileEvent::FirstRead => &mut file.read,
            FileEvent::FirstWrite => &mut file.written,
            FileEvent::Open | FileEvent::Release => return true,
        };
        !core::mem::replace(told, true)
    }

    pub(super) fn remove(&self, handle: FileHandle) {
        self.table().files.remove(&handle.0);
    }
}

#[cfg(test)]
mod tests {
    use super::Opened;
    use bento::FileEvent::{FirstRead, FirstWrite};

    #[test]
    fn each_open_file_has_one_first_read_and_write() {
        let opened = Opened::default();
        let (a, b) = (opened.add(), opened.add());
        assert_ne!(a, b);
        assert!(opened.is_first(a, FirstRead));
        assert!(!opened.is_first(a, FirstRead));
        assert!(opened.is_first(a, FirstWrite));
        assert!(opened.is_first(b, FirstRead));
        opened.remove(a);
        assert!(!opened.is_first(a, FirstWrite), "nothing is known of it");
    }
}
