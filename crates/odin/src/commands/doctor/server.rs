//! What can be told of the server, if there is one.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use odin_client::ClientError;
use odin_wire::{Exit, Health, History, Node, NodeRole, NodeState};

use super::check::Check;
use super::{data_dir, executors};
use crate::commands::version::VERSION;
use crate::context::Context;
use crate::error::CliError;

/// A server on this machine.
#[derive(Debug)]
pub(super) struct LocalServer {
    pub(super) data_dir: PathBuf,
    /// Whose process it is.
    pub(super) uid: u32,
}

/// Asks the server that was named or runs here.
///
/// # Errors
/// When a server's address or token is no such thing.
pub(super) async fn look(context: &Context) -> Result<(Option<LocalServer>, Vec<Check>), CliError> {
    let client = match context.client().await {
        Ok(client) => client,
        Err(CliError::Client(error)) => {
            return Ok((None, vec![no_server(&error, context.names_server())]));
        }
        Err(error) => return Err(error),
    };
    let health = match client.health().await {
        Ok(health) => health,
        Err(error) => return Ok((None, vec![unreachable(&error)])),
    };
    let place = client.place();
    let mut checks = vec![version(&health, &place)];
    checks.extend(troubles(&health));
    match client.nodes().await {
        Ok(list) => checks.extend(nodes(&list.nodes)),
        Err(error) => checks.push(unreachable(&error)),
    }
    match client.history().await {
        Ok(found) => checks.push(history(&found)),
        // Where files are is an admin's affair.
        Err(error) if error.exit() == Exit::NotPermitted => {}
        Err(error) => checks.push(unreachable(&error)),
    }
    // What was reached by a socket is on this machine.
    let local = Path::new(&place)
        .is_absolute()
        .then(|| local(&health))
        .flatten();
    if let Some(local) = &local {
        checks.push(executor(executors::count(&local.data_dir, local.uid)));
        checks.extend(data_dir::look(&local.data_dir, local.uid));
        if let Ok(socket) = local.data_dir.join("odin.sock").metadata() {
            checks.extend(group(local.uid, socket.gid()));
        }
    }
    Ok((local, checks))
}

fn local(health: &Health) -> Option<LocalServer> {
    let socket = PathBuf::from(health.socket.as_ref()?);
    let data_dir = socket.parent()?.to_owned();
    // The socket is made anew by each server: its owner is the server's user.
    let uid = socket.metadata().ok()?.uid();
    Some(LocalServer { data_dir, uid })
}

fn no_server(error: &ClientError, is_expected: bool) -> Check {
    match error {
        ClientError::NotRunning { .. } if !is_expected => {
            let help = "Start one: `odin server`, or `systemctl start odin` where it is a service.";
            Check::warning("server", error.to_string(), help)
        }
        error => unreachable(error),
    }
}

fn unreachable(error: &ClientError) -> Check {
    let help = error.help().unwrap_or_else(|| {
        "See what the server says: `journalctl -u odin`, or where its stderr goes.".to_owned()
    });
    let detail = format!("{error} ({})", error.code());
    match error.exit() {
        // A right that is missing is this user's affair, and no illness of the server.
        Exit::NotPermitted => Check::warning("server", detail, help),
        _ => Check::problem("server", detail, help),
    }
}

fn version(health: &Health, place: &str) -> Check {
    let detail = format!("{} {} at {place}", health.node, health.version);
    if health.version == VERSION {
        return Check::ok("server", detail);
    }
    Check::warning(
        "server",
        format!("{detail}; this command is {VERSION}"),
        "Restart the server with the same program: no running job is interrupted.",
    )
}

fn troubles(health: &Health) -> impl Iterator<Item = Check> {
    let help =
        "See what the server's log says before it; then restart it: no running job is interrupted.";
    let troubles = health.troubles.iter();
    troubles.map(move |trouble| Check::problem("work", trouble.as_str(), help))
}

fn nodes(nodes: &[Node]) -> Vec<Check> {
    let leader = nodes
        .iter()
        .find(|node| node.role == NodeRole::Leader && node.state == NodeState::Up);
    let mut checks = vec![match leader {
        Some(leader) => Check::ok("leader", leader.name.as_str()),
        None => Check::problem(
            "leader",
            "none: nothing is decided until there is one",
            "Start servers until more than half of the voting nodes are up: `odin nodes get` lists them.",
        ),
    }];
    checks.extend(nodes.iter().map(|node| {
        let name = format!("node {}", node.name);
        match node.state {
            NodeState::Up => Check::ok(
                name,
                format!("up, {}, since {}", node.role.word(), node.up_since),
            ),
            NodeState::Down => Check::problem(
                name,
                "down: it is silent",
                "Start its server again; its log says why it ended.",
            ),
        }
    }));
    checks
}

fn history(found: &History) -> Check {
    let Some(first) = found.faults.first() else {
        let what = match found.files {
            0 => "no period is sealed yet".to_owned(),
            files => format!(
                "{} runs in {files} files, {} bytes",
                found.runs, found.bytes
            ),
        };
        return Check::ok("history", what);
    };
    let more = match found.faults.len() {
        1 => String::new(),
        count => format!(", and {} more", count - 1),
    };
    Check::problem(
        "history",
        format!("{}: {}{more}", first.file, first.problem),
        "The rest is served. Put the file back from a backup and restart the server; its log names every part.",
    )
}

