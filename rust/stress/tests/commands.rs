// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The subcommands on the host: each passes on a good file system, and each finds what it is for.

use core::time::Duration;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

/// An empty directory of one test, below the target directory (a real file system, not tmpfs,
/// which has not always had `O_DIRECT`).
fn scratch(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    drop(fs::remove_dir_all(&dir));
    fs::create_dir_all(&dir).expect("an empty directory");
    dir
}

fn stress(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stress"))
        .args(args)
        .output()
        .expect("the program runs")
}

fn text(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8_lossy(&both).into_owned()
}

fn passes(args: &[&str]) -> String {
    let output = stress(args);
    assert!(output.status.success(), "{args:?}: {}", text(&output));
    text(&output)
}

fn fails(args: &[&str]) -> String {
    let output = stress(args);
    assert!(!output.status.success(), "{args:?}: {}", text(&output));
    text(&output)
}

fn str(path: &Path) -> &str {
    path.to_str().expect("a path of a test is UTF-8")
}

/// Changes one byte of a file.
fn damage(path: &Path, offset: u64) {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .expect("the file");
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).expect("the byte");
    file.write_all_at(&[byte[0] ^ 0x10], offset)
        .expect("another byte");
}

#[test]
fn tree_copy_compares_and_finds_one_changed_byte() {
    let dir = scratch("tree");
    let (source, target) = (dir.join("source"), dir.join("target"));
    fs::create_dir_all(source.join("x/y")).expect("directories");
    fs::write(source.join("x/y/file"), vec![7; 300_000]).expect("a file");
    fs::write(source.join("empty"), b"").expect("an empty file");
    std::os::unix::fs::symlink("x/y", source.join("link")).expect("a link");
    let out = passes(&["tree", "copy", str(&source), str(&target)]);
    assert!(out.contains("2 files of 5 entries"), "{out}");
    let manifest = dir.join("manifest");
    fs::write(&manifest, passes(&["tree", "manifest", str(&source)])).expect("the manifest");
    passes(&["tree", "verify", str(&manifest), str(&target)]);
    damage(&target.join("x/y/file"), 299_999);
    let out = fails(&["tree", "compare", str(&source), str(&target)]);
    assert!(out.contains("x/y/file"), "{out}");
    fails(&["tree", "verify", str(&manifest), str(&target)]);
    fs::write(target.join("extra"), b"").expect("one more file");
    assert!(fails(&["tree", "verify", str(&manifest), str(&target)]).contains("extra"));
    fs::remove_dir_all(dir).expect("cleaned up");
}

#[test]
fn hammer_passes_and_reports() {
    let dir = scratch("hammer");
    let (report, windows) = (dir.join("report"), dir.join("windows"));
    let work = dir.join("work");
    fs::create_dir(&work).expect("a directory");
    fs::write(&windows, "0 99999999999999999\n").expect("one window");
    let out = passes(&[
        "hammer",
        str(&work),
        "--seconds",
        "2",
        "--jobs",
        "3",
        "--report",
        str(&report),
        "--windows",
        str(&windows),
    ]);
    assert!(out.contains("0 failed, 0 wrong answers"), "{out}");
    let json = fs::read_to_string(&report).expect("the report");
    assert!(json.contains("\"failed\":0,\"mismatches\":0"), "{json}");
    assert!(!json.contains("\"operations\":0"), "{json}");
    fs::remove_dir_all(dir).expect("cleaned up");
}

#[test]
fn hammer_stops_when_told_and_says_when_it_runs() {
    let dir = scratch("stop");
    let (work, stop, ready) = (dir.join("work"), dir.join("stop"), dir.join("ready"));
    fs::create_dir(&work).expect("a directory");
    let told = ready.clone();
    let order = stop.clone();
    let helper = thread::spawn(move || {
        while !told.exists() {
            thread::sleep(Duration::from_millis(10));
        }
        fs::write(order, b"").expect("the stop file");
    });
    let args = [
        "hammer",
        str(&work),
        "--seconds",
        "300",
        "--stop",
        str(&stop),
        "--ready",
        str(&ready),
    ];
    passes(&args);
    helper.join().expect("the helper saw the ready file");
    fs::remove_dir_all(dir).expect("cleaned up");
}

