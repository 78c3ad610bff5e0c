//! Of two people who change a job at once, the second is told.

use clap::Args;
use odin_client::{Client, ClientError};

use crate::context::Context;
use crate::selection;
use crate::times;

/// What a change of a job may depend on.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct IfRevision {
    /// Only if the job is still at this revision, which `odin describe` shows
    #[arg(long = "if-revision", value_name = "REVISION")]
    pub(crate) revision: Option<u64>,
}

/// A refusal of a change of `job`, an id or a name; of a conflict, with who made the version that is there.
pub(crate) async fn with_who(
    error: ClientError,
    client: &Client,
    job: &str,
    context: &Context,
) -> ClientError {
    let ClientError::Refused(mut problem) = error else {
        return error;
    };
    if problem.code == "job/conflict"
        && let Ok(job) = selection::job(client, job).await
        && let Ok(list) = client.versions(job.id, 1).await
        && let Some(latest) = list.versions.first()
    {
        let ago = times::relative(latest.at, context.now());
        problem.help = Some(format!(
            "Its version {} was made by {} {ago}, and it is {} at revision {}. Look with `odin describe -i {id}` and \
             `odin diff -i {id}`, then repeat.",
            latest.version,
            latest.by,
            job.state.word(),
            job.revision,
            id = job.id,
        ));
    }
    ClientError::Refused(problem)
}
