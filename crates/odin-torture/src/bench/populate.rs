//! Many jobs at once: deployed through the log in this process, as a handler would, without a file for each.

use std::path::Path;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use odin_cluster::Options;
use odin_model::command::{Deploy, DueAfter};
use odin_model::job::{Job, Visibility};
use odin_model::node::NodeFacts;
use odin_model::owner::Role;
use odin_model::{Clock, Command, JobId, JobName, JobSpec, NodeId, Principal, Reply};
use odin_node::clock::SystemClock;
use odin_node::data_dir::DataDir;
use odin_node::executor_link::line;
use odin_node::{Engine, EngineParts, Founding, NoPeers};
use odin_store::Store;
use odin_testbed::Server;

use crate::bench::now;
use crate::outcome::Outcome;

/// How many deploys are in flight.
const IN_FLIGHT: usize = 512;

/// A server with one job that never comes due, `/bin/true`, whose files all others share; stopped.
pub(crate) fn template(odin: &Path, directory: &Path) -> Outcome<Server> {
    template_with(odin, directory, &[])
}

/// The same, started with these arguments.
pub(crate) fn template_with(odin: &Path, directory: &Path, arguments: &[&str]) -> Outcome<Server> {
    let mut server = Server::try_start(odin, &directory.join("data"), arguments)
        .map_err(|error| format!("the server is not ready: {error:?}"))?;
    let job_file = directory.join("template.yml");
    std::fs::write(
        &job_file,
        "job:\n  name: template\n  description: ''\n  command: [/bin/true]\n  schedule: never\n",
    )?;
    let deployed = server.odin([Path::new("deploy"), Path::new("-f"), &job_file]);
    if !deployed.status.success() {
        return Err(String::from_utf8_lossy(&deployed.stderr)
            .into_owned()
            .into());
    }
    // Once run, its files are unpacked.
    server.odin(["run", "-i", "template", "--wait"]);
    server.terminate();
    Ok(server)
}

/// Deploys `count` jobs like the template, with this schedule, all due first at `first_due`.
pub(crate) async fn jobs(
    data_dir: &Path,
    count: u64,
    schedule: &str,
    first_due: Timestamp,
) -> Outcome<()> {
    let directory = DataDir::open(data_dir)?;
    let engine = engine(&directory, NodeId(1)).await?;
    let template = engine
        .reader
        .jobs(None, None, 10)?
        .jobs
        .pop()
        .ok_or("the template is not there")?;
    let deploys = (0..count).map(|number| {
        let command = deploy(&template, number, schedule, first_due);
        let proposer = engine.proposer.clone();
        async move {
            match proposer.propose(&command?).await? {
                Reply::Job { .. } => Ok(()),
                other => Err(format!("a deploy was answered with {other:?}").into()),
            }
        }
    });
    let done: Outcome<()> = stream::iter(deploys)
        .buffer_unordered(IN_FLIGHT)
        .try_collect()
        .await;
    engine.stop().await;
    done
}

fn deploy(template: &Job, number: u64, schedule: &str, first_due: Timestamp) -> Outcome<Command> {
    let name = JobName::parse(&format!("job-{number}"))?;
    let spec = JobSpec {
        name,
        schedule: schedule.to_owned(),
        timezone: "UTC".to_owned(),
        ..template.spec.clone()
    };
    Ok(Command::Deploy(Box::new(Deploy {
        by: Principal {
            user: template.owner.clone(),
            role: Role::Admin,
        },
        id: None,
        fresh_id: job_id(number),
        spec,
        bundle: template.bundle,
        visibility: Visibility::Listed,
        due: DueAfter {
            after: now(),
            next_due: Some(first_due),
        },
        expected: None,
        at: now(),
    })))
}

/// The id of a job that [`jobs`] deploys.
pub(crate) fn job_id(number: u64) -> JobId {
    JobId::from_bits(0x1000_0000_0000 + number)
}

/// An engine in this process that runs nothing.
pub(crate) async fn engine(directory: &DataDir, node: NodeId) -> Outcome<Engine> {
    let store = Store::open(&directory.state_db())?;
    let (link, _no_executor) = line();
    let parts = EngineParts {
        facts: NodeFacts {
            name: "master-node".to_owned(),
            pid: std::process::id(),
            boot_id: String::new(),
            http: String::new(),
            raft: String::new(),
            version: "bench".to_owned(),
            timezone: "UTC".to_owned(),
            slots: None,
        },
        store,
        log: Options::on_disk(
            node,
            directory.log().join("entries"),
            directory.log().join("snapshots"),
        ),
        founding: Founding::With(vec![node]),
        transport: Arc::new(NoPeers),
        clock: Arc::new(SystemClock) as Arc<dyn Clock>,
        executor: link,
        bundles: directory.bundles(),
        keyring: Arc::new(odin_node::Keyring::of_key(&[7; 32])),
        values: None,
    };
    Ok(Engine::start(parts).await?)
}
