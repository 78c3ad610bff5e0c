//! The API over a real store, without a node: commands are applied as they are proposed, and nothing runs.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use jiff::{SignedDuration, Timestamp};
use odin_job_file::{Defaults, bundle};
use odin_metrics::{Family, Number};
use odin_model::attempt::{AttemptEvent, AttemptEventKind, AttemptResult};
use odin_model::calendar::date_of;
use odin_model::channel::Channel;
use odin_model::clock::{Boottime, Clock};
use odin_model::job::Job;
use odin_model::node::{Node, NodeFacts};
use odin_model::output::OutputSummary;
use odin_model::owner::Role;
use odin_model::run::Run;
use odin_model::secret::{SealedSecret, SealingKeyId};
use odin_model::{
    AttemptNumber, Command, Limits, NodeId, Owner, Principal, Program, Reply, RunId, SecretName,
    SecretValue, Usage, codec,
};
use odin_schedule::{CalendarName, Calendars};
use odin_store::{Counts, Effect, Entry, Reader, Store, StoreError, View};
use odin_wire::{BUNDLE_CONTENT_TYPE, Health, NodeRole};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{broadcast, mpsc};

use crate::Tried;
use crate::identity::Peer;
use crate::request_metrics::RequestMetrics;
use crate::routes::router;
use crate::{Api, Backend, OutputFault, OutputPage, OutputPosition, ProposeError, SealError, User};

/// The token of the test's server.
pub(crate) const TOKEN: &str = "correct-horse-battery-staple";
const NODE: NodeId = NodeId(1);

/// The API under test and what it stands on.
pub(crate) struct TestBed {
    pub(crate) api: Api,
    pub(crate) backend: Arc<Fake>,
    pub(crate) dir: TempDir,
}

/// A backend whose clock, ids and user database are the test's.
pub(crate) struct Fake {
    store: Mutex<Store>,
    reader: Reader,
    view: Arc<View>,
    index: AtomicU64,
    now: Mutex<Timestamp>,
    bits: AtomicU64,
    effects: broadcast::Sender<Effect>,
    bundles: std::path::PathBuf,
    server_user: Owner,
    /// What the next proposals answer instead of being applied.
    pub(crate) faults: Mutex<VecDeque<ProposeError>>,
    /// What is applied right before the next proposals: somebody else was faster.
    pub(crate) first: Mutex<VecDeque<Command>>,
    /// Whether the node has lost its key.
    pub(crate) key_is_missing: Mutex<bool>,
    pub(crate) metrics_are_open: Mutex<bool>,
    requests: RequestMetrics,
    pub(crate) backup_refused: Mutex<Option<crate::BackupRefused>>,
    /// What running attempts printed.
    pub(crate) printed: Mutex<Vec<odin_model::output::OutputChunk>>,
}

impl Clock for Fake {
    fn wall(&self) -> Timestamp {
        *lock(&self.now)
    }

