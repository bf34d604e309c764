// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Moves inputs between `corpus/` and folders of files, as fuzzers have them, and runs files.
#![forbid(unsafe_code)]

use bento_fuzz::corpus::{self, Inputs};
use bento_fuzz::{TARGETS, target};
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs, io};

const USAGE: &str = "usage: bento-fuzz targets
       bento-fuzz unpack TARGET FOLDER   each kept input as a file
       bento-fuzz pack TARGET FOLDER     keep the files, and the inputs that once found something
       bento-fuzz run TARGET FILE...     run files as inputs";

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["targets"] => {
            TARGETS.iter().for_each(|(name, _)| println!("{name}"));
            Ok(())
        }
        ["unpack", name, folder] if target(name).is_some() => unpack(name, folder.as_ref()),
        ["pack", name, folder] if target(name).is_some() => pack(name, folder.as_ref()),
        ["run", name, files @ ..] if target(name).is_some() => run(name, files),
        _ => Err(io::Error::other(USAGE)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bento-fuzz: {error}");
            ExitCode::FAILURE
        }
    }
}

fn unpack(name: &str, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (number, input) in corpus::read(name)?.keys().enumerate() {
        fs::write(folder.join(format!("kept-{number:04}")), input)?;
    }
    Ok(())
}

fn pack(name: &str, folder: &Path) -> io::Result<()> {
    let mut inputs: Inputs = match corpus::read(name) {
        Ok(inputs) => inputs
            .into_iter()
            .filter(|(_, found)| !found.is_empty())
            .collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Inputs::new(),
        Err(error) => return Err(error),
    };
    for file in fs::read_dir(folder)? {
        inputs.entry(fs::read(file?.path())?).or_default();
    }
    corpus::write(name, &inputs)
}

fn run(name: &str, files: &[&str]) -> io::Result<()> {
    let run = target(name).expect("main asked");
    for file in files {
        run(&fs::read(file)?);
        println!("{file}: nothing found");
    }
    Ok(())
}
