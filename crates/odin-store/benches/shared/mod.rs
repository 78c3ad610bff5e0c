//! What the benches of the state share: minutely jobs of one user on one node.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use odin_model::command::{Deploy, DueAfter};
use odin_model::job::Visibility;
use odin_model::node::NodeFacts;
use odin_model::owner::{Owner, Principal, Role};
use odin_model::{BundleHash, JobId, JobName, JobSpec, NodeId, Program};

pub(crate) const NODE: NodeId = NodeId(1);

/// The instant of a round: a minute each, from the beginning of a day.
pub(crate) fn due(round: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_800_057_600 + 60 * round)
}

pub(crate) fn facts() -> NodeFacts {
    NodeFacts {
        name: "worker1".to_owned(),
        pid: 1,
        boot_id: String::new(),
        http: String::new(),
        raft: String::new(),
        version: String::new(),
        timezone: "UTC".to_owned(),
        slots: None,
    }
}

pub(crate) fn deploy(job: u64) -> Deploy {
    let name = JobName::parse(&format!("job {job}")).expect("a good name");
    let program = Program::Argv(vec!["/bin/true".to_owned()]);
    Deploy {
        by: Principal {
            user: Owner {
                user: "ann".to_owned(),
                uid: 1000,
            },
            role: Role::Operator,
        },
        id: Some(JobId::from_bits(job)),
        fresh_id: JobId::from_bits(job),
        spec: JobSpec::new(name, program, "every minute", "UTC"),
        bundle: BundleHash([1; 32]),
        visibility: Visibility::Listed,
        due: DueAfter {
            after: due(0),
            next_due: Some(due(1)),
        },
        expected: None,
        at: due(0),
    }
}

/// How long this thread has been on a processor.
pub(crate) fn cpu_time() -> Duration {
    let text =
        std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux with schedstat");
    let nanos = text.split(' ').next().and_then(|first| first.parse().ok());
    Duration::from_nanos(nanos.expect("a number first"))
}