    fn boottime(&self) -> Boottime {
        Boottime(std::time::Duration::ZERO)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

impl Fake {
    /// Applies a command as if the log had it.
    pub(crate) fn apply(&self, command: &Command) -> Reply {
        let index = self.index.fetch_add(1, Ordering::Relaxed) + 1;
        let bytes = codec::encode(command);
        let entry = Entry {
            index,
            command: &bytes,
        };
        let mut applied = lock(&self.store).apply(&[entry], b"mark").unwrap();
        for effect in applied.effects {
            let _ = self.effects.send(effect);
        }
        applied.replies.pop().unwrap()
    }

    pub(crate) fn advance(&self, by: SignedDuration) {
        *lock(&self.now) += by;
    }

    /// The node says that a run's attempt started, or ended with this.
    pub(crate) fn report(&self, run: RunId, kind: AttemptEventKind) {
        let event = AttemptEvent {
            run,
            attempt: AttemptNumber::FIRST,
            kind,
        };
        assert_eq!(
            self.apply(&Command::Report {
                node: NODE,
                events: vec![event]
            }),
            Reply::Done
        );
    }

    /// The node says that a run ended.
    pub(crate) fn finish(
        &self,
        run: RunId,
        ending: odin_model::attempt::Ending,
        output: OutputSummary,
    ) {
        let at = self.wall();
        let result = AttemptResult {
            ending,
            started_at: Some(at),
            finished_at: at + SignedDuration::from_secs(1),
            usage: Usage::default(),
            output,
        };
        self.report(run, AttemptEventKind::Finished(Box::new(result)));
    }
}

impl Backend for Fake {
    fn propose(&self, command: Command) -> BoxFuture<'_, Result<Reply, ProposeError>> {
        async move {
            if let Some(fault) = lock(&self.faults).pop_front() {
                return Err(fault);
            }
            let first = lock(&self.first).pop_front();
            if let Some(first) = first {
                self.apply(&first);
            }
            Ok(self.apply(&command))
        }
        .boxed()
    }

    /// Enough to tell a sealed value from a clear one.
    fn seal(
        &self,
        owner: &Owner,
        name: &SecretName,
        value: &SecretValue,
    ) -> Result<SealedSecret, SealError> {
        if lock(&self.key_is_missing).to_owned() {
            return Err(SealError::KeyMissing("secrets.key is missing".to_owned()));
        }
        let mut ciphertext = format!("{}/{name}:", owner.user).into_bytes();
        ciphertext.extend(value.expose().iter().map(|byte| !byte));
        Ok(SealedSecret {
            key: SealingKeyId([1; 8]),
            nonce: [2; 24],
            ciphertext,
        })
    }

    fn reader(&self) -> &Reader {
        &self.reader
    }

    fn calendars(&self) -> Result<Arc<Calendars>, StoreError> {
        let stored = self.reader.calendars()?;
        let named = stored.iter().map(|calendar| {
            let dates = calendar.days.iter().map(|&day| date_of(day));
            (
                CalendarName::new(&calendar.name).unwrap(),
                Arc::new(odin_schedule::Calendar::from_dates(dates).unwrap()),
            )
        });
        Ok(Arc::new(named.collect()))
    }

    fn clock(&self) -> &dyn Clock {
        self
    }

    fn draw_bits(&self) -> u64 {
        self.bits.fetch_add(0x1111, Ordering::Relaxed)
    }

    fn health(&self) -> Health {
        Health {
            status: "serving".into(),
            troubles: Vec::new(),
            version: "0.1.0".into(),
            node: "master-node".into(),
            socket: Some("/tmp/odin.sock".into()),
        }
    }

    fn is_ready(&self) -> bool {
        true
    }

    fn events(&self) -> broadcast::Receiver<Effect> {
        self.effects.subscribe()
    }

    fn output(
        &self,
        _: &Run,
        _: AttemptNumber,
        from: OutputPosition,
    ) -> BoxFuture<'_, Result<OutputPage, OutputFault>> {
        let printed = lock(&self.printed).clone();
        // One chunk a page.
        let mut before = 0;
        let mut chunks = Vec::new();
        for chunk in &printed {
            let skip = usize::try_from(from.bytes - before).unwrap();
            before += (chunk.bytes.len().min(skip)) as u64;
            if let Some(bytes) = chunk.bytes.get(skip..).filter(|rest| !rest.is_empty()) {
                chunks.push(odin_model::output::OutputChunk {
                    bytes: bytes.to_vec(),
                    ..chunk.clone()
                });
                break;
            }
        }
        let taken: usize = chunks.iter().map(|chunk| chunk.bytes.len()).sum();
        let end: usize = printed.iter().map(|chunk| chunk.bytes.len()).sum();
        let next = OutputPosition {
            bytes: from.bytes + taken as u64,
            hint: 0,
        };
        async move {
            match printed.is_empty() {
                true => Err(OutputFault::NotHere),
                false => Ok(OutputPage {
                    chunks,
                    next,
                    more: next.bytes < end as u64,
                }),
            }
        }
        .boxed()
    }