#[test]
fn hammer_ends_well_on_sigterm() {
    let dir = scratch("sigterm");
    let (work, ready) = (dir.join("work"), dir.join("ready"));
    fs::create_dir(&work).expect("a directory");
    let mut hammer = Command::new(env!("CARGO_BIN_EXE_stress"))
        .args([
            "hammer",
            str(&work),
            "--seconds",
            "300",
            "--ready",
            str(&ready),
        ])
        .spawn()
        .expect("the hammer starts");
    while !ready.exists() {
        thread::sleep(Duration::from_millis(10));
    }
    let pid = hammer.id().to_string();
    let killed = Command::new("kill")
        .args(["-TERM", &pid])
        .status()
        .expect("kill runs");
    assert!(killed.success());
    assert!(hammer.wait().expect("the hammer ends").success());
    fs::remove_dir_all(dir).expect("cleaned up");
}

/// Another program changes the files of a running hammer: it must notice.
#[test]
fn hammer_finds_a_changed_byte_and_a_lost_file() {
    for lose in [false, true] {
        let dir = scratch(if lose { "lose" } else { "damage" });
        let (work, ready) = (dir.join("work"), dir.join("ready"));
        fs::create_dir(&work).expect("a directory");
        let (files, told) = (work.join("w0"), ready.clone());
        let vandal = thread::spawn(move || {
            while !told.exists() {
                thread::sleep(Duration::from_millis(5));
            }
            for entry in fs::read_dir(files).expect("files of the worker") {
                let path = entry.expect("an entry").path();
                if lose {
                    drop(fs::remove_file(path));
                } else if fs::symlink_metadata(&path).is_ok_and(|m| m.is_file() && m.len() > 0) {
                    damage(&path, 0);
                }
            }
        });
        let args = [
            "hammer",
            str(&work),
            "--seconds",
            "3",
            "--jobs",
            "1",
            "--ready",
            str(&ready),
        ];
        let out = fails(&args);
        assert!(out.contains(if lose { "ENOENT" } else { "got" }), "{out}");
        vandal.join().expect("the vandal did it");
        fs::remove_dir_all(dir).expect("cleaned up");
    }
}

#[test]
fn coherence_passes_on_the_host() {
    let dir = scratch("coherence");
    let file = dir.join("file");
    let direct = text(&stress(&["coherence", "seq", str(&file), "--ops", "0"]));
    if direct.contains("Invalid argument") {
        println!(
            "skipped: no O_DIRECT on the file system of {}",
            dir.display()
        );
        return;
    }
    let seeds = ["--ops", "1000", "--seeds", "1,2", "--no-tail"];
    passes(&[["coherence", "seq", str(&file)].as_slice(), &seeds].concat());
    let falloc = [&seeds[..], &["--falloc"]].concat();
    let output = stress(&[["coherence", "seq", str(&file)].as_slice(), &falloc].concat());
    if text(&output).contains("not supported") {
        println!("skipped: {} has no fallocate in all modes", dir.display());
    } else {
        assert!(output.status.success(), "{}", text(&output));
    }
    // `par` is for the scenarios: while pages cannot be invalidated under direct writes, direct
    // reads of ext4 were seen to fail with EIO on a host with Linux 6.18.
    fs::remove_dir_all(dir).expect("cleaned up");
}

