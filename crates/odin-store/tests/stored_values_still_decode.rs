//! Everything that a log or a state of today holds must be readable for ever. The fixture has the bytes that were
//! written once: its lines are added to and never changed.

#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use odin_model::Refusal;
use odin_model::alert::{
    AlertChange, AlertEvent, AlertKey, AlertRefusal, EventKind, Raised, Subject, Watch,
};
use odin_model::attempt::{AttemptEvent, AttemptEventKind, AttemptResult, Ending};
use odin_model::channel::{
    ChannelChange, ChannelSpec, EmailTarget, MailLogin, MailSecurity, QuietHours, Target,
    WebhookTarget,
};
use odin_model::command::{
    CatchUp, CatchUpAnswer, CaughtUpDue, Command, Deploy, DueAfter, Earlier, Fire, FireAnswer,
    FireItem, Modify, Reply, SetJobState, Setting,
};
use odin_model::concurrency::Bounds;
use odin_model::delivery::{DeliveryId, DeliveryStep, SettledRecipient};
use odin_model::job::Visibility;
use odin_model::node::NodeFacts;
use odin_model::output::{OutputChunk, OutputKept, OutputSummary, Stream};
use odin_model::owner::{Owner, Principal, Role};
use odin_model::quarantine::{SetApart, Unplannable};
use odin_model::reported_result::{ReportedResult, Verdict};
use odin_model::retention::{Forget, ForgetOf, ForgetValues, LedgerTrim, Seal, TrimLedger};
use odin_model::secret::{
    SealedSecret, SealingKeyId, SecretChange, SecretDelivery, SecretName, SecretUse, SecretUsers,
};
use odin_model::silence::SilenceScope;
use odin_model::sink::{SinkChange, SinkName, SinkRefusal, SinkSpec, SinkTarget};
use odin_model::value::{Flaw, ReportValues, ValuesPart};
use odin_model::{
    AlertId, AlertKind, Alerting, AttemptNumber, BundleHash, ChannelName, Children, Concurrency,
    Epoch, ExitCodes, FlagOf, HookCommand, JobId, JobName, JobSpec, JobState, Link, LinkOn, Missed,
    NodeId, Notice, OnCancel, OnLost, Overlap, Priority, Program, Retries, Revision, RunFlag,
    RunId, TimeoutKind, Usage, Value, ValueBounds, ValueData, ValueKind, VersionNumber, codec,
};
use odin_schedule::GapPolicy;
use serde::Serialize;
use serde::de::DeserializeOwned;

const FIXTURE: &str = include_str!("fixtures/stored-values-v3.txt");

