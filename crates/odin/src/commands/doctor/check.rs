//! One thing that was looked at, and how all of them are printed.

use std::fmt::Write as _;

use serde::Serialize;

use crate::terminal::visible;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// As it should be.
    Ok,
    /// Something cannot be done, and whoever does not need it need not mind.
    Warning,
    /// It must be mended.
    Problem,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    /// What was looked at; stable across releases.
    pub(super) name: String,
    pub(super) state: State,
    /// What was found.
    pub(super) detail: String,
    /// The next step, with the command where there is one. `None` where there is nothing to do.
    pub(super) help: Option<String>,
}

impl Check {
    pub(super) fn ok(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            state: State::Ok,
            detail: detail.into(),
            help: None,
        }
    }

    pub(super) fn warning(
        name: impl Into<String>,
        detail: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            state: State::Warning,
            help: Some(help.into()),
            ..Self::ok(name, detail)
        }
    }

    pub(super) fn problem(
        name: impl Into<String>,
        detail: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            state: State::Problem,
            help: Some(help.into()),
            ..Self::ok(name, detail)
        }
    }
}

/// One line for each, with its help below, and the count at the end.
pub(super) fn drawn(checks: &[Check]) -> String {
    let width = checks.iter().map(|it| it.name.chars().count()).max();
    let width = width.unwrap_or(0);
    let mut out = String::new();
    for check in checks {
        let (state, name) = (check.state.word(), visible(&check.name));
        let _ = writeln!(out, "{state:<8} {name:<width$}  {}", visible(&check.detail));
        if let Some(help) = &check.help {
            let _ = writeln!(out, "{:9}{:width$}  help: {}", "", "", visible(help));
        }
    }
    let count = |state| checks.iter().filter(|check| check.state == state).count();
    let plural = |count: usize, word: &str| match count {
        0 => format!("no {word}s"),
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    };
    let problems = plural(count(State::Problem), "problem");
    let _ = writeln!(
        out,
        "{problems}, {}",
        plural(count(State::Warning), "warning")
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn each_is_a_line_with_what_mends_it_below_and_cannot_act_on_a_terminal() {
        let checks = [
            Check::ok("kernel", "Linux 6.1"),
            Check::warning("free disk", "0.5 GiB in \u{1b}[2J", "Make room."),
            Check::problem("executor", "none runs", "Restart the server."),
        ];
        expect![[r#"
            ok       kernel     Linux 6.1
            warning  free disk  0.5 GiB in \u{1b}[2J
                                help: Make room.
            problem  executor   none runs
                                help: Restart the server.
            1 problem, 1 warning
        "#]]
        .assert_eq(&drawn(&checks));
        expect!["no problems, no warnings\n"].assert_eq(&drawn(&[]));
    }

    #[test]
    fn in_json_every_member_is_there() {
        let json = serde_json::to_string(&Check::ok("kernel", "Linux")).unwrap();
        expect![[r#"{"name":"kernel","state":"ok","detail":"Linux","help":null}"#]]
            .assert_eq(&json);
    }
}