#[test]
fn hold_keeps_and_finds_a_change() {
    let dir = scratch("hold");
    let (work, socket) = (dir.join("work"), dir.join("s"));
    let mut holder = Command::new(env!("CARGO_BIN_EXE_stress"))
        .args(["hold", "start", str(&work), str(&socket)])
        .spawn()
        .expect("the holder starts");
    while !work.join("mapped").exists() || work.join("unlinked").exists() {
        thread::sleep(Duration::from_millis(10));
    }
    let mut tries = 0;
    while !stress(&["hold", "verify", str(&socket)]).status.success() {
        tries += 1;
        assert!(tries < 50, "the holder never answered ok");
        thread::sleep(Duration::from_millis(20));
    }
    passes(&["hold", "verify", str(&socket)]);
    damage(&work.join("open"), 39_999);
    assert!(fails(&["hold", "verify", str(&socket)]).contains("byte 39999"));
    fails(&["hold", "stop", str(&socket)]);
    assert!(holder.wait().expect("the holder ends").success());
    fs::remove_dir_all(dir).expect("cleaned up");
}

#[test]
fn op_compares_the_errno() {
    let dir = scratch("op");
    let file = dir.join("file");
    passes(&["op", "create", str(&file)]);
    passes(&["op", "create", str(&file), "--expect", "EEXIST"]);
    fails(&["op", "create", str(&file)]);
    fails(&["op", "stat", str(&file), "--expect", "EIO"]);
    fails(&["op", "stat", str(&file), "--expect", "ENONSENSE"]);
    passes(&["op", "unlink", str(&file)]);
    passes(&["op", "read", str(&file), "--expect", "ENOENT"]);
    fs::remove_dir_all(dir).expect("cleaned up");
}

#[test]
fn powercut_finds_broken_promises() {
    let dir = scratch("powercut");
    let (work, log) = (dir.join("work"), dir.join("log"));
    passes(&[
        "powercut",
        "write",
        str(&work),
        "--log",
        str(&log),
        "--seconds",
        "2",
    ]);
    let verify = ["powercut", "verify", str(&work), "--log", str(&log)];
    let out = passes(&verify);
    assert!(out.contains("0 wrong"), "{out}");
    let mut many = verify.to_vec();
    many.extend(["--at-least", "1000000"]);
    fails(&many);

    // A file that was promised goes away; then one byte of another changes.
    let files: Vec<PathBuf> = fs::read_dir(work.join("a"))
        .expect("the files")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| fs::metadata(path).expect("metadata").len() > 0)
        .collect();
    let hidden = dir.join("hidden");
    fs::rename(&files[0], &hidden).expect("hidden");
    assert!(fails(&verify).contains("is missing"));
    fs::rename(&hidden, &files[0]).expect("back");
    passes(&verify);
    damage(&files[0], 0);
    fails(&verify);
    fs::remove_dir_all(dir).expect("cleaned up");
}

/// The host file system cannot be filled here: what is tested is that a file system that is not
/// full is not taken for a full one.
#[test]
fn enospc_needs_a_small_file_system() {
    let dir = scratch("enospc");
    let limited = Command::new("bash")
        .args([
            "-c",
            "ulimit -f 2000; trap '' XFSZ; exec \"$0\" enospc \"$1\"",
        ])
        .args([env!("CARGO_BIN_EXE_stress"), str(&dir)])
        .output()
        .expect("bash runs");
    assert!(!limited.status.success(), "{}", text(&limited));
    assert!(
        text(&limited).contains("expected ENOSPC"),
        "{}",
        text(&limited)
    );
    fs::remove_dir_all(dir).expect("cleaned up");
}

