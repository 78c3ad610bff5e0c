//! Rust source as lines of code and lines of comment, without its unit tests.

/// One line of the part of a file that is not its unit tests.
pub(super) struct Line<'a> {
    /// From 1.
    pub(super) number: usize,
    /// The line without its comment.
    pub(super) code: &'a str,
    /// The text of its comment, markers and all; empty when there is none.
    pub(super) comment: &'a str,
}

/// The lines before the unit tests, which start at the first `#[cfg(test)]` that opens an inline module.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let code_lines = code_line_count(text);
    text.lines()
        .take(code_lines)
        .enumerate()
        .map(|(index, line)| {
            let (code, comment) = split_comment(line);
            Line {
                number: index + 1,
                code,
                comment,
            }
        })
}

/// How many lines stand before the unit tests.
pub(super) fn code_line_count(text: &str) -> usize {
    let mut previous_is_test = false;
    for (index, line) in text.lines().enumerate() {
        if previous_is_test && line.starts_with("mod ") && line.ends_with('{') {
            return index - 1;
        }
        previous_is_test = line == "#[cfg(test)]";
    }
    text.lines().count()
}

/// Splits at the first `//` that is outside a string. A string that goes on over lines is taken for code, which is
/// right for what the rules look for.
fn split_comment(line: &str) -> (&str, &str) {
    let bytes = line.as_bytes();
    let mut in_string = false;
    let mut index = 0;
    while index < bytes.len() {
        match bytes[index] {
            b'\\' if in_string => index += 1,
            b'"' if bytes.get(index.wrapping_sub(1)) != Some(&b'\'') => in_string = !in_string,
            b'/' if !in_string && bytes.get(index + 1) == Some(&b'/') => {
                return line.split_at(index);
            }
            _ => {}
        }
        index += 1;
    }
    (line, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_starts_outside_of_strings() {
        for (line, code, comment) in [
            ("let a = 1; // why", "let a = 1; ", "// why"),
            (
                r#"let a = "http://x"; // y"#,
                r#"let a = "http://x"; "#,
                "// y",
            ),
            (r#"let a = "\"//"; "#, r#"let a = "\"//"; "#, ""),
            ("let q = '\"'; // y", "let q = '\"'; ", "// y"),
            ("    /// Docs.", "    ", "/// Docs."),
        ] {
            assert_eq!(split_comment(line), (code, comment), "{line}");
        }
    }

    #[test]
    fn unit_tests_do_not_count() {
        let source = "fn a() {}\n#[cfg(test)]\nuse x;\n\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(code_line_count(source), 4);
        assert_eq!(code_line_count("fn a() {}\n#[cfg(test)]\nmod tests;\n"), 3);
    }
}
