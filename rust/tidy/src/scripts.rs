// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Scripts parse: a syntax error in a rarely used branch shows here, not in the field.

use crate::Finding;
use crate::repository::{Repository, Source};
use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Reads scripts with NUL between them; prints the number of each that does not parse, and why.
const PYTHON: &str = r"
import sys
for number, text in enumerate(sys.stdin.read().split('\0')):
    try:
        compile(text, 'script', 'exec')
    except (SyntaxError, ValueError) as error:
        print(number, error)
";

pub(crate) fn check(repository: &Repository) -> Vec<Finding> {
    let files = repository.files.iter();
    let mut findings = python(&files.clone().filter(|f| is_python(f)).collect::<Vec<_>>());
    findings.extend(files.filter(|file| is_shell(file)).filter_map(shell));
    findings
}

fn is_python(file: &Source) -> bool {
    file.extension() == "py" || file.shebang("python")
}

fn is_shell(file: &Source) -> bool {
    file.extension() == "sh" || file.shebang("bash") || file.shebang("/sh")
}

/// All scripts in one process: to start Python takes longer than to parse what is here.
fn python(files: &[&Source]) -> Vec<Finding> {
    let texts: Vec<_> = files.iter().map(|file| &*file.text).collect();
    let output = match run("python3", &["-c", PYTHON], &texts.join("\0")) {
        Ok(output) if output.status.success() => output,
        failed => {
            let why = failed.map_or_else(|e| e.to_string(), |output| last_line(&output.stderr));
            let text = format!("cannot run python3 to parse scripts: {why}");
            return vec![Finding::new("rust/tidy", 0, text)];
        }
    };
    let complaints = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = |line: &str| {
        let (number, why) = line.split_once(' ')?;
        let file = files.get(number.parse::<usize>().ok()?)?;
        Some(Finding::new(&file.path, 0, why.to_owned()))
    };
    complaints.lines().filter_map(complaint).collect()
}

fn shell(file: &Source) -> Option<Finding> {
    let complaint = match run("bash", &["-n"], &file.text) {
        Ok(output) if output.status.success() => return None,
        Ok(output) => last_line(&output.stderr),
        Err(error) => format!("cannot run bash to parse this: {error}"),
    };
    Some(Finding::new(&file.path, 0, complaint))
}

/// Feeds `text` to a parser.
fn run(program: &str, args: &[&str], text: &str) -> std::io::Result<Output> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A parser may stop reading at the first error.
        drop(stdin.write_all(text.as_bytes()));
    }
    child.wait_with_output()
}

fn last_line(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let last = text.trim().lines().last().unwrap_or("does not parse");
    last.to_owned()
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
