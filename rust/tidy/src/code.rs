// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Source text without its comments and string literals, line by line the same.

/// Blanks comments and the inside of string and character literals of C or Rust.
pub(crate) fn strip(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let len = token(rest, out.chars().last());
        let (skipped, next) = rest.split_at(len.max(c.len_utf8()));
        if len == 0 {
            out.push(c);
        } else {
            out.extend(skipped.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
        rest = next;
    }
    out
}

/// The length of the comment or literal at the start of `rest`, or 0.
fn token(rest: &str, before: Option<char>) -> usize {
    let until = |start: usize, end: &str| {
        let found = rest.get(start..).and_then(|r| r.find(end));
        found.map_or(rest.len(), |at| start + at + end.len())
    };
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return until(2, "*/");
    }
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if rest.starts_with('r') && !in_word {
        let hashes = rest[1..].chars().take_while(|&c| c == '#').count();
        if rest[1 + hashes..].starts_with('"') {
            return until(2 + hashes, &format!("\"{}", "#".repeat(hashes)));
        }
    }
    if rest.starts_with('"') {
        return quoted(rest, '"');
    }
    if rest.starts_with('\'') && !in_word {
        // A character literal, not a lifetime: it closes after one character or an escape.
        let mut chars = rest.chars().skip(1);
        let first = chars.next();
        if first == Some('\\') || chars.next() == Some('\'') {
            return quoted(rest, '\'');
        }
    }
    0
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Whether `line` has `word` as a whole word.
pub(crate) fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|w| w == word)
}

#[cfg(test)]
mod tests {
    use super::{has_word, strip};

    #[test]
    fn comments_and_literals_go_and_lines_stay() {
        let text =
            "a // unsafe\nb /* unsafe\n */ c \"unsafe \\\" {\" d r#\"un\"safe\"# e '\"' f '{' g";
        let code = strip(text);
        assert_eq!(code.lines().count(), text.lines().count());
        assert!(!has_word(&code, "unsafe"), "{code}");
        assert!(!code.contains('{'), "{code}");
        for word in ["a", "b", "c", "d", "e", "f", "g"] {
            assert!(has_word(&code, word), "{word} in {code}");
        }
    }

    #[test]
    fn lifetimes_are_not_characters() {
        assert_eq!(strip("fn f<'a>(x: &'a str) {}"), "fn f<'a>(x: &'a str) {}");
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("pub unsafe fn", "unsafe"));
        assert!(!has_word("#![forbid(unsafe_code)]", "unsafe"));
    }
}
