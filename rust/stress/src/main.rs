// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `stress`: workloads that verify what a mounted file system answers.
//!
//! Each subcommand is one kind of promise that a file system makes. A subcommand exits with 0
//! only if every promise was kept, and prints what it did and what it found. Nothing here knows
//! Bento: the same program checks ext4, and the tests of this crate run it on the host.
//!
//! | module | promise |
//! |---|---|
//! | [`tree`] | files that were copied are there, byte by byte |
//! | [`hammer`] | operations answer like a model in memory, without errors and without long waits |
//! | [`fsstress`] | operations of all kinds, each answered as the model in memory says |
//! | [`coherence`] | `read`, `write`, mmap and `O_DIRECT` see one file |
//! | [`hold`] | what a process has open survives (an upgrade, a repair) |
//! | [`enospc`] | a full disk says `ENOSPC`, loses nothing, and can be emptied again |
//! | [`powercut`] | what `fsync` promised is there after a power cut |
//! | [`pause`] | one kind of operation: right answers, and how long each took |
//! | [`op`] | one operation gives the expected errno |
//! | [`bench`] | none: fixed numbers of operations, timed |
#![deny(unsafe_code)]

mod bench;
mod coherence;
mod enospc;
mod falloc;
mod fsstress;
mod hammer;
mod hold;
mod latency;
mod mmap;
mod op;
mod pause;
mod powercut;
mod rng;
mod stamp;
mod tree;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(
    name = "stress",
    version,
    about = "Workloads that verify what a file system answers"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Copy, list and compare trees of files by sha256
    #[command(subcommand)]
    Tree(tree::Command),
    /// Run operations in parallel and compare every answer with a model in memory
    Hammer(hammer::Args),
    /// Run operations of all kinds with the flags of fsstress, compare with a model in memory
    Fsstress(fsstress::Args),
    /// Compare read, write, mmap and O_DIRECT views of one file
    #[command(subcommand)]
    Coherence(coherence::Command),
    /// Keep files open, mapped, unlinked; verify them when told
    #[command(subcommand)]
    Hold(hold::Command),
    /// Fill the file system, verify, empty it, compare the free space
    Enospc(enospc::Args),
    /// Write down what fsync promises; check it after a power cut
    #[command(subcommand)]
    Powercut(powercut::Command),
    /// Repeat one kind of operation and tell how long each took
    Pause(pause::Args),
    /// Run one operation and compare its result with an expected errno
    Op(op::Args),
    /// Time fixed numbers of operations
    #[command(subcommand)]
    Bench(bench::Command),
    /// Print the monotonic clock in nanoseconds, as `hammer --windows` reads it
    Now,
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Tree(command) => tree::run(command),
        Command::Hammer(args) => hammer::run(&args),
        Command::Fsstress(args) => fsstress::run(&args),
        Command::Coherence(command) => coherence::run(command),
        Command::Hold(command) => hold::run(command),
        Command::Enospc(args) => enospc::run(&args),
        Command::Powercut(command) => powercut::run(command),
        Command::Pause(args) => pause::run(&args),
        Command::Op(args) => op::run(&args),
        Command::Bench(command) => bench::run(&command),
        Command::Now => {
            println!("{}", latency::now());
            Ok(())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stress: {error:#}");
            ExitCode::FAILURE
        }
    }
}
