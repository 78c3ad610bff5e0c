//! A node as a process runs it: data directory, sockets, executor, engine and API.

use std::ffi::OsString;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use odin_api::{Api, Listener};
use odin_cluster::{Transport, TransportError};
use odin_executor::ExecutorProgram;
use odin_model::node::NodeFacts;
use odin_model::{NodeId, Owner};
use odin_store::{Checkpointer, Store, StoreError};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::backend::{Identity, NodeBackend};
use crate::backup;
use crate::clock::{SystemClock, boot_id, system_zone};
use crate::collection::Collecting;
use crate::data_dir::DataDir;
use crate::disk_watch::DiskWatch;
use crate::engine::{Engine, EngineParts, Founding};
use crate::error::{Broken, StartError};
use crate::executor_link::line;
use crate::executor_process;
use crate::health_watch::HealthWatch;
use crate::history_keeper::{self, Keeping, Pace};
use crate::life::Up;
use crate::sealing::Keyring;
use crate::sinks::MetricsForwarder;
use crate::watchdog::{Troubles, Watchdog, Watching};
use crate::{room, users};

/// How often the disk is looked through for what nothing needs, at least.
const COLLECT_EVERY: Duration = Duration::from_mins(10);
/// The node that founds a cluster. Others get theirs from the log.
pub(crate) const FOUNDER: NodeId = NodeId(1);
/// The founder's name unless it is given one.
const FOUNDER_NAME: &str = "master-node";
/// How long a starting node waits until it counts as up, before it serves without.
const UP_WAIT: Duration = Duration::from_secs(10);
/// How often the state's write-ahead log is folded into its file at most.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);

/// What a server is started with.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Where everything is.
    pub data_dir: PathBuf,
    /// The node's name. `None`: the one it had, or the founder's.
    pub name: Option<String>,
    /// Where to serve HTTP. A port of 0 picks one.
    pub http: SocketAddr,
    /// The `odin` program, which is the executor too.
    pub program: PathBuf,
    /// How many runs this node has at once. `None`: any number.
    pub slots: Option<u32>,
    /// How many bytes all files of history may take; the oldest go first. `None`: as many as the jobs keep.
    pub history_bytes: Option<u64>,
    /// Whether `/metrics` answers everyone who can connect to the port, instead of admins only.
    pub metrics_open: bool,
    /// How long finished runs stay in the state until they are sealed into a file of history. `None`: a day.
    pub history_period: Option<Duration>,
    /// How long the ledger keeps what was decided. `None`: 400 days.
    pub keep_ledger: Option<Duration>,
}

/// Where a running server is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// Its name.
    pub name: String,
    /// Its HTTP address.
    pub http: SocketAddr,
    /// Its unix socket.
    pub socket: PathBuf,
    /// Its data directory.
    pub data_dir: PathBuf,
}

/// A running server. Holds the data directory until it is stopped.
pub struct Server {
    ready: Ready,
    engine: Engine,
    stop: CancellationToken,
    serving: JoinSet<()>,
    executor: JoinSet<()>,
    _watching: Watching,
    _data_dir: DataDir,
}

impl Server {
    /// Starts everything and waits until the node is up.
    ///
    /// # Errors
    /// When something that it needs is taken, missing, damaged or of a newer version; nothing is changed then.
    pub async fn start(options: ServerOptions) -> Result<Self, StartError> {
        let path = options.data_dir.clone();
        Self::start_on(options).await.map_err(|error| match error {
            StartError::DataDir { .. } | StartError::Storage { .. } | StartError::Listen { .. }
                if room::is_exhausted(&path) =>
            {
                let detail = error.to_string();
                StartError::Full { path, detail }
            }
            error => error,
        })
    }

