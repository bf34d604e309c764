// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Who uses a device or image: mounts and loop devices.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// Where the device or image `path` is mounted, or which loop device it is attached to; as the
/// end of a sentence that begins with its name.
pub(crate) fn of(path: &Path) -> Option<String> {
    let meta = fs::metadata(path).ok()?;
    if meta.file_type().is_block_device() {
        return mount_point(meta.rdev()).map(|at| format!("is mounted on {at}"));
    }
    loop_device(&fs::canonicalize(path).ok()?).map(|device| format!("is attached to /dev/{device}"))
}

/// Looks up the numbers of the device in `/proc/self/mountinfo` (`proc(5)`): the third field is
/// `major:minor`, the fifth the mount point.
fn mount_point(device: u64) -> Option<String> {
    let wanted = format!(
        "{}:{}",
        rustix::fs::major(device),
        rustix::fs::minor(device)
    );
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mut fields = mounts.lines().map(|line| line.split(' ').skip(2));
    fields.find_map(|mut line| {
        (line.next()? == wanted)
            .then(|| line.nth(1))?
            .map(Into::into)
    })
}

fn loop_device(image: &Path) -> Option<String> {
    let devices = fs::read_dir("/sys/block").ok()?.flatten();
    let mut attached = devices.filter(|device| {
        let backing = fs::read_to_string(device.path().join("loop/backing_file"));
        backing.is_ok_and(|file| file.trim_end_matches('\n') == image.as_os_str())
    });
    attached
        .next()
        .map(|device| device.file_name().to_string_lossy().into_owned())
}