fn executor(count: Option<usize>) -> Check {
    match count {
        Some(0) => Check::problem(
            "executor",
            "none runs: no job can start",
            "The server starts one; its log says why it could not: `journalctl -u odin`.",
        ),
        Some(1) => Check::ok("executor", "runs"),
        Some(count) => Check::ok(
            "executor",
            format!("{count} run: older ones go when their last runs have ended"),
        ),
        None => Check::warning(
            "executor",
            "processes cannot be listed: /proc is not mounted",
            "Mount it: `mount -t proc proc /proc`.",
        ),
    }
}

/// Root's server is for a team, and lets it in by the group of its socket.
fn group(server_uid: u32, socket_gid: u32) -> Option<Check> {
    (server_uid == 0 && socket_gid == 0).then(|| {
        Check::warning(
            "group",
            "the machine has no group `odin`: only root may use the server's socket",
            "Make it, add people and restart the server: `groupadd --system odin; usermod -aG odin USER`.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::check::drawn;
    use expect_test::expect;

    #[test]
    fn parts_of_history_that_cannot_be_read_are_a_problem() {
        let fault = |file: &str| odin_wire::HistoryFault {
            file: file.into(),
            problem: "it is cut off".into(),
        };
        let whole = History {
            files: 2,
            bytes: 70,
            runs: 9,
            faults: Vec::new(),
        };
        let damaged = History {
            faults: vec![fault("/h/1"), fault("/h/2")],
            ..whole.clone()
        };
        for (found, expected) in [
            (&whole, Check::ok("history", "9 runs in 2 files, 70 bytes")),
            (
                &damaged,
                Check::problem(
                    "history",
                    "/h/1: it is cut off, and 1 more",
                    "The rest is served. Put the file back from a backup and restart the server; its log names every part.",
                ),
            ),
        ] {
            assert_eq!(history(found), expected);
        }
    }

    fn node(name: &str, role: NodeRole, state: NodeState) -> Node {
        Node {
            id: 1,
            name: name.into(),
            pid: 1,
            http: String::new(),
            raft: String::new(),
            role,
            state,
            version: VERSION.into(),
            timezone: "UTC".into(),
            up_since: "2026-11-21T16:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn a_server_that_is_well() {
        let health = Health {
            status: "serving".into(),
            troubles: Vec::new(),
            version: VERSION.into(),
            node: "master-node".into(),
            socket: None,
        };
        assert_eq!(
            version(&health, "/d/odin.sock").detail,
            format!("master-node {VERSION} at /d/odin.sock")
        );
        let mut checks = nodes(&[node("master-node", NodeRole::Leader, NodeState::Up)]);
        checks.extend([executor(Some(1)), executor(Some(2))]);
        checks.extend(group(0, 120));
        expect![[r#"
            ok       leader            master-node
            ok       node master-node  up, leader, since 2026-11-21T16:00:00Z
            ok       executor          runs
            ok       executor          2 run: older ones go when their last runs have ended
            no problems, no warnings
        "#]]
        .assert_eq(&drawn(&checks));
    }

    #[test]
    fn a_server_that_is_not() {
        let nodes = nodes(&[
            node("a", NodeRole::Leader, NodeState::Down),
            node("b", NodeRole::Follower, NodeState::Up),
        ]);
        let place = || "/d/odin.sock".to_owned();
        let mut checks = vec![
            no_server(&ClientError::NotRunning { place: place() }, false),
            no_server(&ClientError::NotRunning { place: place() }, true),
            unreachable(&ClientError::SocketNotPermitted {
                path: place().into(),
            }),
            executor(Some(0)),
            executor(None),
        ];
        checks.extend(nodes);
        checks.extend(group(0, 0));
        expect![[r#"
            warning  server    no Odin server is running at /d/odin.sock
                               help: Start one: `odin server`, or `systemctl start odin` where it is a service.
            problem  server    no Odin server is running at /d/odin.sock (client/not-running)
                               help: Start one with `odin server`, or name another with `-p :PORT` or `--server`.
            warning  server    you may not use the socket /d/odin.sock (client/socket-not-permitted)
                               help: Ask for membership in the server's group: `usermod -aG odin USER`, then log in again.
            problem  executor  none runs: no job can start
                               help: The server starts one; its log says why it could not: `journalctl -u odin`.
            warning  executor  processes cannot be listed: /proc is not mounted
                               help: Mount it: `mount -t proc proc /proc`.
            problem  leader    none: nothing is decided until there is one
                               help: Start servers until more than half of the voting nodes are up: `odin nodes get` lists them.
            problem  node a    down: it is silent
                               help: Start its server again; its log says why it ended.
            ok       node b    up, follower, since 2026-11-21T16:00:00Z
            warning  group     the machine has no group `odin`: only root may use the server's socket
                               help: Make it, add people and restart the server: `groupadd --system odin; usermod -aG odin USER`.
            4 problems, 4 warnings
        "#]].assert_eq(&drawn(&checks));
    }

    #[test]
    fn a_server_that_does_not_work_is_told() {
        let health = Health {
            status: "degraded".into(),
            troubles: vec!["the leader loop does not advance".into()],
            version: VERSION.into(),
            node: "n".into(),
            socket: None,
        };
        let told: Vec<_> = troubles(&health).map(|check| check.detail).collect();
        assert_eq!(told, health.troubles);
    }

    #[test]
    fn a_server_of_another_version_is_told() {
        let health = Health {
            status: "serving".into(),
            troubles: Vec::new(),
            version: "0.0.1".into(),
            node: "n".into(),
            socket: None,
        };
        let check = version(&health, "/s");
        assert!(check.detail.starts_with("n 0.0.1 at /s; this command is"));
    }
}
