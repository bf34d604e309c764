// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Scripts parse: a syntax error in a rarely used branch shows here, not in the field.

use crate::Finding;
use crate::repository::{Repository, Source};
use std::io::Write;
use std::process::{Command, Stdio};

pub(crate) fn check(repository: &Repository) -> Vec<Finding> {
    repository.files.iter().filter_map(parse).collect()
}

fn parse(file: &Source) -> Option<Finding> {
    let python = "import sys; compile(sys.stdin.read(), 'script', 'exec')";
    let (program, args): (&str, &[&str]) = if file.extension() == "py" || file.shebang("python") {
        ("python3", &["-c", python])
    } else if file.extension() == "sh" || file.shebang("bash") || file.shebang("/sh") {
        ("bash", &["-n"])
    } else {
        return None;
    };
    match run(program, args, &file.text) {
        Ok(None) => None,
        Ok(Some(complaint)) => Some(Finding::new(&file.path, 0, complaint)),
        Err(error) => {
            let text = format!("cannot run {program} to parse this: {error}");
            Some(Finding::new(&file.path, 0, text))
        }
    }
}

/// Feeds `text` to a parser; returns what it complains about.
fn run(program: &str, args: &[&str], text: &str) -> std::io::Result<Option<String>> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A parser may stop reading at the first error.
        drop(stdin.write_all(text.as_bytes()));
    }
    let output = child.wait_with_output()?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    let last = complaint.trim().lines().last().unwrap_or("does not parse");
    Ok((!output.status.success()).then(|| last.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::check;
    use crate::Repository;

    fn findings(path: &str, text: &str) -> usize {
        check(&Repository::of(&[(path, text)])).len()
    }

    #[test]
    fn broken_scripts_are_found() {
        assert_eq!(findings("a.sh", "if true; then echo; fi\n"), 0);
        assert_eq!(findings("a.sh", "if true; then echo\n"), 1);
        assert_eq!(findings("dev", "#!/usr/bin/env bash\nx=(\n"), 1);
        assert_eq!(findings("a.py", "def f():\n    return 1\n"), 0);
        assert_eq!(findings("a.py", "def f(:\n"), 1);
        assert_eq!(findings("tool", "#!/usr/bin/env python3\nprint(\n"), 1);
        assert_eq!(findings("a.txt", "if then (\n"), 0);
    }
}
