//! Notification commands: each message is a run of a hidden job of the user it runs as, with the message beside it.
//!
//! A run has everything that a command needs: its owner's identity and environment, limits of time, its output kept,
//! and a start that happens once whatever crashes.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use odin_job_file::bundle::{Bundle, BundleError, BundlePath, Extra, Mode, PackedBundle};
use odin_model::command::{Deploy, DueAfter};
use odin_model::delivery::Message;
use odin_model::job::Visibility;
use odin_model::owner::{Principal, Role};
use odin_model::{
    Backoff, BundleHash, Clock, Command, HookCommand, JobId, JobName, JobSpec, NodeId, Owner,
    Program, Reply, Retries, RunId,
};
use odin_notify::{Receipt, SendError};
use sha2::{Digest, Sha256};

use super::dispatch::for_now;
use crate::proposer::Proposer;

/// How long a command may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How often one that fails is tried again.
const RETRIES: u16 = 3;
/// How long each of these waits.
const RETRY_DELAY: Duration = Duration::from_secs(30);
/// The message as JSON, in the command's directory: what a webhook would get.
const JSON_FILE: &str = "message.json";
/// The message as text, in the command's directory.
const TEXT_FILE: &str = "message.txt";

/// Starts notification commands on this node.
#[derive(Clone)]
pub(crate) struct Hooks {
    pub(crate) proposer: Proposer,
    pub(crate) clock: Arc<dyn Clock>,
    /// Where bundles are.
    pub(crate) bundles: PathBuf,
    pub(crate) node: NodeId,
}

impl Hooks {
    /// Starts the command for a message, once however often it is asked for within a day.
    pub(crate) async fn start(
        &self,
        command: &HookCommand,
        message: &Message,
        owner: &Owner,
    ) -> Result<Receipt, SendError> {
        let bundle = bundle_of(message).map_err(|error| for_now(error.to_string()))?;
        let (dir, packed) = (self.bundles.clone(), bundle.clone());
        let kept = tokio::task::spawn_blocking(move || keep(&dir, &packed)).await;
        match kept {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                return Err(for_now(format!("the message cannot be stored: {error}")));
            }
            Err(error) => return Err(for_now(error.to_string())),
        }
        let by = Principal {
            user: owner.clone(),
            role: Role::Operator,
        };
        let job = self.deploy(&by, command, message, bundle.hash).await?;
        let run = self.run(&by, job, message).await?;
        Ok(Receipt {
            answer: format!("started as {run}"),
            steps: vec![
                format!("made run {run} as {}", owner.user),
                format!("its output: odin log -i {run}"),
            ],
        })
    }

    async fn deploy(
        &self,
        by: &Principal,
        command: &HookCommand,
        message: &Message,
        bundle: BundleHash,
    ) -> Result<JobId, SendError> {
        let at = self.clock.wall();
        let deploy = Deploy {
            by: by.clone(),
            id: None,
            fresh_id: job_id(message),
            spec: spec(command, message),
            bundle,
            visibility: Visibility::Hidden,
            due: DueAfter {
                after: at,
                next_due: None,
            },
            expected: None,
            at,
        };
        match self
            .once(message, "job", Command::Deploy(Box::new(deploy)))
            .await?
        {
            Reply::Job { id, .. } => Ok(id),
            other => Err(for_now(format!(
                "the command's job was not made: {other:?}"
            ))),
        }
    }

    async fn run(&self, by: &Principal, job: JobId, message: &Message) -> Result<RunId, SendError> {
        let run = Command::RunNow {
            by: by.clone(),
            job,
            // The bundle is here.
            node: Some(self.node),
            at: self.clock.wall(),
        };
        match self.once(message, "run", run).await? {
            Reply::Run { id } => Ok(id),
            other => Err(for_now(format!("the command was not started: {other:?}"))),
        }
    }

    /// Proposes what counts once for a message.
    async fn once(
        &self,
        message: &Message,
        what: &str,
        command: Command,
    ) -> Result<Reply, SendError> {
        let key = format!("{}/{what}", message.id);
        let keyed = Command::Keyed {
            // No user is called so: it cannot meet a key of a person's.
            principal: "odin/notifier".to_owned(),
            digest: Sha256::digest(key.as_bytes()).into(),
            key,
            at: self.clock.wall(),
            command: Box::new(command),
        };
        match self.proposer.propose(&keyed).await {
            Ok(Reply::Refused(refusal)) => Err(for_now(refusal.to_string())),
            Ok(reply) => Ok(reply),
            Err(error) => Err(for_now(error.to_string())),
        }
    }
}

/// Made of the message's id: the same at every attempt.
fn job_id(message: &Message) -> JobId {
    let digest: [u8; 32] = Sha256::digest(message.id.to_string().as_bytes()).into();
    let mut bits = [0; 8];
    // A job's id has 48 bits.
    bits[2..].copy_from_slice(&digest[..6]);
    JobId::from_bits(u64::from_be_bytes(bits))
}

fn spec(command: &HookCommand, message: &Message) -> JobSpec {
    let program = match command {
        HookCommand::Argv(argv) => Program::Argv(argv.clone()),
        HookCommand::Shell(line) => Program::Shell(line.clone()),
    };
    let name = JobName::parse(&format!("notification {}", message.id))
        .expect("a message's id has nothing that a job's name cannot have");
    let mut spec = JobSpec::new(name, program, "never", "UTC");
    spec.description = odin_notify::subject(message);
    spec.env = vec![
        ("ODIN_MESSAGE_ID".to_owned(), message.id.to_string()),
        (
            "ODIN_MESSAGE_SUBJECT".to_owned(),
            odin_notify::subject(message),
        ),
    ];
    spec.timeouts.run = Some(TIMEOUT);
    spec.retries = Retries {
        max: RETRIES,
        backoff: Backoff::Fixed,
        delay: RETRY_DELAY,
        ..Retries::default()
    };
    spec
}

fn bundle_of(message: &Message) -> Result<PackedBundle, BundleError> {
    let mut bundle = Bundle::empty();
    let json = odin_notify::payload(message).to_string();
    for (name, content) in [(JSON_FILE, json), (TEXT_FILE, odin_notify::text(message))] {
        bundle.add_extra(Extra {
            path: BundlePath::parse(name).expect("the names are fixed and plain"),
            mode: Mode::Plain,
            content: content.into_bytes(),
        })?;
    }
    bundle.pack()
}

/// Stores a bundle under its name, whole or not at all.
fn keep(dir: &std::path::Path, bundle: &PackedBundle) -> io::Result<()> {
    let path = odin_api::bundle_path(dir, bundle.hash);
    let partial = dir.join(format!(".upload-{}", bundle.hash));
    let mut file = std::fs::File::create(&partial)?;
    file.write_all(&bundle.bytes)?;
    file.sync_all()?;
    std::fs::rename(&partial, &path)?;
    std::fs::File::open(dir)?.sync_all()
}