    fn output_end(&self, _: &Run, _: AttemptNumber) -> BoxFuture<'_, Result<u64, OutputFault>> {
        let printed = lock(&self.printed).clone();
        let end: usize = printed.iter().map(|chunk| chunk.bytes.len()).sum();
        async move {
            match printed.is_empty() {
                true => Err(OutputFault::NotHere),
                false => Ok(end as u64),
            }
        }
        .boxed()
    }

    fn backup(
        &self,
        _: crate::BackupContents,
    ) -> BoxFuture<'_, Result<mpsc::Receiver<std::io::Result<Bytes>>, crate::BackupRefused>> {
        async move {
            let faults = lock(&self.backup_refused).take();
            if let Some(refused) = faults {
                return Err(refused);
            }
            let (sender, receiver) = mpsc::channel(1);
            sender
                .try_send(Ok(Bytes::from_static(b"a backup")))
                .unwrap();
            Ok(receiver)
        }
        .boxed()
    }

    fn metrics_are_open(&self) -> bool {
        lock(&self.metrics_are_open).to_owned()
    }

    fn request_metrics(&self) -> RequestMetrics {
        self.requests.clone()
    }

    fn metrics(&self) -> Vec<Family> {
        let jobs = Number::Whole(self.counts().jobs);
        let mut families = vec![Family::gauge("odin_jobs", "Jobs that are listed", jobs)];
        families.extend(self.requests.families());
        families
    }

    fn bundles_dir(&self) -> &Path {
        &self.bundles
    }

    fn limits_unenforceable(&self, limits: &Limits) -> Option<String> {
        // A machine that limits everything but memory.
        let asks = limits.memory_bytes.is_some() && !limits.best_effort;
        asks.then(|| "`memory` cannot be limited on this machine".to_owned())
    }

    fn interpreter_missing(&self, program: &Program, _: &[(String, String)]) -> Option<String> {
        (program.language() == "node").then(|| "this node has no interpreter `node`".to_owned())
    }

    fn try_sink(&self, sink: odin_model::sink::Sink) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move { Err(format!("{} is not there", sink.spec.target.place())) })
    }

    fn try_channel(&self, channel: Channel, by: Owner) -> BoxFuture<'_, Tried> {
        let steps = vec![format!("asked by {} for {}", by.user, channel.name)];
        Box::pin(async { Tried { steps, error: None } })
    }

    fn server_user(&self) -> &Owner {
        &self.server_user
    }

    fn local_token(&self) -> &str {
        TOKEN
    }

    fn user(&self, uid: u32) -> Option<User> {
        let name = match uid {
            0 => "root",
            1000 => "ann",
            1001 => "bob",
            _ => return None,
        };
        Some(User {
            name: name.to_owned(),
            uid,
            gid: uid,
        })
    }

    fn user_named(&self, name: &str) -> Option<User> {
        [0, 1000, 1001]
            .into_iter()
            .filter_map(|uid| self.user(uid))
            .find(|user| user.name == name)
    }

    fn counts(&self) -> Counts {
        self.view.counts()
    }

    fn role(&self, _: &Node) -> NodeRole {
        NodeRole::Leader
    }

    fn node_for(&self, _: &Job) -> Option<NodeId> {
        Some(NODE)
    }
}

/// An answer, whole.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            panic!(
                "{error}: {} {}",
                self.status,
                String::from_utf8_lossy(&self.body)
            )
        })
    }

    /// `200`, or `404 job/not-found`.
    #[track_caller]
    pub(crate) fn outcome(&self) -> String {
        match self.status.is_success() {
            true => self.status.as_u16().to_string(),
            false => {
                let content_type = self
                    .headers
                    .get("content-type")
                    .map(|value| value.to_str().unwrap());
                assert_eq!(
                    content_type,
                    Some("application/problem+json"),
                    "{}",
                    self.status
                );
                let problem = self.json();
                assert_eq!(problem["status"], self.status.as_u16());
                format!(
                    "{} {}",
                    self.status.as_u16(),
                    problem["code"].as_str().unwrap()
                )
            }
        }
    }
}

/// Somebody over the unix socket.
pub(crate) fn principal(name: &str, uid: u32, role: Role) -> Principal {
    Principal {
        user: Owner {
            user: name.into(),
            uid,
        },
        role,
    }
}

pub(crate) fn ann() -> Principal {
    principal("ann", 1000, Role::Operator)
}

pub(crate) fn bob() -> Principal {
    principal("bob", 1001, Role::Operator)
}

pub(crate) fn root() -> Principal {
    principal("root", 0, Role::Admin)
}

/// A request that is not sent yet.
pub(crate) fn request(method: &str, path: &str) -> Request<Body> {
    let method: Method = method.parse().unwrap();
    Request::builder()
        .method(method)
        .uri(path)
        .body(Body::empty())
        .unwrap()
}

/// The same with a JSON body.
pub(crate) fn json_request(method: &str, path: &str, body: &str) -> Request<Body> {
    let mut request = request(method, path);
    request
        .headers_mut()
        .insert("content-type", "application/json".parse().unwrap());
    *request.body_mut() = Body::from(body.to_owned());
    request
}