    async fn start_on(options: ServerOptions) -> Result<Self, StartError> {
        if !options.http.ip().is_loopback() {
            return Err(StartError::NotLoopback {
                address: options.http.to_string(),
            });
        }
        let listen = |source| StartError::Listen {
            address: options.http.to_string(),
            source,
        };
        // Before anything is made on the disk; that another server has the directory is the better answer, since
        // its port is taken then too.
        let tcp = match TcpListener::bind(options.http).await {
            Ok(tcp) => tcp,
            Err(error) => {
                DataDir::refuse_held(&options.data_dir)?;
                return Err(listen(error));
            }
        };
        let data_dir = DataDir::open(&options.data_dir)?;
        let http = tcp.local_addr().map_err(listen)?;
        let store =
            Store::open(&data_dir.state_db()).map_err(|error| of_store(&error, &data_dir))?;
        log_is_there(&store, &data_dir)?;
        let name = name_of(&options, &store).map_err(|error| of_store(&error, &data_dir))?;
        // What an upload that was cut off by the end of an earlier server left.
        odin_api::remove_unfinished_uploads(&data_dir.bundles()).map_err(|source| {
            StartError::DataDir {
                path: data_dir.bundles(),
                source,
            }
        })?;
        backup::remove_left_overs(data_dir.root()).map_err(|source| StartError::DataDir {
            path: data_dir.root().to_owned(),
            source,
        })?;
        let local_token = data_dir.local_token(&mut |bits| {
            #[expect(clippy::disallowed_methods, reason = "this is where a token is drawn")]
            getrandom::fill(bits).expect("the kernel has random numbers");
        })?;
        let keyring = Arc::new(keyring(&data_dir, &store)?);
        let checkpointer = store
            .checkpointer()
            .map_err(|error| of_store(&error, &data_dir))?;

        let historian = store
            .historian()
            .map_err(|error| of_store(&error, &data_dir))?;

        let clock = Arc::new(SystemClock);
        let stop = CancellationToken::new();
        let (link, end) = line();
        let mut executor = JoinSet::new();
        let (answering, executor_answers) = watch::channel(false);
        let program = executor_program(&options.program, data_dir.root());
        let parts = EngineParts {
            facts: NodeFacts {
                name: name.clone(),
                pid: std::process::id(),
                boot_id: boot_id(),
                http: http.to_string(),
                raft: String::new(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                timezone: system_zone(),
                slots: options.slots,
            },
            store,
            log: odin_cluster::Options::on_disk(
                FOUNDER,
                data_dir.log().join("entries"),
                data_dir.log().join("snapshots"),
            ),
            founding: Founding::With(vec![FOUNDER]),
            transport: Arc::new(NoPeers),
            clock: clock.clone(),
            executor: link,
            bundles: data_dir.bundles(),
            keyring: Arc::clone(&keyring),
            values: Some(data_dir.root().to_owned()),
        };
        let engine = Engine::start(parts).await?;
        let troubles = Troubles::default();
        let watchdog = Watchdog {
            node: FOUNDER,
            name: name.clone(),
            beats: Arc::clone(&engine.beats),
            view: Arc::clone(&engine.view),
            reader: engine.reader.clone(),
            clock: clock.clone(),
            proposer: engine.proposer.clone(),
            troubles: troubles.clone(),
        };
        let watching = watchdog
            .watch(tokio::runtime::Handle::current())
            .map_err(|error| StartError::Storage {
                what: "a thread",
                detail: error.to_string(),
            })?;
        executor.spawn(executor_process::connect(
            program,
            data_dir.root().to_owned(),
            end,
            answering,
            engine.metrics.clone(),
            stop.clone(),
        ));
        wait_until_up(&engine).await?;

        let socket = data_dir.socket();
        let unix = bind_socket(&socket).map_err(|source| StartError::Listen {
            address: socket.display().to_string(),
            source,
        })?;
        let server_user = server_user();
        if server_user.uid != 0 {
            tracing::warn!(
                user = server_user.user,
                "not root: only this user's jobs run here, and nothing separates them from each other"
            );
        }
        let identity = Identity {
            name: name.clone(),
            data_dir: data_dir.root().to_owned(),
            bundles: data_dir.bundles(),
            socket: socket.clone(),
            server_user,
            local_token,
            keyring,
            metrics_open: options.metrics_open,
        };
        let pace = Pace::of(options.history_period);
        let keeping = Keeping {
            proposer: engine.proposer.clone(),
            reader: engine.reader.clone(),
            clock: clock.clone(),
            history_bytes: options.history_bytes,
            pace,
            ledger: options.keep_ledger,
        };
        let collecting = Collecting {
            bundles: data_dir.bundles(),
            jobs: data_dir.root().join("jobs"),
            reader: engine.reader.clone(),
            clock: clock.clone(),
            collected: Arc::clone(&engine.collected),
            every: pace.at_most(COLLECT_EVERY),
        };
        let keyring = Arc::clone(&identity.keyring);
        let backend = Arc::new(NodeBackend::new(&engine, clock.clone(), identity, troubles));
        let metrics = MetricsForwarder::new(&engine, clock, keyring, Arc::clone(&backend));
        let api = Api::new(backend);
        let mut serving = JoinSet::new();
        serving.spawn(metrics.run(stop.clone()));
        for listener in [Listener::Unix(unix), Listener::Tcp(tcp)] {
            let stopped = stop.clone();
            serving.spawn(odin_api::serve(api.clone(), listener, async move {
                stopped.cancelled().await;
            }));
        }
        let disk = DiskWatch {
            proposer: engine.proposer.clone(),
            reader: engine.reader.clone(),
            clock: Arc::new(SystemClock),
            node: FOUNDER,
            name: name.clone(),
            data_dir: data_dir.root().to_owned(),
        };
        serving.spawn(disk.run(stop.clone()));
        let health = HealthWatch {
            proposer: engine.proposer.clone(),
            reader: engine.reader.clone(),
            clock: Arc::new(SystemClock),
            node: FOUNDER,
            name: name.clone(),
            too_far_off: engine.too_far_off.clone(),
            executor_answers,
        };
        serving.spawn(health.run(stop.clone()));
        let stopped = stop.clone();
        let applied = engine.announcements.applied();
        serving.spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = checkpoint(checkpointer, applied) => {}
            }
        });
        let stopped = stop.clone();
        let applied = engine.announcements.applied();
        let (outputs, reader) = (data_dir.root().join("output"), engine.reader.clone());
        serving.spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = history_keeper::settle(historian, applied, pace) => {}
                () = history_keeper::tell_faults(reader.clone()) => {}
                () = history_keeper::delete_outputs(outputs, reader, pace) => {}
                () = keeping.run() => {}
                () = collecting.run() => {}
            }
        });
        let ready = Ready {
            name,
            http,
            socket,
            data_dir: data_dir.root().to_owned(),
        };
        Ok(Self {
            ready,
            engine,
            stop,
            serving,
            executor,
            _watching: watching,
            _data_dir: data_dir,
        })
    }

    /// Where it is reached.
    #[must_use]
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Serves until `shutdown`, then ends in order: requests under way are answered, what runs goes on in the
    /// executor.
    ///
    /// # Errors
    /// When the log fails: what is on the disk is in doubt, and only a new start can tell.
    pub async fn run(mut self, shutdown: impl Future<Output = ()>) -> Result<(), Broken> {
        let failure = tokio::select! {
            () = shutdown => None,
            failure = self.engine.failed() => Some(failure),
        };
        self.stop.cancel();
        while self.serving.join_next().await.is_some() {}
        self.engine.stop().await;
        while self.executor.join_next().await.is_some() {}
        // Whoever finds no socket knows at once that no server is there.
        let _ = std::fs::remove_file(&self.ready.socket);
        let Some(failure) = failure else {
            return Ok(());
        };
        let (path, reason) = (self.ready.data_dir, failure.reason);
        // The log's own words are about a channel that closed.
        Err(if room::is_exhausted(&path) {
            Broken::Full { path, reason }
        } else {
            Broken::Log { reason }
        })
    }
}