#[test]
fn fsstress_repeats_itself_and_finds_what_others_change() {
    let dir = scratch("fsstress");
    let run = |more: &[&str]| {
        let mut args = vec!["fsstress", "-d", str(&dir)];
        args.extend(more);
        stress(&args)
    };
    let tree = || passes(&["tree", "manifest", str(&dir)]);
    let out = run(&["-n", "400", "-p", "2", "-s", "7"]);
    assert!(text(&out).contains(" 0 wrong"), "{}", text(&out));
    let first = tree();
    assert!(run(&["-n", "400", "-p", "2", "-s", "7"]).status.success());
    assert_eq!(first, tree());
    // Other seeds and other loops do something else.
    assert!(run(&["-n", "400", "-p", "2", "-s", "8"]).status.success());
    assert_ne!(first, tree());
    assert!(
        run(&["-n", "400", "-p", "2", "-l", "2", "-s", "7", "-c"])
            .status
            .success()
    );
    assert_eq!(fs::read_dir(&dir).expect("the directory").count(), 0);

    let mut child = Command::new(env!("CARGO_BIN_EXE_stress"))
        .args(["fsstress", "-d", str(&dir), "-n", "10000000"])
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("the program runs");
    while child.try_wait().expect("its state").is_none() {
        drop(fs::write(dir.join("p0/stranger"), b""));
        thread::sleep(Duration::from_millis(5));
    }
    assert!(!child.wait().expect("its end").success());
    fs::remove_dir_all(dir).expect("cleaned up");
}

#[test]
fn bench_runs_every_workload_that_needs_no_root() {
    let dir = scratch("bench");
    let chosen = [
        "varmail",
        "mkdir",
        "rmdir",
        "create_4k_fsync",
        "seqwrite_1m",
    ];
    let only = chosen.iter().flat_map(|name| ["--only", name]);
    let args: Vec<_> = ["bench", "run", "--size", "gate", str(&dir)]
        .into_iter()
        .chain(only)
        .collect();
    let out = passes(&args);
    let names: Vec<_> = out
        .lines()
        .map(|line| line.split('"').nth(3).expect("a name"))
        .collect();
    let expected = [
        "seqwrite_1m",
        "create_4k_fsync",
        "mkdir",
        "rmdir",
        "varmail_t1",
        "varmail_t16",
    ];
    assert_eq!(names, expected, "{out}");
    fails(&["bench", "run", str(&dir)]);
}

#[test]
fn bench_refuses_what_is_not_mounted_as_it_should_be() {
    let dir = scratch("bench-check");
    let out = fails(&["bench", "check", "--fs", "xv6", str(&dir)]);
    assert!(out.contains("nothing is mounted"), "{out}");
    let out = fails(&["bench", "check", "--fs", "xv6", "/proc"]);
    assert!(out.contains("/proc is proc, not xv6"), "{out}");
}

/// Arguments of a client that runs until the file `stop` in `dir` is there.
fn pause_args<'a>(dir: &'a str, client: &'a str, files: &'a [String; 2]) -> Vec<&'a str> {
    let [stop, windows] = files;
    let mut args = vec!["pause", dir, "--client", client, "--stop", stop];
    args.extend(["--windows", windows, "--seconds", "20"]);
    args
}

#[test]
fn pause_clients_report_and_find_what_others_change() {
    let dir = scratch("pause");
    let files = ["stop", "windows"].map(|name| str(&dir.join(name)).to_owned());
    fs::write(&files[1], "1 2\n").expect("a window long ago");
    fs::write(&files[0], "").expect("a reason to stop at once");
    for client in ["write", "fsync", "names", "map"] {
        let report = passes(&pause_args(str(&dir), client, &files));
        assert!(report.starts_with("{\"operations\":"), "{report}");
        let window = "\"windows\":[{\"operations\":0,\"longest\":0,\"longest_before\":0}]}";
        assert!(report.trim_end().ends_with(window), "{report}");
    }
    fs::remove_file(&files[0]).expect("no reason to stop");
    let mapped = dir.join("map");
    fs::remove_file(&mapped).expect("the file of before");
    let changer = thread::spawn(move || {
        while fs::metadata(&mapped).map_or(0, |m| m.len()) < 65536 {
            thread::sleep(Duration::from_millis(10));
        }
        damage(&mapped, 4096);
    });
    let said = fails(&pause_args(str(&dir), "map", &files));
    changer.join().expect("the byte is changed");
    assert!(said.contains("expected"), "{said}");
    fs::remove_dir_all(&dir).expect("the directory goes");
}
