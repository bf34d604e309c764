// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A process that has things open, and checks them when told.
//!
//! It holds what an upgrade or a repair of the file system below must not disturb: a file open for
//! reading and writing, a shared mapping of a file, a file that was unlinked after it was opened,
//! and its working directory. It listens on a Unix socket (outside of that file system) for one
//! line per connection: `verify` or `stop`.

use crate::mmap::SharedMap;
use crate::stamp::{Stamp, difference};
use anyhow::{Context, bail, ensure};
use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// The size of each file that is held.
const SIZE: usize = 40_000;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Make files in DIR, which must not exist, hold them, and listen on SOCKET until stopped
    Start { dir: PathBuf, socket: PathBuf },
    /// Tell the holder at SOCKET to check everything it holds
    Verify { socket: PathBuf },
    /// Tell the holder at SOCKET to check everything a last time and to end
    Stop { socket: PathBuf },
}

pub(crate) fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Start { dir, socket } => serve(&dir, &socket),
        Command::Verify { socket } => ask(&socket, "verify"),
        Command::Stop { socket } => ask(&socket, "stop"),
    }
}

fn ask(socket: &Path, question: &str) -> anyhow::Result<()> {
    let mut stream = UnixStream::connect(socket)
        .with_context(|| format!("no holder listens on {}", socket.display()))?;
    writeln!(stream, "{question}")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(
        answer.starts_with("ok"),
        "the holder says: {}",
        answer.trim()
    );
    print!("hold: {answer}");
    Ok(())
}

fn serve(dir: &Path, socket: &Path) -> anyhow::Result<()> {
    // Before the working directory changes: the path may be relative.
    let listener = UnixListener::bind(socket)
        .with_context(|| format!("cannot listen on {}", socket.display()))?;
    let mut held = Held::new(dir)?;
    println!("hold: ready");
    for stream in listener.incoming() {
        let mut stream = stream?;
        let mut question = String::new();
        BufReader::new(&stream).read_line(&mut question)?;
        match held.verify() {
            Ok(text) => writeln!(stream, "ok: {text}")?,
            Err(error) => writeln!(stream, "wrong: {error:#}")?,
        }
        if question.trim() == "stop" {
            break;
        }
    }
    drop(fs::remove_file(socket));
    Ok(())
}

struct Held {
    dir: PathBuf,
    open: File,
    mapped: File,
    map: SharedMap,
    unlinked: File,
    /// Inode numbers of the three files and the directory.
    inodes: [u64; 4],
    /// Number of the last verification; also the generation of the content.
    round: u16,
}

const OPEN: u16 = 1;
const MAPPED: u16 = 2;
const UNLINKED: u16 = 3;

impl Held {
    fn new(dir: &Path) -> anyhow::Result<Self> {
        fs::create_dir(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let dir = fs::canonicalize(dir)?;
        env::set_current_dir(&dir)?;
        let open = file("open", OPEN)?;
        let mapped = file("mapped", MAPPED)?;
        let unlinked = file("unlinked", UNLINKED)?;
        fs::remove_file("unlinked")?;
        let map = SharedMap::new(&mapped, 0, SIZE)?;
        let inodes = [
            open.metadata()?.ino(),
            mapped.metadata()?.ino(),
            unlinked.metadata()?.ino(),
            fs::metadata(".")?.ino(),
        ];
        Ok(Self {
            dir,
            open,
            mapped,
            map,
            unlinked,
            inodes,
            round: 0,
        })
    }

    /// Checks what is held, then changes all of it, so that the next check sees new content.
    fn verify(&mut self) -> anyhow::Result<String> {
        self.identity()?;
        self.content(self.round).context("old content")?;
        self.round += 1;
        self.change()?;
        self.content(self.round).context("new content")?;
        Ok(format!(
            "open file, mmap, unlinked file and working directory kept (check {})",
            self.round
        ))
    }

    fn identity(&self) -> anyhow::Result<()> {
        let cwd = env::current_dir().context("the working directory is gone")?;
        ensure!(
            cwd == self.dir,
            "the working directory is {}",
            cwd.display()
        );
        let here = fs::metadata(".").context("stat of the working directory")?;
        let now = [
            self.open.metadata().context("fstat of the open file")?,
            self.mapped.metadata().context("fstat of the mapped file")?,
            self.unlinked
                .metadata()
                .context("fstat of the unlinked file")?,
            here,
        ];
        for ((meta, links), inode) in now.iter().zip([1, 1, 0]).zip(self.inodes) {
            ensure!(
                (meta.nlink(), meta.ino(), meta.len()) == (links, inode, SIZE as u64),
                "inode {} has {} links and {} bytes, expected inode {inode}, {links}, {SIZE}",
                meta.ino(),
                meta.nlink(),
                meta.len()
            );
        }
        ensure!(
            now[3].ino() == self.inodes[3],
            "the working directory has another inode"
        );
        let mut names: Vec<_> = fs::read_dir(".")?
            .map(|entry| Ok(entry?.file_name()))
            .collect::<std::io::Result<_>>()?;
        names.sort();
        ensure!(
            names == ["mapped", "open"],
            "the working directory has {names:?}"
        );
        Ok(())
    }

    fn content(&self, generation: u16) -> anyhow::Result<()> {
        let mut buf = vec![0; SIZE];
        for (file, id) in [
            (&self.open, OPEN),
            (&self.mapped, MAPPED),
            (&self.unlinked, UNLINKED),
        ] {
            file.read_exact_at(&mut buf, 0)
                .with_context(|| format!("read of file {id}"))?;
            same(&buf, Stamp { id, generation })?;
        }
        self.map.read(0, &mut buf);
        same(
            &buf,
            Stamp {
                id: MAPPED,
                generation,
            },
        )
        .context("through the mapping")?;
        // By name, relative to the working directory: a new open of the same inode.
        let mut named = Vec::new();
        File::open("open")?.read_to_end(&mut named)?;
        same(
            &named,
            Stamp {
                id: OPEN,
                generation,
            },
        )
        .context("by name")
    }

    fn change(&self) -> anyhow::Result<()> {
        let generation = self.round;
        let bytes = |id| Stamp { id, generation }.bytes(0, SIZE);
        self.open
            .write_all_at(&bytes(OPEN), 0)
            .context("write to the open file")?;
        self.open.sync_all().context("fsync of the open file")?;
        self.unlinked
            .write_all_at(&bytes(UNLINKED), 0)
            .context("write to the unlinked file")?;
        self.map.write(0, &bytes(MAPPED));
        self.map.sync().context("msync")?;
        // Names can be made and removed in the working directory.
        fs::create_dir("new").context("mkdir")?;
        fs::remove_dir("new").context("rmdir")
    }
}

/// A new file in the working directory with the content of generation 0.
fn file(name: &str, id: u16) -> anyhow::Result<File> {
    let mut options = OpenOptions::new();
    let file = options.read(true).write(true).create_new(true).open(name)?;
    file.write_all_at(&Stamp { id, generation: 0 }.bytes(0, SIZE), 0)?;
    Ok(file)
}

fn same(got: &[u8], stamp: Stamp) -> anyhow::Result<()> {
    match difference(got, &stamp.bytes(0, SIZE), 0) {
        Some(text) => bail!("{text}"),
        None => Ok(()),
    }
}
