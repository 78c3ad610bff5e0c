//! What the tests of this crate share: a store in a temporary directory, and commands with everything that a test
//! does not care about filled in.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use odin_model::alert::{Alert, AlertState};
use odin_model::attempt::{AttemptEvent, AttemptEventKind, AttemptResult, Ending};
use odin_model::command::{
    Command, Deploy, DueAfter, Fire, FireAnswer, FireItem, Modify, SetJobState,
};
use odin_model::job::{Job, Visibility};
use odin_model::node::NodeFacts;
use odin_model::output::{OutputChunk, OutputKept, OutputSummary, Stream};
use odin_model::owner::{Owner, Principal, Role};
use odin_model::retention::Seal;
use odin_model::value::{ReportValues, ValuesPart};
use odin_model::{
    AttemptNumber, BundleHash, Concurrency, Epoch, JobId, JobName, JobSpec, JobState, LedgerRow,
    Missed, NodeId, Program, Refusal, Reply, RunId, Usage, Value, ValueData, ValueKind, codec,
};

use crate::{AlertsOf, Applied, Effect, Entry, HistoryStep, Store};

/// The node that tests use when they use one.
pub(crate) const NODE: NodeId = NodeId(1);

/// A store with a log index that counts up.
pub(crate) struct Scenario {
    pub(crate) store: Store,
    pub(crate) index: u64,
    pub(crate) effects: Vec<Effect>,
    pub(crate) directory: tempfile::TempDir,
}

/// The instant that many minutes after a fixed one.
pub(crate) fn minute(minutes: i64) -> Timestamp {
    "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minutes)
}

pub(crate) fn person(user: &str, role: Role) -> Principal {
    let uid = 1000 + user.bytes().map(u32::from).sum::<u32>();
    Principal {
        user: Owner {
            user: user.to_owned(),
            uid,
        },
        role,
    }
}

pub(crate) fn ann() -> Principal {
    person("ann", Role::Operator)
}

pub(crate) fn bob() -> Principal {
    person("bob", Role::Operator)
}

pub(crate) fn root() -> Principal {
    person("root", Role::Admin)
}

pub(crate) fn name(text: &str) -> JobName {
    JobName::parse(text).unwrap()
}

pub(crate) fn spec(job_name: &str) -> JobSpec {
    let program = Program::Shell("true".to_owned());
    JobSpec::new(name(job_name), program, "every minute", "UTC")
}

/// A minutely job of Ann's, first due at minute 1.
pub(crate) fn deploy(job_name: &str) -> Deploy {
    let bits = job_name.bytes().fold(0u64, |bits, byte| {
        (bits << 8 | u64::from(byte)) % 0xffff_fffb
    });
    Deploy {
        by: ann(),
        id: None,
        fresh_id: JobId::from_bits(bits),
        spec: spec(job_name),
        bundle: BundleHash([7; 32]),
        visibility: Visibility::Listed,
        due: due_after(0),
        expected: None,
        at: minute(0),
    }
}

/// The next due time of a minutely schedule after that minute.
pub(crate) fn due_after(minutes: i64) -> DueAfter {
    DueAfter {
        after: minute(minutes),
        next_due: Some(minute(minutes + 1)),
    }
}

pub(crate) fn facts(node_name: &str) -> NodeFacts {
    NodeFacts {
        name: node_name.to_owned(),
        pid: 1,
        boot_id: "boot".to_owned(),
        http: "127.0.0.1:8080".to_owned(),
        raft: String::new(),
        version: "0.1.0".to_owned(),
        timezone: "UTC".to_owned(),
        slots: None,
    }
}

pub(crate) fn started(run: RunId) -> AttemptEvent {
    AttemptEvent {
        run,
        attempt: AttemptNumber::FIRST,
        kind: AttemptEventKind::Started {
            at: minute(1),
            pid: 42,
        },
    }
}

pub(crate) fn finished(run: RunId, ending: Ending) -> AttemptEvent {
    let chunk = OutputChunk {
        stream: Stream::Stdout,
        at: minute(2),
        bytes: b"hello\n".to_vec(),
    };
    let result = AttemptResult {
        ending,
        started_at: Some(minute(1)),
        finished_at: minute(2),
        usage: Usage {
            cpu_user: Duration::from_millis(3),
            cpu_system: Duration::from_millis(1),
            memory_max_bytes: 4096,
        },
        output: OutputSummary {
            stdout_bytes: 6,
            stderr_bytes: 0,
            dropped_bytes: 0,
            kept: OutputKept::Inline(vec![chunk]),
        },
    };
    AttemptEvent {
        run,
        attempt: AttemptNumber::FIRST,
        kind: AttemptEventKind::Finished(Box::new(result)),
    }
}

