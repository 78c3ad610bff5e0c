//! `odin diff`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use odin_client::Client;
use odin_job_file::Purpose;
use odin_model::{BundleHash, JobId};
use odin_wire::{Exit, JobVersion};
use serde::Serialize;

use crate::commands::deploy::{Sending, send};
use crate::conflict::IfRevision;
use crate::context::Context;
use crate::deployment;
use crate::error::CliError;
use crate::file_diff::{self, FileChange};
use crate::selection;
use crate::settings_diff::{self, Said, SettingChange};
use crate::terminal::visible;

/// `odin diff`.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["id", "file"])))]
pub(crate) struct DiffArgs {
    /// The job's id, or its name
    #[arg(short, long, value_name = "JOB")]
    id: Option<String>,
    /// A job file: what deploying it would change
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["from", "to"])]
    file: Option<PathBuf>,
    /// The earlier version; the one before the later one unless given
    #[arg(long, value_name = "VERSION")]
    from: Option<u32>,
    /// The later version; the current one unless given
    #[arg(long, value_name = "VERSION")]
    to: Option<u32>,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
pub(crate) struct Difference {
    #[serde(with = "odin_wire::as_text")]
    pub(crate) job: JobId,
    pub(crate) name: String,
    /// `null`: the job is new.
    pub(crate) from: Option<u32>,
    /// `null`: what is in the file, which is no version yet.
    pub(crate) to: Option<u32>,
    pub(crate) settings: Vec<SettingChange>,
    pub(crate) files: Vec<FileChange>,
}

/// Shows what differs between two versions, or what a deployment would change.
pub(crate) async fn run(args: &DiffArgs, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let difference = match (&args.id, &args.file) {
        (Some(id), _) => of_chosen(&client, id, args).await?,
        (None, Some(file)) => of_file(&client, file.clone(), context).await?,
        (None, None) => unreachable!("one of them is required"),
    };
    if context.json() {
        return context.print_json(&difference);
    }
    context.print(&text(&difference))
}

async fn of_chosen(client: &Client, id: &str, args: &DiffArgs) -> Result<Difference, CliError> {
    let job = selection::job(client, id).await?;
    let to = args.to.unwrap_or(job.version);
    let from = match args.from {
        Some(from) => from,
        None if to > 1 => to - 1,
        None => {
            let message = format!("there is no version of job {} before version {to}", job.id);
            return Err(
                CliError::new(Exit::NotFound, "job/no-such-version", message)
                    .with_help("`odin versions` lists the versions of a job."),
            );
        }
    };
    of_versions(client, job.id, &job.name, (from, to)).await
}

/// What differs between two versions of a job.
pub(crate) async fn of_versions(
    client: &Client,
    job: JobId,
    name: &str,
    (from, to): (u32, u32),
) -> Result<Difference, CliError> {
    let before = client.version(job, from).await?;
    let after = client.version(job, to).await?;
    let files = if before.bundle == after.bundle {
        Vec::new()
    } else {
        let packed = [
            client.bundle_of(job, from).await?,
            client.bundle_of(job, to).await?,
        ];
        file_diff::between(
            (&packed[0], hash(&before.bundle)?),
            (&packed[1], hash(&after.bundle)?),
        )?
    };
    Ok(Difference {
        job,
        name: name.to_owned(),
        from: Some(from),
        to: Some(to),
        settings: settings_diff::between(&Said::of_version(&before), &Said::of_version(&after)),
        files,
    })
}

