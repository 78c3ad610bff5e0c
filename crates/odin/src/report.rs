//! Draws errors and warnings on stderr: the only place that does.

use std::fmt::Write as _;

use annotate_snippets::{AnnotationKind, Element, Group, Level, Renderer, Snippet};
use odin_client::ClientError;
use odin_wire::{Exit, Mistake, Problem};

use crate::error::{CliError, TextMistakes};
use crate::terminal::visible;

/// How errors are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Drawn for people.
    Drawn,
    /// One problem in JSON.
    Json,
}

/// A text that mistakes are about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    /// The file, or what the text is.
    pub(crate) origin: &'a str,
    /// The text.
    pub(crate) text: &'a str,
}

/// Tells why a command did not succeed, and gives its exit code.
pub(crate) fn tell(error: CliError, form: Form) -> Exit {
    let exit = error.exit();
    let text = match form {
        Form::Json => error.into_problem().map(|problem| {
            let mut text = serde_json::to_string_pretty(&problem).expect("a problem is plain data");
            text.push('\n');
            text
        }),
        Form::Drawn => drawn(error, &Renderer::styled()),
    };
    if let Some(text) = text {
        to_stderr(&text);
    }
    exit
}

/// Tells what may surprise although the command succeeded.
pub(crate) fn warn(mistakes: &[Mistake], source: Option<Source<'_>>) {
    let renderer = Renderer::styled();
    for mistake in mistakes {
        to_stderr(&mistake_drawn(mistake, source, &Level::WARNING, &renderer));
    }
}

/// Tells which runs a change came too late for.
pub(crate) fn decided(runs: &[odin_model::RunId]) {
    if let [_, ..] = runs {
        let ids: Vec<String> = runs.iter().map(ToString::to_string).collect();
        note(&format!(
            "decided already, and unchanged: {}",
            ids.join(", ")
        ));
    }
}

/// Tells something that is neither a result nor a warning.
pub(crate) fn note(text: &str) {
    let renderer = Renderer::styled();
    let group = Group::with_title(Level::NOTE.primary_title(visible(text)));
    to_stderr(&(renderer.render(&[group]) + "\n"));
}

/// A server's refusal with the text that its places are in, if the person wrote one.
pub(crate) fn about_text(error: ClientError, origin: &str, text: Option<&str>) -> CliError {
    match (error, text) {
        (ClientError::Refused(problem), Some(text)) if !problem.errors.is_empty() => {
            CliError::Text(Box::new(TextMistakes {
                origin: origin.to_owned(),
                text: text.to_owned(),
                mistakes: problem.errors,
                omitted: 0,
            }))
        }
        (error, _) => error.into(),
    }
}

/// Colours are left out where stderr is not a terminal. Nobody can be told when stderr is gone.
fn to_stderr(text: &str) {
    use std::io::Write;
    let _ = anstream::stderr().write_all(text.as_bytes());
}

/// An error as people read it. `None`: everything has been said.
fn drawn(error: CliError, renderer: &Renderer) -> Option<String> {
    match error {
        CliError::Text(text) => {
            let source = Source {
                origin: &text.origin,
                text: &text.text,
            };
            let mut out = mistakes_drawn(&text.mistakes, Some(source), renderer);
            if text.omitted > 0 {
                let _ = writeln!(out, "and {} more mistakes", text.omitted);
            }
            Some(out)
        }
        error => error
            .into_problem()
            .map(|problem| problem_drawn(&problem, renderer)),
    }
}

fn problem_drawn(problem: &Problem, renderer: &Renderer) -> String {
    if !problem.errors.is_empty() {
        return mistakes_drawn(&problem.errors, None, renderer);
    }
    let mistake = Mistake {
        code: problem.code.clone(),
        message: problem.detail.clone(),
        help: problem.help.clone(),
        ..Mistake::default()
    };
    mistake_drawn(&mistake, None, &Level::ERROR, renderer)
}

fn mistakes_drawn(mistakes: &[Mistake], source: Option<Source<'_>>, renderer: &Renderer) -> String {
    let drawn: Vec<_> = mistakes
        .iter()
        .map(|mistake| mistake_drawn(mistake, source, &Level::ERROR, renderer))
        .collect();
    drawn.join("\n")
}

