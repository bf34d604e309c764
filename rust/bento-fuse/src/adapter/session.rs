// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A mount from its beginning to its end.

use super::Adapter;
use super::opened::Opened;
use crate::{Host, HostDevice};
use bento::prelude::*;
use core::time::Duration;
use fuser::{Config, MountOption, SessionACL};
use std::io;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

/// The most threads that serve requests at the same time.
const MAX_THREADS: usize = 8;

/// How often the log of a file system that keeps one is written.
const LOG: Duration = Duration::from_millis(250);

/// How to mount.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What `mount` shows as the source.
    pub source: String,
    /// What `mount` shows behind `fuse.` as the type.
    pub subtype: String,
    /// Mount read-only.
    pub read_only: bool,
    /// Users other than the one who mounts may use the file system.
    pub allow_other: bool,
    /// How often everything is made durable: the most that a crash may lose. As in the kernel,
    /// five seconds are usual.
    pub commit: Duration,
    /// Options for the VFS: `nodev`, `noexec` and so on.
    pub flags: Vec<String>,
}

/// A running mount. Dropping it unmounts.
#[derive(Debug)]
pub struct Mounted {
    session: fuser::BackgroundSession,
    syncer: Syncer,
    result: Arc<Mutex<Option<Result>>>,
}

#[derive(Clone, Copy, Debug)]
enum Order {
    Sync,
    Stop,
}

/// Makes everything durable from time to time, and when the file system asks for it.
#[derive(Debug)]
struct Syncer {
    tell: SyncSender<Order>,
    thread: JoinHandle<()>,
}

/// Mounts `host` on the directory `at` and serves it in threads of its own.
///
/// # Errors
/// No `/dev/fuse`, no right to mount, `at` is no directory. The host is then unmounted.
pub fn serve<F>(host: Host<F>, at: &Path, settings: &Settings) -> io::Result<Mounted>
where
    F: FileSystem<Device: HostDevice>,
{
    const { assert!(F::ROOT.0 == 1, "the root of a FUSE mount is always inode 1") };
    let host = Arc::new(host);
    let result = Arc::new(Mutex::new(None));
    let adapter = Adapter {
        host: Arc::clone(&host),
        result: Arc::clone(&result),
        opened: Opened::default(),
    };
    let session = fuser::Session::new(adapter, at, &settings.config())?.spawn()?;
    Ok(Mounted {
        session,
        syncer: Syncer::start(host, settings.commit)?,
        result,
    })
}

impl Mounted {
    /// Waits until somebody unmounts, and for the last write to the image.
    ///
    /// # Errors
    /// Those of FUSE and of the last sync.
    pub fn wait(self) -> io::Result<()> {
        let served = self.session.join();
        finish(self.syncer, served, &self.result)
    }

    /// Unmounts, and waits as [`Mounted::wait`] does.
    ///
    /// # Errors
    /// As [`Mounted::wait`]; also where the mount is busy.
    pub fn unmount(self) -> io::Result<()> {
        let served = self.session.umount_and_join();
        finish(self.syncer, served, &self.result)
    }
}

/// What the adapter has left of the last sync, once nobody serves any more.
fn finish(
    syncer: Syncer,
    served: io::Result<()>,
    result: &Mutex<Option<Result>>,
) -> io::Result<()> {
    syncer.stop();
    served?;
    let last = result.lock().unwrap_or_else(PoisonError::into_inner).take();
    let last = last.unwrap_or(Err(Errno::EIO));
    last.map_err(|error| io::Error::from_raw_os_error(error.raw()))
}

impl Syncer {
    fn start<F: FileSystem<Device: HostDevice>>(
        host: Arc<Host<F>>,
        period: Duration,
    ) -> io::Result<Self> {
        let (tell, told) = sync_channel(1);
        let urge = tell.clone();
        // Where one is on its way already, that one serves.
        host.on_pressure(move || {
            let _told = urge.try_send(Order::Sync);
        });
        let thread = std::thread::Builder::new()
            .name("sync".into())
            .spawn(move || {
                let tick = if Host::<F>::RECORDS {
                    LOG.min(period)
                } else {
                    period
                };
                let mut next = Instant::now() + period;
                loop {
                    match told.recv_timeout(tick) {
                        Err(RecvTimeoutError::Timeout) if Instant::now() < next => {
                            host.flush_log();
                            continue;
                        }
                        Ok(Order::Sync) | Err(RecvTimeoutError::Timeout) => {}
                        Ok(_) | Err(RecvTimeoutError::Disconnected) => break,
                    }
                    if let Err(error) = host.sync() {
                        log::error!("the periodic commit failed: {error}");
                    }
                    next = Instant::now() + period;
                }
            })?;
        Ok(Self { tell, thread })
    }

    fn stop(self) {
        // It fails where the thread is gone, of which the next line knows more.
        let _ended = self.tell.send(Order::Stop);
        if self.thread.join().is_err() {
            log::error!("the periodic commit panicked");
        }
    }
}

impl Settings {
    fn config(&self) -> Config {
        let mut options = vec![
            MountOption::FSName(self.source.clone()),
            MountOption::CUSTOM(format!("subtype={}", self.subtype)),
            MountOption::DefaultPermissions,
        ];
        options.extend(self.read_only.then_some(MountOption::RO));
        options.extend(self.flags.iter().map(|flag| vfs_flag(flag)));
        let mut config = Config::default();
        config.mount_options = options;
        config.acl = if self.allow_other {
            SessionACL::All
        } else {
            SessionACL::Owner
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        config.n_threads = Some(cores.clamp(2, MAX_THREADS));
        config.clone_fd = true;
        config
    }
}

fn vfs_flag(flag: &str) -> MountOption {
    match flag {
        "dev" => MountOption::Dev,
        "nodev" => MountOption::NoDev,
        "suid" => MountOption::Suid,
        "nosuid" => MountOption::NoSuid,
        "exec" => MountOption::Exec,
        "noexec" => MountOption::NoExec,
        "sync" => MountOption::Sync,
        "dirsync" => MountOption::DirSync,
        other => MountOption::CUSTOM(other.into()),
    }
}
