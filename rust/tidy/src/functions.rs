// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Functions fit on a screen.

use crate::repository::Source;
use crate::{Finding, code};

/// Lines of a function that are neither blank nor comment, its head and braces not counted.
const MAX: usize = 70;

pub(crate) fn check(file: &Source) -> Vec<Finding> {
    if file.generated() {
        return Vec::new();
    }
    match file.extension() {
        "c" | "h" => long(file, c_head),
        "rs" => long(file, rust_head),
        _ => Vec::new(),
    }
}

/// In kernel style a function is the only thing whose brace stands alone in the first column.
fn c_head(line: &str) -> Option<usize> {
    (line == "{").then_some(0)
}

/// rustfmt puts the closing brace of a function under its first word.
fn rust_head(line: &str) -> Option<usize> {
    let indent = line.len() - line.trim_start().len();
    let head = line.split(['(', '<', '{']).next().unwrap_or("");
    (code::has_word(head, "fn") && !line.trim_end().ends_with(['}', ';'])).then_some(indent)
}

fn long(file: &Source, head: fn(&str) -> Option<usize>) -> Vec<Finding> {
    let stripped = code::strip(&file.text);
    let mut findings = Vec::new();
    let mut lines = stripped.lines().enumerate();
    while let Some((start, line)) = lines.next() {
        let Some(indent) = head(line) else { continue };
        let close = format!("{}}}", " ".repeat(indent));
        let mut count = 0;
        for (_, line) in lines.clone() {
            // A declaration without a body ends where the next line at its level starts.
            if line.starts_with(&close) {
                break;
            }
            count += usize::from(!line.trim().is_empty());
        }
        if count > MAX {
            let text = format!("a function of {count} lines, at most {MAX}: split it");
            findings.push(Finding::new(&file.path, start + 1, text));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{MAX, check};
    use crate::Repository;

    fn findings(path: &str, text: &str) -> usize {
        let repository = Repository::of(&[(path, text)]);
        repository.files.iter().flat_map(check).count()
    }

    #[test]
    fn long_functions_are_found_in_c() {
        let body = |n| {
            format!(
                "static int f(void)\n{{\n{}}}\n\nint g;\n",
                "\tx();\n".repeat(n)
            )
        };
        assert_eq!(findings("a.c", &body(MAX)), 0);
        assert_eq!(findings("a.c", &body(MAX + 1)), 1);
        let comments = format!("int f(void)\n{{\n{}}}\n", "\t/* why */\n\n".repeat(MAX));
        assert_eq!(findings("a.c", &comments), 0);
    }

    #[test]
    fn long_functions_are_found_in_rust() {
        let body = |n| {
            format!(
                "impl A {{\n    pub fn f(\n    ) {{\n{}    }}\n}}\n",
                "        x();\n".repeat(n)
            )
        };
        assert_eq!(findings("a.rs", &body(MAX - 1)), 0);
        assert_eq!(findings("a.rs", &body(MAX + 1)), 1);
    }
}
