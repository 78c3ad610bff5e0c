//! A PostgreSQL server of one's own: the packaged programs on a directory that goes with it.

use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::wait_for;

/// Whether a database's commits are on the disk when it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commits {
    /// As they are by default.
    Synced,
    /// In the kernel's memory: enough for whoever ends the database and not the machine.
    Unsynced,
}

/// A running database, whose superuser is `odin` with the password `correct-horse`. Its processes end with it.
#[derive(Debug)]
pub struct Database {
    programs: PathBuf,
    directory: TempDir,
    /// Where it listens on 127.0.0.1.
    pub port: u16,
    commits: Commits,
    /// It refuses to be root's: the user that its package made.
    ids: (u32, u32),
    child: Option<Child>,
}

impl Database {
    /// Makes one by the newest PostgreSQL that is installed, and waits until it answers.
    ///
    /// # Panics
    /// When there is none, or it does not start.
    #[must_use]
    pub fn new(commits: Commits) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let ids = (id("-u"), id("-g"));
        chown(directory.path(), Some(ids.0), Some(ids.1)).expect("root gives directories away");
        let mut database = Self {
            programs: programs(),
            directory,
            port: free_port(),
            commits,
            ids,
            child: None,
        };
        let password = database.path("password");
        std::fs::write(&password, "correct-horse\n").expect("a temporary directory takes a file");
        let options = "--auth=scram-sha-256 --username=odin --no-sync -E UTF8";
        let made = database
            .program("initdb")
            .args(options.split(' '))
            .arg(format!("--pwfile={}", password.display()))
            .output()
            .expect("initdb is installed");
        assert!(made.status.success(), "{made:?}");
        database.start();
        database
    }

    /// Starts it again, and waits until it answers.
    ///
    /// # Panics
    /// When it does not.
    pub fn start(&mut self) {
        let unsynced: &[&str] = match self.commits {
            Commits::Synced => &[],
            Commits::Unsynced => &["-F"],
        };
        let child = self
            .program("postgres")
            .args(unsynced)
            .args(["-h", "127.0.0.1", "-k"])
            .arg(self.directory.path())
            .args(["-p", &self.port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("postgres is installed");
        self.child = Some(child);
        wait_for("a database", || {
            (!self.ask("SELECT 1").is_empty()).then_some(())
        });
    }

    /// Ends it at once: connections break. Nothing where it does not run.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // At SIGKILL its other processes would live on.
            let _ = kill_process(Pid::from_child(&child), Signal::QUIT);
            let _ = child.wait();
        }
    }

    /// What a query answers, a row a line; empty where it fails.
    ///
    /// # Panics
    /// When `psql` cannot be run.
    #[must_use]
    pub fn ask(&self, query: &str) -> String {
        let out = self.psql(query);
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// Runs one command of SQL, or one of psql's own.
    ///
    /// # Panics
    /// When `psql` cannot be run.
    #[must_use]
    pub fn psql(&self, command: &str) -> Output {
        let port = self.port.to_string();
        self.program("psql")
            .args(["-h", "127.0.0.1", "-p", &port, "-U", "odin"])
            .args(["-d", "postgres", "-At", "-c", command])
            .output()
            .expect("psql is installed")
    }

    /// Its address, without the password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("postgres://odin@127.0.0.1:{}/postgres", self.port)
    }

    /// A file in its directory, where the database may write.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command
            .uid(self.ids.0)
            .gid(self.ids.1)
            .current_dir(self.directory.path())
            .env("PGDATA", self.path("data"))
            .env("PGPASSWORD", "correct-horse");
        command
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A port that nobody listened on a moment ago.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener
        .local_addr()
        .expect("a bound socket has an address")
        .port()
}

fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is installed: apt-get install postgresql");
    let mut found: Vec<PathBuf> = versions
        .map_while(Result::ok)
        .map(|it| it.path().join("bin"))
        .filter(|it| Path::is_dir(it))
        .collect();
    // The names are numbers of two digits.
    found.sort();
    found.pop().expect("a version of PostgreSQL")
}

fn id(flag: &str) -> u32 {
    let out = Command::new("id").args([flag, "postgres"]).output();
    let out = out.expect("`id` is there");
    let text = String::from_utf8_lossy(&out.stdout);
    text.trim()
        .parse()
        .expect("PostgreSQL's package made the user `postgres`")
}
