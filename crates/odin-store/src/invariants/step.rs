//! The steps of the random walk, and the commands that need nothing of the state.

use jiff::Timestamp;
use odin_model::calendar::SetCalendar;
use odin_model::channel::{ChannelChange, ChannelSpec, Target, WebhookTarget};
use odin_model::command::Command;
use odin_model::concurrency::Bounds;
use odin_model::secret::{SealedSecret, SealingKeyId, SecretChange, SecretName, SecretUsers};
use odin_model::sink::{SinkChange, SinkName, SinkSpec, SinkTarget};
use odin_model::{ChannelName, Concurrency, LinkOn, Missed, Overlap};
use proptest::prelude::*;

use crate::scenario::{ann, bob, root};

/// Something that happens to one of a few jobs. Places choose among what there is at that moment.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Deploy {
        job: usize,
        concurrency: Concurrency,
        missed: Missed,
        retries: u16,
        rerun: bool,
        stale: bool,
        secret: bool,
    },
    Rename {
        job: usize,
        to: usize,
    },
    Pause {
        job: usize,
    },
    Resume {
        job: usize,
    },
    Remove {
        job: usize,
    },
    /// Occurrences from the cursor on, so many, decided that many minutes after the last.
    Fire {
        job: usize,
        count: i64,
        late: i64,
        stale: bool,
        placed: bool,
    },
    RunNow {
        job: usize,
    },
    Assign,
    Cancel {
        run: usize,
    },
    Started {
        run: usize,
    },
    Finished {
        run: usize,
        code: u8,
    },
    Lose {
        run: usize,
    },
    NodeUp,
    NodeDown,
    Link {
        from: usize,
        to: usize,
        on: LinkOn,
    },
    Unlink {
        from: usize,
        to: usize,
    },
    /// A person wants due times that have passed, so many minutes back.
    CatchUp {
        job: usize,
        back: i64,
        count: i64,
    },
    Quarantine {
        job: usize,
        stale: bool,
    },
    Release {
        job: usize,
    },
    Calendar {
        days: i32,
        gone: bool,
    },
    /// The due time is that many minutes later by other rules, or there is none any more.
    Recompute {
        job: usize,
        later: Option<i64>,
    },
    Secret {
        of_bob: bool,
        change: SecretStep,
    },
    /// A run that is asked for by a key of few, so that some are asked for again.
    Keyed {
        job: usize,
        key: u8,
    },
    Timezone {
        by_root: bool,
    },
    /// A channel that hears of nodes is set up, or goes.
    Channel {
        gone: bool,
    },
    /// A run is later than its job lets it be, as the leader saw it.
    Overdue {
        run: usize,
    },
    /// A sink is set up, or goes.
    Sink {
        gone: bool,
    },
    /// The sink's receiver took so many entries, from a place that may be another than the sink's.
    Forwarded {
        from: u64,
        count: u64,
    },
    /// The oldest message is about to be sent.
    Delivery {
        attempt: u32,
    },
    /// A run reports a value of itself, after what is applied or elsewhere.
    Values {
        run: usize,
        number: i32,
        stale: bool,
    },
}

/// What becomes of the one secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecretStep {
    Set(u8),
    Remove(SecretUsers),
    Share,
    Unshare(SecretUsers),
}

pub(super) const NAMES: [&str; 3] = ["a", "b", "c"];

