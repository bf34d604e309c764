// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Mounts the file system `hello` through FUSE until it is unmounted:
//! `cargo run -p bento-fuse --example hello DIR`.
#![forbid(unsafe_code)]

use bento::{MountOptions, NoDevice};
use bento_fuse::{Host, Settings, serve};
use core::time::Duration;
use hello::Hello;
use std::io;
use std::path::PathBuf;

fn main() -> io::Result<()> {
    let Some(dir) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return Err(io::Error::other("say where to mount: hello DIR"));
    };
    let options = MountOptions::DEFAULT;
    let host = Host::<Hello>::mount(NoDevice, &options)
        .map_err(|error| io::Error::other(format!("hello did not mount: {error:?}")))?;
    let settings = Settings {
        source: "hello".into(),
        subtype: "hello".into(),
        read_only: false,
        allow_other: false,
        commit: Duration::from_secs(5),
        flags: Vec::new(),
    };
    let mounted = serve(host, &dir, &settings)?;
    println!("hello is mounted on {}; umount ends it", dir.display());
    mounted.wait()
}
