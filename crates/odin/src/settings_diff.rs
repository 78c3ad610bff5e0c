//! What differs between what two versions of a job say, in the words of `odin describe`.

use std::collections::BTreeMap;

use odin_wire::{Job, JobSettings, JobVersion};
use serde::Serialize;

use crate::commands::describe;

/// What a version says, a line each, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    lines: Vec<(String, String)>,
    /// The same as the server sent it, to find what no line tells.
    raw: BTreeMap<String, String>,
}

/// One setting that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct SettingChange {
    pub(crate) name: String,
    /// `null`: there was none.
    pub(crate) before: Option<String>,
    /// `null`: there is none.
    pub(crate) after: Option<String>,
}

impl Said {
    pub(crate) fn of_version(version: &JobVersion) -> Self {
        let lines = [
            ("name", Some(&version.name)),
            ("description", Some(&version.description)),
            ("language", Some(&version.language)),
            ("file", version.file.as_ref()),
            ("schedule", Some(&version.schedule)),
            ("timezone", Some(&version.timezone)),
        ];
        Self::of(lines, version.settings.as_ref())
    }

    pub(crate) fn of_job(job: &Job) -> Self {
        let lines = [
            ("name", Some(&job.name)),
            ("description", Some(&job.description)),
            ("language", Some(&job.language)),
            ("file", job.file.as_ref()),
            ("schedule", Some(&job.schedule)),
            ("timezone", Some(&job.timezone)),
        ];
        Self::of(lines, job.settings.as_ref())
    }

    fn of(lines: [(&str, Option<&String>); 6], settings: Option<&JobSettings>) -> Self {
        let there = lines
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)));
        let mut lines: Vec<(String, String)> = there
            .map(|(name, value)| (name.to_owned(), value.clone()))
            .collect();
        let Some(settings) = settings else {
            return Self {
                lines,
                raw: BTreeMap::new(),
            };
        };
        for (name, value) in describe::settings_lines(settings) {
            match value.split_once('=') {
                // A variable is a setting of its own.
                Some((variable, value)) if name == "env" => {
                    lines.push((format!("env {variable}"), value.to_owned()));
                }
                _ => lines.push((name.to_owned(), value)),
            }
        }
        Self {
            lines,
            raw: raw(settings),
        }
    }

    fn value(&self, name: &str) -> Option<&String> {
        let mut lines = self.lines.iter();
        lines.find_map(|(it, value)| (it == name).then_some(value))
    }
}

/// The settings by their names in JSON; without those that are no part of what the deployer wrote.
fn raw(settings: &JobSettings) -> BTreeMap<String, String> {
    const NOT_SAID: [&str; 3] = ["bundle", "owner_uid", "owner_gid"];
    match serde_json::to_value(settings) {
        Ok(serde_json::Value::Object(object)) => object
            .into_iter()
            .filter(|(name, _)| !NOT_SAID.contains(&name.as_str()))
            .map(|(name, value)| (name, value.to_string()))
            .collect(),
        _ => BTreeMap::new(),
    }
}

/// What differs, in the order of the later one.
pub(crate) fn between(before: &Said, after: &Said) -> Vec<SettingChange> {
    let gone = before
        .lines
        .iter()
        .filter(|(name, _)| after.value(name).is_none());
    let names = after.lines.iter().chain(gone).map(|(name, _)| name);
    let mut changes: Vec<_> = names
        .map(|name| SettingChange {
            name: name.clone(),
            before: before.value(name).cloned(),
            after: after.value(name).cloned(),
        })
        .filter(|change| change.before != change.after)
        .collect();
    // A line that is missing above must not hide a change.
    if changes.is_empty() {
        let names = before.raw.keys().chain(after.raw.keys());
        let names: std::collections::BTreeSet<_> = names.collect();
        changes.extend(
            names
                .into_iter()
                .map(|name| SettingChange {
                    name: name.clone(),
                    before: before.raw.get(name).cloned(),
                    after: after.raw.get(name).cloned(),
                })
                .filter(|change| change.before != change.after),
        );
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::samples;
    use odin_wire::job::EnvVariable;

    /// The names of what differs after a change of the sample job.
    fn changed(change: impl Fn(&mut Job, &mut JobSettings)) -> Vec<String> {
        let before = samples::job();
        let mut after = before.clone();
        let mut settings = after.settings.take().unwrap();
        change(&mut after, &mut settings);
        after.settings = Some(settings);
        let changes = between(&Said::of_job(&before), &Said::of_job(&after));
        changes
            .into_iter()
            .map(|change| {
                let side = |side: Option<String>| side.unwrap_or_else(|| "-".to_owned());
                let (before, after) = (side(change.before), side(change.after));
                format!("{}: {before} → {after}", change.name)
            })
            .collect()
    }

    #[test]
    fn what_differs_is_told_in_words() {
        assert_eq!(changed(|_, _| {}), Vec::<String>::new());
        let seen = changed(|job, settings| {
            job.schedule = "every day at 09:00".into();
            job.description.clear();
            settings.timeout_ms = None;
            settings.env = vec![EnvVariable {
                name: "REGION".into(),
                value: "eu=1".into(),
            }];
            settings.bundle = "1".repeat(64);
        });
        let expected = [
            "schedule: every hour → every day at 09:00",
            "env REGION: - → eu=1",
            "timeout: 1m30s → none",
            "description: Check the stocks of specified companies → -",
        ];
        assert_eq!(seen, expected);
    }

    #[test]
    fn a_setting_without_a_line_is_told_by_its_name_in_json() {
        let seen = changed(|_, settings| settings.timezone = "UTC".into());
        assert_eq!(seen, [r#"timezone: "Europe/Dublin" → "UTC""#]);
    }
}