pub(super) fn step() -> impl Strategy<Value = Step> {
    let job = 0..NAMES.len();
    let missed = prop_oneof![
        Just(Missed::Skip),
        Just(Missed::Once),
        (1u16..3).prop_map(|limit| Missed::All { limit })
    ];
    let concurrency =
        (0usize..4, prop::option::of(1u32..3), 0u32..3).prop_map(|(overlap, max, waiting)| {
            Concurrency {
                overlap: Overlap::ALL[overlap],
                bounds: Bounds {
                    max,
                    waiting: Some(waiting),
                },
            }
        });
    prop_oneof![
        2 => (job.clone(), concurrency, missed, 0u16..3, any::<bool>(), prop::bool::weighted(0.2), prop::bool::weighted(0.2))
            .prop_map(|(job, concurrency, missed, retries, rerun, stale, secret)| Step::Deploy { job, concurrency, missed, retries, rerun, stale, secret }),
        1 => (job.clone(), job.clone()).prop_map(|(job, to)| Step::Rename { job, to }),
        1 => job.clone().prop_map(|job| Step::Pause { job }),
        2 => job.clone().prop_map(|job| Step::Resume { job }),
        1 => job.clone().prop_map(|job| Step::Remove { job }),
        8 => (job.clone(), 1i64..6, -1i64..8, prop::bool::weighted(0.1), prop::bool::weighted(0.8))
            .prop_map(|(job, count, late, stale, placed)| Step::Fire { job, count, late, stale, placed }),
        1 => job.clone().prop_map(|job| Step::RunNow { job }),
        1 => Just(Step::Assign),
        1 => (0usize..9).prop_map(|run| Step::Cancel { run }),
        4 => (0usize..9).prop_map(|run| Step::Started { run }),
        4 => (0usize..9, 0u8..2).prop_map(|(run, code)| Step::Finished { run, code }),
        1 => (0usize..9).prop_map(|run| Step::Lose { run }),
        1 => Just(Step::NodeUp),
        1 => Just(Step::NodeDown),
        2 => (job.clone(), job.clone(), 0usize..3)
            .prop_map(|(from, to, on)| Step::Link { from, to, on: LinkOn::ALL[on] }),
        1 => (job.clone(), job.clone()).prop_map(|(from, to)| Step::Unlink { from, to }),
        2 => (job.clone(), 1i64..20, 1i64..8).prop_map(|(job, back, count)| Step::CatchUp { job, back, count }),
        1 => (job.clone(), prop::bool::weighted(0.1)).prop_map(|(job, stale)| Step::Quarantine { job, stale }),
        1 => job.clone().prop_map(|job| Step::Release { job }),
        1 => (0i32..4, any::<bool>()).prop_map(|(days, gone)| Step::Calendar { days, gone }),
        1 => (job.clone(), prop::option::weighted(0.8, 0i64..9)).prop_map(|(job, later)| Step::Recompute { job, later }),
        2 => (any::<bool>(), secret_step()).prop_map(|(of_bob, change)| Step::Secret { of_bob, change }),
        1 => (job, 0u8..4).prop_map(|(job, key)| Step::Keyed { job, key }),
        1 => any::<bool>().prop_map(|by_root| Step::Timezone { by_root }),
        1 => any::<bool>().prop_map(|gone| Step::Channel { gone }),
        1 => (0usize..9).prop_map(|run| Step::Overdue { run }),
        1 => (0u32..3).prop_map(|attempt| Step::Delivery { attempt }),
        1 => (0u32..4).prop_map(|n| Step::Sink { gone: n == 0 }),
        1 => (0u64..6, 0u64..4).prop_map(|(from, count)| Step::Forwarded { from, count }),
        2 => (0usize..9, any::<i32>(), prop::bool::weighted(0.2))
            .prop_map(|(run, number, stale)| Step::Values { run, number, stale }),
    ]
}

fn secret_step() -> impl Strategy<Value = SecretStep> {
    let users = prop_oneof![Just(SecretUsers::Protect), Just(SecretUsers::Ignore)];
    prop_oneof![
        any::<u8>().prop_map(SecretStep::Set),
        users.clone().prop_map(SecretStep::Remove),
        Just(SecretStep::Share),
        users.prop_map(SecretStep::Unshare),
    ]
}

pub(super) fn calendar(days: i32, gone: bool, at: Timestamp) -> Command {
    let name = "holidays".to_owned();
    match gone {
        true => Command::RemoveCalendar { by: ann(), name },
        false => Command::SetCalendar(SetCalendar {
            by: if days == 3 { bob() } else { ann() },
            name,
            days: (20_000..20_000 + days).collect(),
            at,
        }),
    }
}