fn mistake_drawn(
    mistake: &Mistake,
    source: Option<Source<'_>>,
    level: &Level<'_>,
    renderer: &Renderer,
) -> String {
    let mut elements: Vec<Element<'_>> = Vec::new();
    if let (Some(source), Some(span)) = (source, mistake.span) {
        let span = on_characters(source.text, span);
        let snippet = Snippet::source(source.text)
            .path(source.origin)
            .annotation(AnnotationKind::Primary.span(span));
        elements.push(snippet.into());
    } else if let (Some(line_text), Some(line)) = (&mistake.source_line, mistake.line) {
        let snippet = Snippet::<annotate_snippets::Annotation<'_>>::source(line_text.as_str())
            .line_start(usize::try_from(line).unwrap_or(1))
            .annotation(AnnotationKind::Primary.span(in_line(line_text, mistake)));
        elements.push(snippet.into());
    }
    let help = mistake
        .help
        .as_deref()
        .filter(|help| !help.is_empty())
        .map(visible_lines);
    let title = level
        .clone()
        .primary_title(visible_lines(&mistake.message))
        .id(visible(&mistake.code));
    match help {
        Some(help) if elements.is_empty() => {
            // One after the other: in one report a bar would join them.
            let help = Group::with_title(Level::HELP.primary_title(help));
            let title = renderer.render(&[Group::with_title(title)]);
            return format!("{title}\n{}\n", renderer.render(&[help]));
        }
        Some(help) => elements.push(Level::HELP.message(help).into()),
        None => {}
    }
    renderer.render(&[title.elements(elements)]) + "\n"
}

/// Text of several lines, each of them safe for a terminal.
fn visible_lines(text: &str) -> String {
    let lines: Vec<_> = text
        .lines()
        .map(|line| visible(line).replace("\\t", "    "))
        .collect();
    lines.join("\n")
}

/// The span within the text and between characters, whatever a server sent.
fn on_characters(text: &str, [start, end]: [usize; 2]) -> std::ops::Range<usize> {
    let start = text.floor_char_boundary(start.min(text.len()));
    let end = text.ceil_char_boundary(end.clamp(start, text.len()));
    start..end
}

/// The part of the one line that is there.
fn in_line(line: &str, mistake: &Mistake) -> std::ops::Range<usize> {
    let column = usize::try_from(mistake.column.unwrap_or(1))
        .unwrap_or(1)
        .saturating_sub(1);
    let start = line
        .char_indices()
        .nth(column)
        .map_or(line.len(), |(at, _)| at);
    let length = mistake
        .span
        .map_or(0, |[start, end]| end.saturating_sub(start));
    on_characters(line, [start, start.saturating_add(length)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    fn check(error: CliError, expected: &Expect) {
        expected.assert_eq(&drawn(error, &Renderer::plain()).unwrap());
    }

    fn mistake(code: &str, message: &str, span: [usize; 2], help: &str) -> Mistake {
        Mistake {
            code: code.to_owned(),
            message: message.to_owned(),
            span: Some(span),
            help: Some(help.to_owned()),
            ..Mistake::default()
        }
    }

    fn in_file(text: &str, mistakes: Vec<Mistake>) -> CliError {
        let (origin, text) = ("jobs/x.yml".to_owned(), text.to_owned());
        CliError::Text(Box::new(TextMistakes {
            origin,
            text,
            mistakes,
            omitted: 0,
        }))
    }

    #[test]
    fn a_mistake_is_underlined_with_its_line_and_the_next_step() {
        let text = "job:\n  nmae: prune\n";
        let mistakes = vec![
            mistake(
                "file/missing",
                "`name` is missing",
                [0, 3],
                "Write `name: …`.",
            ),
            mistake(
                "file/unknown-key",
                "`nmae` is not a key",
                [7, 11],
                "Did you mean `name`?",
            ),
        ];
        check(
            in_file(text, mistakes),
            &expect![[r#"
            error[file/missing]: `name` is missing
             --> jobs/x.yml:1:1
              |
            1 | job:
              | ^^^
              |
              = help: Write `name: …`.

            error[file/unknown-key]: `nmae` is not a key
             --> jobs/x.yml:2:3
              |
            2 |   nmae: prune
              |   ^^^^
              |
              = help: Did you mean `name`?
        "#]],
        );
    }

    #[test]
    fn a_place_at_the_very_end_or_beyond_is_drawn_too() {
        let mistakes = vec![mistake("file/missing", "`job` is missing", [3, 3], "")];
        check(
            in_file("a: ", mistakes),
            &expect![[r#"
            error[file/missing]: `job` is missing
             --> jobs/x.yml:1:4
              |
            1 | a: 
              |    ^
        "#]],
        );
        let mistakes = vec![mistake("a/b", "beyond", [700, 900], "")];
        check(
            in_file("ä", mistakes),
            &expect![[r#"
            error[a/b]: beyond
             --> jobs/x.yml:1:2
              |
            1 | ä
              |  ^
        "#]],
        );
        let mistakes = vec![mistake("a/b", "empty", [0, 0], "")];
        check(
            in_file("", mistakes),
            &expect![[r#"
            error[a/b]: empty
             --> jobs/x.yml:1:1
              |
            1 |
              | ^
        "#]],
        );
    }

    #[test]
    fn an_error_without_a_place_has_its_code_and_next_step() {
        let error = CliError::refused("cli/bad-time", "`\u{1b}[2J` is not a time")
            .with_help("Write `2026-11-21 17:00`.");
        check(
            error,
            &expect![[r#"
                error[cli/bad-time]: `\u{1b}[2J` is not a time
                help: Write `2026-11-21 17:00`.
            "#]],
        );
    }
}