/// The bytes of the fixture read as the value, and the value is written as these bytes.
fn check<T>(name: &str, value: &T) -> Result<(), String>
where
    T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug,
{
    let hex = codec::encode(value)
        .iter()
        .fold(String::new(), |mut hex, byte| {
            write!(hex, "{byte:02x}").unwrap();
            hex
        });
    let stored = FIXTURE
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        .ok_or_else(|| format!("the fixture lacks a line:\n{name}: {hex}"))?;
    if stored != hex {
        return Err(format!("{name} is written in another way:\n{name}: {hex}"));
    }
    let bytes: Vec<u8> = (0..stored.len())
        .step_by(2)
        .map(|place| u8::from_str_radix(&stored[place..place + 2], 16).unwrap())
        .collect();
    match codec::decode::<T>(&bytes) {
        Ok(read) if read == *value => Ok(()),
        other => Err(format!("{name} reads as {other:?}")),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn ann() -> Principal {
    Principal {
        user: Owner {
            user: "ann".to_owned(),
            uid: 1000,
        },
        role: Role::Operator,
    }
}

fn job() -> JobId {
    JobId::from_bits(0xa37b_187f_5930)
}

fn run() -> RunId {
    RunId::new(1, 48, 2)
}

fn due() -> DueAfter {
    DueAfter {
        after: at(0),
        next_due: Some(at(60)),
    }
}

fn spec(program: Program) -> JobSpec {
    let name = JobName::parse("nightly backup").unwrap();
    let mut spec = JobSpec::new(name, program, "every day at 2:00", "Europe/Berlin");
    spec.description = "copies".to_owned();
    spec.args = vec!["--all".to_owned()];
    spec.files = vec!["lib".to_owned()];
    spec.env = vec![("A".to_owned(), "1".to_owned())];
    spec.missed = Missed::All { limit: 7 };
    spec.concurrency = Concurrency {
        overlap: Overlap::Forbid,
        bounds: Bounds {
            max: Some(2),
            waiting: None,
        },
    };
    spec.retries = Retries {
        max: 3,
        exit_codes: vec![ExitCodes { from: 10, to: 20 }],
        ..Retries::default()
    };
    spec.loss.on_lost = OnLost::Rerun;
    spec.priority = Priority::new(-5).unwrap();
    spec.timeouts.run = Some(Duration::from_secs(90));
    spec.limits.memory_bytes = Some(512 << 20);
    spec.children = Children::Keep;
    spec.on_cancel = Some(OnCancel {
        command: HookCommand::Shell("true".to_owned()),
        timeout: Duration::from_secs(5),
    });
    spec.dst.gap = GapPolicy::Skip;
    spec
}

fn output() -> OutputSummary {
    let chunk = |stream| OutputChunk {
        stream,
        at: at(61),
        bytes: b"done\n".to_vec(),
    };
    OutputSummary {
        stdout_bytes: 5,
        stderr_bytes: 5000,
        dropped_bytes: 1,
        kept: OutputKept::Segments {
            tail: vec![chunk(Stream::Stdout), chunk(Stream::Stderr)],
        },
    }
}

fn facts() -> NodeFacts {
    NodeFacts {
        name: "worker1".to_owned(),
        pid: 77,
        boot_id: "b".to_owned(),
        http: "127.0.0.1:8080".to_owned(),
        raft: "127.0.0.1:8081".to_owned(),
        version: "0.1.0".to_owned(),
        timezone: "UTC".to_owned(),
        slots: None,
    }
}

fn finished(ending: Ending) -> AttemptEvent {
    AttemptEvent {
        run: run(),
        attempt: AttemptNumber(2),
        kind: AttemptEventKind::Finished(Box::new(AttemptResult {
            ending,
            started_at: Some(at(60)),
            finished_at: at(61),
            usage: Usage {
                cpu_user: Duration::from_micros(1500),
                cpu_system: Duration::from_micros(700),
                memory_max_bytes: 1 << 20,
            },
            output: output(),
        })),
    }
}

fn job_commands() -> Vec<(&'static str, Command)> {
    let program = Program::Interpreted {
        language: "python3".to_owned(),
        file: "main.py".to_owned(),
    };
    let deploy = Command::Deploy(Box::new(Deploy {
        by: ann(),
        id: Some(job()),
        fresh_id: JobId::from_bits(7),
        spec: spec(program),
        bundle: BundleHash([9; 32]),
        visibility: Visibility::Hidden,
        due: due(),
        expected: Some(Revision(47)),
        at: at(1),
    }));
    let modify = Command::Modify(Box::new(Modify {
        by: ann(),
        job: job(),
        name: Some(JobName::parse("weekly").unwrap()),
        description: Some("other".to_owned()),
        schedule: Some(("every hour".to_owned(), due())),
        expected: None,
        at: at(2),
    }));
    let set_state = Command::SetJobState(SetJobState {
        by: ann(),
        job: job(),
        state: JobState::Paused,
        due: None,
        expected: None,
        at: at(3),
    });
    let remove = Command::Remove {
        by: ann(),
        job: job(),
        expected: None,
        at: at(4),
    };
    let run_now = Command::RunNow {
        by: ann(),
        job: job(),
        node: Some(NodeId(3)),
        at: at(5),
    };
    let keyed = Command::Keyed {
        principal: "ann:1000".to_owned(),
        key: "k".to_owned(),
        digest: [5; 32],
        at: at(6),
        command: Box::new(run_now.clone()),
    };
    vec![
        ("deploy", deploy),
        ("modify", modify),
        ("set-job-state", set_state),
        ("remove", remove),
        ("run-now", run_now),
        ("keyed", keyed),
    ]
}

fn secret_commands() -> Vec<(&'static str, Command)> {
    let name = SecretName::parse("API_KEY").unwrap();
    let sealed = SealedSecret {
        key: SealingKeyId([1, 2, 3, 4, 5, 6, 7, 8]),
        nonce: [9; 24],
        ciphertext: vec![10; 20],
    };
    let (by, owner, with) = (ann(), ann().user, ann().user);
    let users = SecretUsers::Protect;
    let set = SecretChange::Set {
        by: by.clone(),
        owner: owner.clone(),
        name: name.clone(),
        sealed,
        at: at(8),
    };
    let remove = SecretChange::Remove {
        by: by.clone(),
        owner: owner.clone(),
        name: name.clone(),
        users: SecretUsers::Ignore,
    };
    let share = SecretChange::Share {
        by: by.clone(),
        owner: owner.clone(),
        name: name.clone(),
        with: with.clone(),
        at: at(9),
    };
    let unshare = SecretChange::Unshare {
        by,
        owner,
        name,
        with,
        users,
    };
    let command = |change| Command::Secret(Box::new(change));
    vec![
        ("secret-set", command(set)),
        ("secret-remove", command(remove)),
        ("secret-share", command(share)),
        ("secret-unshare", command(unshare)),
    ]
}

fn sink_commands() -> Vec<(&'static str, Command)> {
    let name = || SinkName::parse("metrics").unwrap();
    let url = || "https://example.org".to_owned();
    let set = |target| {
        let mut spec = SinkSpec::new(target);
        spec.secret = Some(SecretName::parse("TOKEN").unwrap());
        spec.runs = false;
        spec.kinds = vec![ValueKind::Metric];
        spec.jobs = vec![job()];
        SinkChange::Set {
            by: ann(),
            name: name(),
            spec,
            token: 78,
            at: at(21),
        }
    };
    let (org, bucket, database) = ("a".to_owned(), "b".to_owned(), "c".to_owned());
    let (user, header) = (Some("ann".to_owned()), Some("api-key".to_owned()));
    let file = SinkTarget::File {
        path: "/var/log/odin.jsonl".to_owned(),
        rotate_bytes: 1 << 20,
        keep: 3,
    };
    let metrics = |error| SinkChange::Metrics {
        name: name(),
        token: 78,
        error,
        at: at(24),
    };
    let changes = [
        (
            "sink-set-influx-v2",
            set(SinkTarget::InfluxV2 {
                url: url(),
                org,
                bucket,
            }),
        ),
        (
            "sink-set-influx-v3",
            set(SinkTarget::InfluxV3 {
                url: url(),
                database,
            }),
        ),
        (
            "sink-set-remote-write",
            set(SinkTarget::RemoteWrite { url: url(), user }),
        ),
        (
            "sink-set-otlp",
            set(SinkTarget::Otlp { url: url(), header }),
        ),
        (
            "sink-set-postgres",
            set(SinkTarget::Postgres { url: url() }),
        ),
        ("sink-set-file", set(file)),
        (
            "sink-remove",
            SinkChange::Remove {
                by: ann(),
                name: name(),
            },
        ),
        (
            "sink-advance",
            SinkChange::Advance {
                name: name(),
                token: 78,
                from: 3,
                to: 9,
                sent: 5,
                skipped: 1,
                last_skipped: Some("value \"x\"".to_owned()),
                dropped: 0,
                at: at(22),
            },
        ),
        (
            "sink-failing",
            SinkChange::Failing {
                name: name(),
                token: 78,
                error: "cannot connect".to_owned(),
                at: at(23),
            },
        ),
        ("sink-metrics", metrics(None)),
        (
            "sink-metrics-failing",
            metrics(Some("cannot connect".to_owned())),
        ),
    ];
    changes
        .into_iter()
        .map(|(case, change)| (case, Command::Sink(Box::new(change))))
        .collect()
}

fn alert_commands() -> Vec<(&'static str, Command)> {
    let name = ChannelName::parse("ops").unwrap();
    let key = AlertKey::detailed(AlertKind::ValueOutOfBounds, Subject::Job(job()), "rows");
    let raised = Raised {
        key: key.clone(),
        run: Some(run()),
        text: "rows is 0".to_owned(),
    };
    let scope = SilenceScope {
        job: Some(job()),
        kind: Some(AlertKind::Late),
        channel: Some(name.clone()),
    };
    let alert = |change| Command::Alert(Box::new(change));
    let watches = [Watch::Late, Watch::TooSlow, Watch::NeverFinished].map(|watch| (run(), watch));
    let email = Target::Email(EmailTarget {
        to: vec!["ops@example.org".to_owned()],
        from: "odin@example.org".to_owned(),
        host: "mail.example.org".to_owned(),
        port: 587,
        security: MailSecurity::StartTls,
        login: Some(MailLogin {
            user: "odin".to_owned(),
            password: SecretName::parse("SMTP").unwrap(),
        }),
    });
    let quiet = ChannelSpec {
        quiet: Some(QuietHours {
            from_minute: 1320,
            to_minute: 420,
            timezone: "Europe/Berlin".to_owned(),
        }),
        urgent: vec![AlertKind::NodeDown],
        server_alerts: true,
        ..ChannelSpec::new(email)
    };
    let webhook = ChannelSpec::new(Target::Webhook(WebhookTarget {
        url: "https://example.org".to_owned(),
        secret: Some(SecretName::parse("HOOK").unwrap()),
    }));
    let command = ChannelSpec::new(Target::Command(HookCommand::Shell("wall".to_owned())));
    let set = |spec| {
        Command::Channel(Box::new(ChannelChange::Set {
            by: ann(),
            name: ChannelName::parse("ops").unwrap(),
            spec,
            token: 77,
            at: at(20),
        }))
    };
    let remove = ChannelChange::Remove {
        by: ann(),
        name,
        force: true,
    };
    let (delivery, attempt) = (DeliveryId(5), 2);
    let step = |step| Command::Delivery(Box::new(step));
    vec![
        (
            "alert-overdue",
            alert(AlertChange::Overdue {
                watches: watches.to_vec(),
                at: at(11),
            }),
        ),
        (
            "alert-raise",
            alert(AlertChange::Raise {
                alerts: vec![raised],
                at: at(12),
            }),
        ),
        (
            "alert-resolve",
            alert(AlertChange::Resolve {
                keys: vec![key],
                text: "well".to_owned(),
                at: at(13),
            }),
        ),
        (
            "alert-acknowledge",
            alert(AlertChange::Acknowledge {
                by: ann(),
                alert: AlertId(17),
                reason: "known".to_owned(),
                at: at(14),
            }),
        ),
        (
            "alert-silence",
            alert(AlertChange::Silence {
                by: ann(),
                scope,
                reason: "works".to_owned(),
                until: at(90),
                at: at(15),
            }),
        ),
        (
            "alert-unsilence",
            alert(AlertChange::Unsilence {
                by: ann(),
                silence: 3,
                at: at(16),
            }),
        ),
        ("channel-set-email", set(quiet)),
        ("channel-set-webhook", set(webhook)),
        ("channel-set-command", set(command)),
        ("channel-remove", Command::Channel(Box::new(remove))),
        (
            "delivery-begin",
            step(DeliveryStep::Begin {
                delivery,
                attempt,
                at: at(30),
                until: at(70),
                node: NodeId(2),
                epoch: Epoch(9),
            }),
        ),
        (
            "delivery-hold",
            step(DeliveryStep::Hold {
                delivery,
                attempt,
                until: at(80),
            }),
        ),
        (
            "delivery-done",
            step(DeliveryStep::Done {
                delivery,
                attempt,
                answer: "202".to_owned(),
                at: at(31),
            }),
        ),
        (
            "delivery-failed",
            step(DeliveryStep::Failed {
                delivery,
                attempt,
                error: "500".to_owned(),
                next_at: Some(at(40)),
                at: at(31),
                settled: vec![
                    SettledRecipient {
                        address: "ops@example.org".to_owned(),
                        refused: None,
                    },
                    SettledRecipient {
                        address: "gone@example.org".to_owned(),
                        refused: Some("550".to_owned()),
                    },
                ],
            }),
        ),
    ]
}

fn other_commands() -> Vec<(&'static str, Command)> {
    let node = NodeId(3);
    let epoch = Epoch(40);
    let item = FireItem {
        job: job(),
        revision: Revision(47),
        due: at(0),
        earlier: Some(Earlier {
            from: at(0),
            to: at(60),
            count: 2,
        }),
        listed: vec![at(120), at(180)],
        next_due: Some(at(240)),
        node: Some(node),
        calendars: 0,
    };
    let started = AttemptEvent {
        run: run(),
        attempt: AttemptNumber(2),
        kind: AttemptEventKind::Started {
            at: at(60),
            pid: 4711,
        },
    };
    let reason = "why".to_owned();
    let endings = [
        Ending::Exited { code: 3 },
        Ending::Signalled {
            signal: 11,
            core: true,
        },
        Ending::TimedOut {
            timeout: TimeoutKind::Silence,
            after: Duration::from_secs(30),
            after_kill: Some("signal 15".to_owned()),
        },
        Ending::Cancelled {
            reason: reason.clone(),
        },
        Ending::NotStartable {
            reason: reason.clone(),
        },
        Ending::Lost { reason },
        Ending::OutOfMemory {
            limit_bytes: Some(4096),
        },
    ];
    let events = std::iter::once(started).chain(endings.map(finished));
    vec![
        (
            "node-up",
            Command::NodeUp {
                node,
                facts: facts(),
                at: at(7),
            },
        ),
        (
            "node-down",
            Command::NodeDown {
                node,
                epoch,
                at: at(8),
            },
        ),
        (
            "quarantine",
            Command::Quarantine(SetApart {
                jobs: vec![Unplannable::new(job(), Revision(7), "no zone".to_owned())],
                at: at(3),
            }),
        ),
        (
            "release",
            Command::Release {
                jobs: vec![(job(), Revision(7))],
                at: at(4),
            },
        ),
        (
            "seal",
            Command::Seal(Seal {
                after: 7,
                upto: 900,
                at: at(4),
            }),
        ),
        (
            "forget",
            Command::Forget(Forget {
                jobs: vec![ForgetOf {
                    job: job(),
                    runs_before: Some(run()),
                    outputs_before: None,
                }],
                files_upto: 3,
                at: at(4),
            }),
        ),
        (
            "trim-ledger",
            Command::TrimLedger(TrimLedger {
                jobs: vec![LedgerTrim {
                    job: job(),
                    before: at(4),
                    rows_max: 1000,
                }],
            }),
        ),
        (
            "forget-values",
            Command::ForgetValues(ForgetValues {
                runs: vec![(job(), run())],
                blocks_max: 500,
            }),
        ),
        (
            "fire",
            Command::Fire(Fire {
                items: vec![item],
                proposed_at: at(200),
            }),
        ),
        (
            "assign",
            Command::Assign {
                runs: vec![(run(), AttemptNumber(2))],
                node,
                epoch,
            },
        ),
        (
            "lose",
            Command::Lose {
                node,
                epoch,
                runs: vec![(run(), AttemptNumber(1))],
                at: at(10),
            },
        ),
        (
            "cancel",
            Command::Cancel {
                by: ann(),
                run: run(),
                at: at(9),
            },
        ),
        (
            "report",
            Command::Report {
                node,
                events: events.collect(),
            },
        ),
        (
            "link",
            Command::Link {
                by: ann(),
                from: job(),
                to: JobId::from_bits(5),
                on: LinkOn::Failure,
                at: at(10),
            },
        ),
        (
            "unlink",
            Command::Unlink {
                by: ann(),
                from: job(),
                to: JobId::from_bits(5),
            },
        ),
        (
            "catch-up",
            Command::CatchUp(CatchUp {
                by: ann(),
                job: job(),
                due: vec![at(0), at(60)],
                at: at(70),
            }),
        ),
        (
            "set",
            Command::Set {
                by: ann(),
                setting: Setting::Timezone("UTC".to_owned()),
            },
        ),
    ]
}

fn replies() -> Vec<(&'static str, Reply)> {
    vec![
        ("reply-done", Reply::Done),
        (
            "reply-job",
            Reply::Job {
                id: job(),
                version: VersionNumber(2),
                revision: Revision(48),
                created: false,
                decided: vec![run()],
            },
        ),
        ("reply-run", Reply::Run { id: run() }),
        ("reply-node-up", Reply::NodeUp { epoch: Epoch(40) }),
        (
            "reply-fired",
            Reply::Fired(vec![
                FireAnswer::Decided,
                FireAnswer::Stale,
                FireAnswer::Blocked,
            ]),
        ),
        (
            "reply-removed",
            Reply::Removed {
                links: vec![Link {
                    from: job(),
                    to: JobId::from_bits(5),
                    on: LinkOn::Always,
                    at: at(10),
                    by: "ann".to_owned(),
                }],
            },
        ),
        ("reply-linked", Reply::Linked { created: true }),
        (
            "reply-catching-up",
            Reply::CatchingUp(vec![
                CaughtUpDue {
                    due: at(0),
                    answer: CatchUpAnswer::Started { run: run() },
                },
                CaughtUpDue {
                    due: at(60),
                    answer: CatchUpAnswer::Waiting,
                },
            ]),
        ),
        (
            "reply-refused-cycle",
            Reply::Refused(Refusal::LinkCycle {
                path: ["a", "b", "a"]
                    .map(|name| JobName::parse(name).unwrap())
                    .to_vec(),
            }),
        ),
        ("reply-refused", Reply::Refused(Refusal::RunOver(run()))),
        (
            "reply-values-up-to",
            Reply::ValuesUpTo(vec![Some(300), None]),
        ),
        ("reply-stepped", Reply::Stepped { counts: true }),
        (
            "reply-refused-alert",
            Reply::Refused(Refusal::Alert(AlertRefusal::UnknownChannel {
                name: ChannelName::parse("opps").unwrap(),
                channels: vec![ChannelName::parse("ops").unwrap()],
            })),
        ),
        (
            "reply-refused-sink",
            Reply::Refused(Refusal::Sink(SinkRefusal::NoSuchSink(
                SinkName::parse("metrics").unwrap(),
            ))),
        ),
        (
            "reply-refused-sinks",
            Reply::Refused(Refusal::Sink(SinkRefusal::TooManySinks)),
        ),
    ]
}

/// A value of each kind, type and flaw.
fn values() -> Command {
    let data = [
        ValueData::Number("-1.50".to_owned()),
        ValueData::Boolean(true),
        ValueData::Text("a,b".to_owned()),
        ValueData::Json("[1]".to_owned()),
    ];
    let flaws = [
        None,
        Some(Flaw::Cut { bytes: 5000 }),
        Some(Flaw::NameCut { bytes: 300 }),
        Some(Flaw::LineCut { bytes: 70_000 }),
        Some(Flaw::NotAnObject),
        Some(Flaw::BadMember {
            member: "kind".to_owned(),
        }),
        Some(Flaw::TooManyNames),
        Some(Flaw::Dropped {
            lines: 3,
            bytes: 4000,
        }),
    ];
    let value = |(number, kind): (usize, ValueKind)| Value {
        at: at(60),
        kind,
        name: "price".to_owned(),
        data: data[number % data.len()].clone(),
        status: (number == 2).then(|| "404".to_owned()),
        unit: (number == 4).then(|| "ms".to_owned()),
        flaw: flaws[number % flaws.len()].clone(),
    };
    Command::Values(ReportValues {
        parts: vec![ValuesPart {
            run: run(),
            attempt: AttemptNumber(2),
            from: 16,
            to: 300,
            values: ValueKind::ALL.into_iter().enumerate().map(value).collect(),
            taken_at: at(61),
        }],
    })
}

fn reported_result() -> ReportedResult {
    ReportedResult {
        text: "done".to_owned(),
        status: Some("404".to_owned()),
        verdict: Verdict::Warning,
    }
}

#[test]
fn every_command_and_stored_value_of_the_fixture_reads_as_it_was_written() {
    let mut results = Vec::new();
    for (name, command) in job_commands()
        .into_iter()
        .chain(other_commands())
        .chain(secret_commands())
        .chain(alert_commands())
        .chain(sink_commands())
    {
        results.push(check(name, &command));
    }
    for (name, reply) in replies() {
        results.push(check(name, &reply));
    }
    let compiled = Program::Compiled {
        language: "go".to_owned(),
        file: "main.go".to_owned(),
        binary: "main".to_owned(),
    };
    results.push(check("spec-compiled", &spec(compiled)));
    let argv = Program::Argv(vec!["/bin/true".to_owned()]);
    results.push(check("spec-argv", &spec(argv)));
    results.push(check(
        "spec-shell",
        &spec(Program::Shell("true".to_owned())),
    ));
    let mut kept = spec(Program::Shell("true".to_owned()));
    kept.keep.runs = 7;
    results.push(check("spec-keep", &kept));
    let mut with_secrets = spec(Program::Shell("true".to_owned()));
    with_secrets.secrets = vec![SecretUse {
        name: SecretName::parse("TLS_KEY").unwrap(),
        delivery: SecretDelivery::File,
    }];
    results.push(check("spec-secrets", &with_secrets));
    results.push(check("values", &values()));
    results.push(check("reported-result", &reported_result()));
    let mut telling = spec(Program::Shell("true".to_owned()));
    telling.alerting = Alerting {
        on: Notice::ALL.to_vec(),
        to: vec![ChannelName::parse("ops").unwrap()],
        failures: 3,
        repeat: Duration::from_secs(60),
        late_after: Some(Duration::from_secs(900)),
        min_duration: Some(Duration::from_secs(1)),
        max_duration: Some(Duration::from_secs(9)),
        values: vec![ValueBounds {
            name: "price".to_owned(),
            min: Some("1".to_owned()),
            max: None,
        }],
    };
    results.push(check("spec-alerting", &telling));
    results.push(check("alerting", &telling.alerting));
    let flag = |of, name: &str, low: Option<&str>| RunFlag {
        of,
        name: name.to_owned(),
        value: "5000".to_owned(),
        low: low.map(str::to_owned),
        high: Some("111.7".to_owned()),
        reason: "it is".to_owned(),
    };
    let flags = vec![
        flag(FlagOf::Value, "price", Some("89.55")),
        flag(FlagOf::Duration, "duration", None),
    ];
    results.push(check("run-flags", &flags));
    let history: Vec<String> = vec!["98".to_owned(), "101.5".to_owned()];
    results.push(check("value-history", &history));
    let event = AlertEvent {
        alert: AlertId(17),
        kind: AlertKind::Failure,
        event: EventKind::Repeated,
        at: at(30),
        job: Some((job(), telling.name.clone())),
        owner: Some("ann".to_owned()),
        node: Some("worker1".to_owned()),
        run: Some(run()),
        count: 4,
        text: "it failed".to_owned(),
    };
    results.push(check("alert-event", &event));
    results.push(check("facts", &facts()));
    results.push(check("output", &output()));
    let wrong: Vec<_> = results.into_iter().filter_map(Result::err).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