pub(super) fn channel(gone: bool, at: Timestamp) -> Command {
    let (by, name) = (root(), ChannelName::parse("ops").unwrap());
    Command::Channel(Box::new(match gone {
        true => ChannelChange::Remove {
            by,
            name,
            force: true,
        },
        false => {
            let url = "https://example.org/hook".to_owned();
            let mut spec = ChannelSpec::new(Target::Webhook(WebhookTarget { url, secret: None }));
            spec.server_alerts = true;
            ChannelChange::Set {
                by,
                name,
                spec,
                token: 7,
                at,
            }
        }
    }))
}

pub(super) fn sink(gone: bool, at: Timestamp) -> Command {
    let (by, name) = (root(), SinkName::parse("file").unwrap());
    Command::Sink(Box::new(match gone {
        true => SinkChange::Remove { by, name },
        false => SinkChange::Set {
            by,
            name,
            spec: SinkSpec::new(SinkTarget::Otlp {
                url: "http://127.0.0.1:4318".to_owned(),
                header: None,
            }),
            token: 7,
            at,
        },
    }))
}

pub(super) fn forwarded(from: u64, count: u64, at: Timestamp) -> Command {
    Command::Sink(Box::new(SinkChange::Advance {
        name: SinkName::parse("file").unwrap(),
        token: 7,
        from,
        to: from + count,
        sent: count,
        skipped: 0,
        last_skipped: None,
        dropped: 0,
        at,
    }))
}

pub(super) fn secret_name() -> SecretName {
    SecretName::parse("API_KEY").unwrap()
}

/// A change of the secret of Ann or Bob, which is shared with Ann.
pub(super) fn secret(of_bob: bool, change: SecretStep, at: Timestamp) -> Command {
    let by = if of_bob { root() } else { ann() };
    let owner = if of_bob { bob().user } else { ann().user };
    let (name, with) = (secret_name(), ann().user);
    Command::Secret(Box::new(match change {
        SecretStep::Set(byte) => SecretChange::Set {
            by,
            owner,
            name,
            sealed: SealedSecret {
                key: SealingKeyId([1; 8]),
                nonce: [byte; 24],
                ciphertext: vec![byte; 20],
            },
            at,
        },
        SecretStep::Remove(users) => SecretChange::Remove {
            by,
            owner,
            name,
            users,
        },
        SecretStep::Share => SecretChange::Share {
            by,
            owner,
            name,
            with,
            at,
        },
        SecretStep::Unshare(users) => SecretChange::Unshare {
            by,
            owner,
            name,
            with,
            users,
        },
    }))
}

/// The name of the step that makes such a command: a new command does not compile before it has one.
pub(super) fn step_of(command: &Command) -> &'static str {
    match command {
        Command::NodeUp { .. } => "node up",
        Command::NodeDown { .. } => "node down",
        Command::Deploy(_) => "deploy",
        Command::Modify(_) => "rename",
        Command::SetJobState(_) => "pause, resume",
        Command::Remove { .. } => "remove",
        Command::Fire(_) => "fire",
        Command::RunNow { .. } => "run now",
        Command::Assign { .. } => "assign",
        Command::Cancel { .. } => "cancel",
        Command::Report { .. } => "started, finished",
        Command::Keyed { .. } => "keyed",
        Command::Set { .. } => "timezone",
        Command::Lose { .. } => "lose",
        Command::SetCalendar(_) => "calendar",
        Command::RemoveCalendar { .. } => "calendar gone",
        Command::Recompute(_) => "recompute",
        Command::Link { .. } => "link",
        Command::Unlink { .. } => "unlink",
        Command::CatchUp(_) => "catch up",
        Command::Secret(_) => "secret",
        Command::Quarantine(_) => "quarantine",
        Command::Release { .. } => "release",
        Command::Values(_) => "values",
        Command::Alert(_) => "overdue",
        Command::Channel(_) => "channel",
        Command::Delivery(_) => "delivery",
        Command::Sink(_) => "sink",
        Command::Seal(_) => "seal",
        Command::Forget(_) => "forget",
        Command::TrimLedger(_) => "trim ledger",
        Command::ForgetValues(_) => "forget values",
    }
}

/// How many names [`step_of`] knows, but for `seal` and `forget`: these have a walk of their own, beside the history.
pub(super) const STEPS: usize = 28;