/// A job file of a job that prints its name.
pub(crate) fn job_file(name: &str, more: &str) -> String {
    format!(
        "job:\n  name: {name}\n  language: bash\n  file: run.sh\n  schedule: every day at 09:00\n{more}"
    )
}

/// The bundle of `job.yml` with this text and a script.
pub(crate) fn packed(text: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("job.yml");
    std::fs::write(&path, text).unwrap();
    std::fs::write(dir.path().join("run.sh"), "echo hello\n").unwrap();
    let file = odin_job_file::read(text, &Defaults::default()).unwrap();
    bundle::collect(&path, &file, Vec::new())
        .unwrap()
        .pack()
        .unwrap()
        .bytes
}

impl TestBed {
    /// A server that root runs, at 2026-11-21T08:00:00Z, with one node that is up.
    pub(crate) fn new() -> Self {
        Self::of(Owner {
            user: "root".into(),
            uid: 0,
        })
    }

    pub(crate) fn of(server_user: Owner) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bundles = dir.path().join("bundles");
        std::fs::create_dir(&bundles).unwrap();
        let store = Store::open(&dir.path().join("state.db")).unwrap();
        let now: Timestamp = "2026-11-21T08:00:00Z".parse().unwrap();
        let backend = Arc::new(Fake {
            reader: store.reader(),
            view: store.view(),
            store: Mutex::new(store),
            index: AtomicU64::new(0),
            now: Mutex::new(now),
            bits: AtomicU64::new(0xa37b_187f_5930),
            effects: broadcast::channel(1024).0,
            bundles,
            server_user,
            faults: Mutex::default(),
            first: Mutex::default(),
            key_is_missing: Mutex::default(),
            metrics_are_open: Mutex::default(),
            requests: RequestMetrics::default(),
            backup_refused: Mutex::default(),
            printed: Mutex::default(),
        });
        let facts = NodeFacts {
            name: "master-node".into(),
            pid: 42,
            boot_id: "b".into(),
            http: "127.0.0.1:3939".into(),
            raft: String::new(),
            version: "0.1.0".into(),
            timezone: "UTC".into(),
            slots: None,
        };
        backend.apply(&Command::NodeUp {
            node: NODE,
            facts,
            at: now,
        });
        let api = Api::new(Arc::clone(&backend) as Arc<dyn Backend>);
        Self { api, backend, dir }
    }

    /// Sends a request as somebody at the unix socket; the answer's body is still to come.
    pub(crate) async fn send(
        &self,
        who: &Principal,
        mut request: Request<Body>,
    ) -> axum::response::Response {
        request
            .extensions_mut()
            .insert(Peer::Local(Ok(who.clone())));
        TowerToHyperService::new(router(self.api.clone()))
            .call(request)
            .await
            .unwrap()
    }

    /// The same with the whole answer.
    pub(crate) async fn ask(&self, who: &Principal, request: Request<Body>) -> Answer {
        let (parts, body) = self.send(who, request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    pub(crate) async fn get(&self, who: &Principal, path: &str) -> Answer {
        self.ask(who, request("GET", path)).await
    }

    /// Deploys `job.yml` with this text.
    pub(crate) async fn deploy(&self, who: &Principal, query: &str, text: &str) -> Answer {
        self.ask(who, deployment(query, packed(text))).await
    }

    /// The id of a job that ann deployed.
    pub(crate) async fn job_of_ann(&self) -> String {
        let answer = self.deploy(&ann(), "", &job_file("greet", "")).await;
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// A run of that job, assigned to the node.
    pub(crate) async fn run_of(&self, who: &Principal, job: &str) -> RunId {
        let answer = self
            .ask(who, request("POST", &format!("/api/v1/jobs/{job}/run")))
            .await;
        answer.json()["id"].as_str().unwrap().parse().unwrap()
    }
}

/// A request to deploy `job.yml` out of a bundle.
pub(crate) fn deployment(query: &str, bundle: Vec<u8>) -> Request<Body> {
    let mut request = request("POST", &format!("/api/v1/jobs?file=job.yml{query}"));
    request
        .headers_mut()
        .insert("content-type", BUNDLE_CONTENT_TYPE.parse().unwrap());
    *request.body_mut() = Body::from(bundle);
    request
}