/// Keeps the state's write-ahead log short, as long as anything is `applied`: an idle server is not woken for it.
async fn checkpoint(mut checkpointer: Checkpointer, mut applied: watch::Receiver<u64>) {
    loop {
        tokio::time::sleep(CHECKPOINT_EVERY).await;
        applied.mark_unchanged();
        let whole = match tokio::task::block_in_place(|| checkpointer.run()) {
            Ok(done) => done.moved_pages == done.log_pages,
            Err(error) => {
                tracing::warn!(%error, "the state's write-ahead log grows");
                false
            }
        };
        // What a reader or an error kept back is tried again without waiting for more.
        if whole && applied.changed().await.is_err() {
            return;
        }
    }
}

/// The keys of the secrets, made at the first start.
fn keyring(data_dir: &DataDir, store: &Store) -> Result<Keyring, StartError> {
    let needed = store
        .reader()
        .sealing_keys()
        .map_err(|error| of_store(&error, data_dir))?;
    let path = data_dir.secrets_key();
    let keyring = Keyring::open(&path, &needed, |bits| {
        #[expect(clippy::disallowed_methods, reason = "this is where the key is drawn")]
        getrandom::fill(bits).expect("the kernel has random numbers");
    });
    keyring.map_err(|source| StartError::DataDir { path, source })
}