/// A watched value of that name.
pub(crate) fn watched(value_name: &str, at: Timestamp, data: ValueData) -> Value {
    Value {
        at,
        kind: ValueKind::Watch,
        name: value_name.to_owned(),
        data,
        status: None,
        unit: None,
        flaw: None,
    }
}

pub(crate) fn number_at(value_name: &str, at: Timestamp, number: i32) -> Value {
    watched(value_name, at, ValueData::Number(number.to_string()))
}

/// A part of what the first attempt of a run reported.
pub(crate) fn part_of(run: RunId, from: u64, to: u64, values: Vec<Value>) -> ValuesPart {
    ValuesPart {
        run,
        attempt: AttemptNumber::FIRST,
        from,
        to,
        taken_at: values.first().map_or(minute(0), |value| value.at),
        values,
    }
}

impl Scenario {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(&directory.path().join("state.db")).unwrap();
        Self {
            store,
            index: 0,
            effects: Vec::new(),
            directory,
        }
    }

    /// One with [`NODE`] up.
    pub(crate) fn with_node() -> Self {
        let mut scenario = Self::new();
        scenario.node_up(NODE, "worker1");
        scenario
    }

    /// Closes the store and opens it again.
    pub(crate) fn reopened(self) -> Self {
        let Self {
            store,
            index,
            effects,
            directory,
        } = self;
        drop(store);
        let store = Store::open(&directory.path().join("state.db")).unwrap();
        Self {
            store,
            index,
            effects,
            directory,
        }
    }

    /// Applies one command and keeps its effects.
    pub(crate) fn apply(&mut self, command: &Command) -> Reply {
        self.index += 1;
        let bytes = codec::encode(command);
        let entry = Entry {
            index: self.index,
            command: &bytes,
        };
        let mark = self.index.to_le_bytes();
        let Applied {
            replies, effects, ..
        } = self.store.apply(&[entry], &mark).unwrap();
        self.effects = effects;
        let [reply] = <[Reply; 1]>::try_from(replies).unwrap();
        reply
    }

    /// Applies a command that is to be refused, and that is to change nothing.
    #[track_caller]
    pub(crate) fn refused(&mut self, command: &Command) -> Refusal {
        let before = self.store.state_hash().unwrap();
        let Reply::Refused(refusal) = self.apply(command) else {
            panic!("not refused: {command:?}")
        };
        assert_eq!(self.store.state_hash().unwrap(), before);
        assert_eq!(self.effects, []);
        refusal
    }

    pub(crate) fn node_up(&mut self, node: NodeId, node_name: &str) -> Epoch {
        let command = Command::NodeUp {
            node,
            facts: facts(node_name),
            at: minute(0),
        };
        match self.apply(&command) {
            Reply::NodeUp { epoch } => epoch,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(crate) fn deploy(&mut self, deploy: Deploy) -> JobId {
        match self.apply(&Command::Deploy(Box::new(deploy))) {
            Reply::Job { id, .. } => id,
            other => panic!("{other:?}"),
        }
    }

    /// A job of that name with these policies.
    pub(crate) fn job_with(
        &mut self,
        job_name: &str,
        concurrency: impl Into<Concurrency>,
        missed: Missed,
    ) -> JobId {
        let mut deploy = deploy(job_name);
        deploy.spec.concurrency = concurrency.into();
        deploy.spec.missed = missed;
        self.deploy(deploy)
    }

    /// An item with the occurrences of those minutes, to [`NODE`].
    pub(crate) fn item(&self, id: JobId, minutes: &[i64]) -> FireItem {
        FireItem {
            job: id,
            revision: self.job(id).revision,
            due: minute(minutes[0]),
            earlier: None,
            listed: minutes.iter().map(|&at| minute(at)).collect(),
            next_due: minutes.last().map(|last| minute(last + 1)),
            node: Some(NODE),
            calendars: 0,
        }
    }

    pub(crate) fn fire_item(&mut self, item: FireItem, now: i64) -> FireAnswer {
        let command = Command::Fire(Fire {
            items: vec![item],
            proposed_at: minute(now),
        });
        match self.apply(&command) {
            Reply::Fired(answers) => answers[0],
            other => panic!("{other:?}"),
        }
    }

    /// Decides the occurrences of those minutes when it is that minute.
    pub(crate) fn fire(&mut self, id: JobId, minutes: &[i64], now: i64) -> FireAnswer {
        let item = self.item(id, minutes);
        self.fire_item(item, now)
    }

    /// Decides one occurrence in time and gives its run.
    #[track_caller]
    pub(crate) fn run_of(&mut self, id: JobId, at: i64) -> RunId {
        assert_eq!(self.fire(id, &[at], at), FireAnswer::Decided);
        self.ledger(id).last().unwrap().run.unwrap()
    }

    /// Seals every run that is over.
    pub(crate) fn seal(&mut self) {
        let after = self.store.reader().sealed_upto().unwrap();
        let upto = self.index;
        let at = minute(0);
        self.apply(&Command::Seal(Seal { after, upto, at }));
    }

    /// Lets the historian do all that is to be done.
    pub(crate) fn settle(&mut self) -> Vec<HistoryStep> {
        let mut historian = self.store.historian().unwrap();
        let mut steps = Vec::new();
        loop {
            match historian.step().unwrap() {
                HistoryStep::Idle => return steps,
                step => steps.push(step),
            }
        }
    }

    pub(crate) fn report(&mut self, events: Vec<AttemptEvent>) -> Reply {
        self.apply(&Command::Report { node: NODE, events })
    }

    /// A run of that minute that reports these, one part after the other, and ends so.
    pub(crate) fn run_with(
        &mut self,
        (job, at): (JobId, i64),
        parts: Vec<Vec<Value>>,
        ending: Ending,
    ) -> RunId {
        let run = self.run_of(job, at);
        self.report(vec![started(run)]);
        for (from, values) in (0..).step_by(10).zip(parts) {
            let parts = vec![part_of(run, from, from + 10, values)];
            self.apply(&Command::Values(ReportValues { parts }));
        }
        self.report(vec![finished(run, ending)]);
        run
    }

    /// All alerts, a line each, by id.
    pub(crate) fn alert_lines(&self) -> String {
        let mut alerts = Vec::new();
        for state in AlertState::ALL {
            let of = AlertsOf {
                state: Some(state),
                ..AlertsOf::default()
            };
            alerts.extend(self.store.reader().alerts(&of, None, 100).unwrap());
        }
        alerts.sort_by_key(|alert| alert.id);
        let line = |alert: &Alert| {
            let (word, state) = (alert.key.kind.word(), alert.state.word());
            let detail = &alert.key.detail;
            let (id, count, text) = (alert.id, alert.count, &alert.text);
            format!("{id} {state} {word}[{detail}] x{count}: {text}\n")
        };
        alerts.iter().map(line).collect()
    }

    pub(crate) fn set_state(&mut self, id: JobId, state: JobState, at: i64) -> Reply {
        self.apply(&Command::SetJobState(SetJobState {
            by: ann(),
            job: id,
            state,
            due: (state == JobState::Enabled).then(|| due_after(at)),
            expected: None,
            at: minute(at),
        }))
    }

    pub(crate) fn modify(&self, id: JobId) -> Modify {
        Modify {
            by: ann(),
            job: id,
            name: None,
            description: None,
            schedule: None,
            expected: None,
            at: minute(0),
        }
    }

    #[track_caller]
    pub(crate) fn job(&self, id: JobId) -> Job {
        self.store.reader().job(id).unwrap().unwrap()
    }

    #[track_caller]
    pub(crate) fn run(&self, id: RunId) -> odin_model::run::Run {
        self.store.reader().run(id).unwrap().unwrap()
    }

    pub(crate) fn ledger(&self, id: JobId) -> Vec<LedgerRow> {
        let reader = self.store.reader();
        reader
            .ledger(id, minute(-100_000), minute(1_000_000), 10_000)
            .unwrap()
    }

    /// The job's ledger, a line for each row, minutes for instants.
    pub(crate) fn ledger_lines(&self, id: JobId) -> String {
        let minutes = |at: Timestamp| at.duration_since(minute(0)).as_mins();
        let line = |row: &LedgerRow| {
            format!(
                "{}..{} {} {} {:?} {:?}\n",
                minutes(row.from),
                minutes(row.to),
                row.count,
                row.outcome.word(),
                row.reason,
                row.run
            )
        };
        self.ledger(id).iter().map(line).collect()
    }

    /// Minutes at which jobs come due, as the view has it.
    pub(crate) fn due_minutes(&self) -> Vec<i64> {
        let due = self.store.view().due(minute(1_000_000), 1000);
        due.into_iter()
            .map(|(at, _)| at.duration_since(minute(0)).as_mins())
            .collect()
    }
}
