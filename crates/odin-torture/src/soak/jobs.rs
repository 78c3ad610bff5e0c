//! The jobs of a soak.

use std::path::Path;

use odin_testbed::Server;
use odin_wire::Outcome as RunOutcome;

use crate::outcome::Outcome;

/// One of them.
pub(super) struct SoakJob {
    pub(super) name: &'static str,
    schedule: &'static str,
    /// More lines of its job file.
    more: &'static str,
    /// What it does beside writing its evidence.
    work: &'static str,
    /// How its runs end.
    pub(super) ends: RunOutcome,
}

const fn job(
    name: &'static str,
    schedule: &'static str,
    more: &'static str,
    work: &'static str,
    ends: RunOutcome,
) -> SoakJob {
    SoakJob {
        name,
        schedule,
        more,
        work,
        ends,
    }
}

/// Secrets, limits, links, output, values, failures, runs that overlap, and runs that are soon let go of.
pub(super) const JOBS: [SoakJob; 10] = [
    job("plain", "every second", "", "true", RunOutcome::Succeeded),
    job("second", "every second", "", "true", RunOutcome::Succeeded),
    job(
        "secret",
        "every second",
        "  secrets: [SOAK_KEY]\n",
        "echo $SOAK_KEY",
        RunOutcome::Succeeded,
    ),
    job(
        "limited",
        "every 2 seconds",
        "  limits: {processes: 50, open_files: 100, best_effort: true}\n",
        "true",
        RunOutcome::Succeeded,
    ),
    job(
        "loud",
        "every 2 seconds",
        "",
        "seq 1 3000",
        RunOutcome::Succeeded,
    ),
    job(
        "slow",
        "every 3 seconds",
        "",
        "sleep 7",
        RunOutcome::Succeeded,
    ),
    job(
        "brief",
        "every second",
        "  keep: {runs: 40, output: 20KiB}\n",
        "seq 1 200",
        RunOutcome::Succeeded,
    ),
    job(
        "reports",
        "every 2 seconds",
        "  keep: {runs: 40}\n",
        "$ODIN watch price $$ && $ODIN condition even 1 && $ODIN watch note \"$ODIN_RUN_ID\"",
        RunOutcome::Succeeded,
    ),
    job("fails", "every 2 seconds", "", "exit 3", RunOutcome::Failed),
    job("linked", "never", "", "true", RunOutcome::Succeeded),
];

const SECRET: &str = "a secret of the soak, long enough to be masked";

pub(super) fn deploy(server: &Server, odin: &Path, directory: &Path) -> Outcome<()> {
    let odin = std::fs::canonicalize(odin)?;
    let secret = directory.join("secret");
    std::fs::write(&secret, SECRET)?;
    let set = ["secret", "set", "SOAK_KEY", "--from-file"].map(Path::new);
    done(server, set.into_iter().chain([secret.as_path()]))?;
    for job in &JOBS {
        let evidence = directory.join(job.name).display().to_string();
        std::fs::write(&evidence, "")?;
        let job_file = directory.join(format!("{}.yml", job.name));
        // One write of one line, to a file opened for appending: lines of many processes do not mix.
        let text = format!(
            "job:\n  name: {}\n  description: soak\n  env: {{ODIN: {}}}\n  command: 'echo $ODIN_RUN_ID >> {evidence}; {}'\n  \
             schedule: {}\n  timezone: UTC\n{}",
            job.name,
            odin.display(),
            job.work,
            job.schedule,
            job.more
        );
        std::fs::write(&job_file, text)?;
        done(server, [Path::new("deploy"), Path::new("-f"), &job_file])?;
    }
    let link = ["link", "-f", "plain", "-t", "linked"];
    done(server, link.map(Path::new))
}

fn done<'a>(server: &Server, arguments: impl IntoIterator<Item = &'a Path>) -> Outcome<()> {
    let output = server.odin(arguments);
    if output.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned().into())
    }
}