fn of_store(error: &StoreError, data_dir: &DataDir) -> StartError {
    match error {
        StoreError::Newer { .. } => StartError::Newer {
            path: data_dir.root().to_owned(),
            detail: error.to_string(),
        },
        StoreError::Older { .. } => StartError::Older {
            path: data_dir.root().to_owned(),
            detail: error.to_string(),
        },
        _ => StartError::Storage {
            what: "the state",
            detail: error.to_string(),
        },
    }
}

/// Refuses a state without any log before a new one is begun beside it: the lost one may yet be put back.
fn log_is_there(store: &Store, data_dir: &DataDir) -> Result<(), StartError> {
    let entries = data_dir.log().join("entries");
    let begun = std::fs::read_dir(&entries)
        .is_ok_and(|files| files.flatten().any(|file| file.file_name() != "LOCK"));
    let mark = store.mark().map_err(|error| of_store(&error, data_dir))?;
    if begun || mark.is_none() {
        return Ok(());
    }
    Err(StartError::Storage {
        what: "the log",
        detail: format!(
            "the state holds entries, but there are none in {}: the log was lost",
            entries.display()
        ),
    })
}

fn name_of(options: &ServerOptions, store: &Store) -> Result<String, StoreError> {
    if let Some(name) = &options.name {
        return Ok(name.clone());
    }
    let known = store.reader().node(FOUNDER)?;
    Ok(known.map_or_else(|| FOUNDER_NAME.to_owned(), |node| node.facts.name))
}

fn executor_program(program: &Path, data_dir: &Path) -> ExecutorProgram {
    let args = ["__executor", "--data-dir"]
        .map(OsString::from)
        .into_iter()
        .chain([data_dir.as_os_str().to_owned()]);
    ExecutorProgram {
        path: program.to_owned(),
        args: args.collect(),
    }
}

fn server_user() -> Owner {
    let uid = rustix::process::geteuid().as_raw();
    let user = users::of_uid(uid).map_or_else(|| uid.to_string(), |user| user.name);
    Owner { user, uid }
}

async fn wait_until_up(engine: &Engine) -> Result<(), StartError> {
    let mut up = engine.up();
    let known = up.wait_for(|up| *up != Up::Waiting);
    match tokio::time::timeout(UP_WAIT, known).await {
        Ok(Ok(up)) => match &*up {
            Up::Refused(refusal) => Err(StartError::Name(refusal.to_string())),
            Up::Since(_) | Up::Waiting => Ok(()),
        },
        // It goes on trying, and `/readyz` says so.
        Ok(Err(_)) | Err(_) => Ok(()),
    }
}

/// The API's socket: for the server's user and the group `odin`, where there is one and the server is root.
fn bind_socket(path: &Path) -> io::Result<UnixListener> {
    // The lock of the data directory says that no other server listens there.
    let listener = UnixListener::from_std(odin_executor::socket::listen(path, 0o600)?.into())?;
    if rustix::process::geteuid().is_root()
        && let Some(gid) = users::group(c"odin")
    {
        std::os::unix::fs::chown(path, None, Some(gid))?;
    }
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o660))?;
    Ok(listener)
}

/// The network of a node that is alone.
#[derive(Debug, Clone, Copy)]
pub struct NoPeers;

impl Transport for NoPeers {
    fn send(
        &self,
        target: NodeId,
        _frame: bytes::Bytes,
    ) -> BoxFuture<'_, Result<bytes::Bytes, TransportError>> {
        let reason = "this node has no peers".to_owned();
        Box::pin(async move {
            Err(TransportError::Unreachable {
                node: target,
                reason,
            })
        })
    }
}