async fn of_file(
    client: &Client,
    file: PathBuf,
    context: &Context,
) -> Result<Difference, CliError> {
    let prepared = deployment::prepare(&file, Purpose::Deploy)?;
    let outlook = send(
        client,
        &prepared,
        Sending::DryRun(IfRevision::default()),
        context,
    )
    .await?;
    let before: Option<JobVersion> = match outlook.version {
        1 => None,
        next => Some(client.version(outlook.id, next - 1).await?),
    };
    let files = match &before {
        Some(before) if before.bundle == prepared.hash.to_string() => Vec::new(),
        Some(before) => {
            let packed = client.bundle_of(outlook.id, before.version).await?;
            let deployed = (&packed[..], hash(&before.bundle)?);
            file_diff::between(deployed, (&prepared.packed, prepared.hash))?
        }
        None => file_diff::all_added((&prepared.packed, prepared.hash))?,
    };
    let nothing = Said::default();
    let said_before = before.as_ref().map_or(nothing, Said::of_version);
    Ok(Difference {
        job: outlook.id,
        name: outlook.name.clone(),
        from: before.map(|before| before.version),
        to: None,
        settings: settings_diff::between(&said_before, &Said::of_job(&outlook)),
        files,
    })
}

fn hash(text: &str) -> Result<BundleHash, CliError> {
    text.parse().map_err(|error: odin_model::id::IdError| {
        CliError::new(Exit::Failed, "bundle/corrupt", error.to_string())
    })
}

pub(crate) fn text(difference: &Difference) -> String {
    let named = |version: Option<u32>, none: &str| {
        version.map_or(none.to_owned(), |version| format!("version {version}"))
    };
    let mut text = format!(
        "{} ({}): {} → {}\n",
        visible(&difference.name),
        difference.job,
        named(difference.from, "nothing"),
        named(difference.to, "the file")
    );
    if difference.settings.is_empty() && difference.files.is_empty() {
        text.push_str("  nothing differs\n");
    }
    for change in &difference.settings {
        let shown = |side: &Option<String>| match side {
            Some(value) => visible(value).into_owned(),
            None => "(none)".to_owned(),
        };
        let (before, after) = (shown(&change.before), shown(&change.after));
        let name = visible(&change.name);
        let _ = writeln!(text, "  {name}: {before} → {after}");
    }
    for change in &difference.files {
        let _ = writeln!(text, "  file {}: {}", visible(&change.path), change.words());
        for line in change.diff.iter().flat_map(|diff| diff.lines()) {
            let _ = writeln!(text, "    {}", visible(line));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file_diff::Change;
    use expect_test::expect;

    #[test]
    fn settings_come_first_and_files_with_their_lines() {
        let setting = |name: &str, before: Option<&str>, after: Option<&str>| SettingChange {
            name: name.into(),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        };
        let file = |path: &str, change, diff: Option<&str>| FileChange {
            path: path.into(),
            change,
            before_bytes: (change != Change::Added).then_some(7),
            after_bytes: (change != Change::Removed).then_some(9),
            diff: diff.map(str::to_owned),
        };
        let mut difference = Difference {
            job: "a37b187f5930".parse().unwrap(),
            name: "nightly".into(),
            from: Some(1),
            to: Some(2),
            settings: vec![
                setting("schedule", Some("every hour"), Some("every day at 09:00")),
                setting("timeout", None, Some("10m")),
            ],
            files: vec![
                file("lib/new.py", Change::Added, None),
                file(
                    "nightly.sh",
                    Change::Changed,
                    Some("@@ -1 +1 @@\n-echo 1\n+echo \u{1b}2\n"),
                ),
                file("old.bin", Change::Removed, None),
            ],
        };
        expect![[r#"
            nightly (a37b187f5930): version 1 → version 2
              schedule: every hour → every day at 09:00
              timeout: (none) → 10m
              file lib/new.py: added, 9 bytes
              file nightly.sh: changed
                @@ -1 +1 @@
                -echo 1
                +echo \u{1b}2
              file old.bin: removed, 7 bytes
        "#]]
        .assert_eq(&text(&difference));
        difference.settings.clear();
        difference.files.clear();
        (difference.from, difference.to) = (None, None);
        expect![[r#"
            nightly (a37b187f5930): nothing → the file
              nothing differs
        "#]]
        .assert_eq(&text(&difference));
    }
}
