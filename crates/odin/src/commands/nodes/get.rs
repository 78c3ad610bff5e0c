//! `odin nodes get`.

use odin_wire::Node;

use crate::context::Context;
use crate::error::CliError;
use crate::table::{Cell, Column, render};
use crate::terminal;

/// Lists the nodes.
pub(crate) async fn run(context: &Context) -> Result<(), CliError> {
    let nodes = context.client().await?.nodes().await?;
    if context.json() {
        return context.print_json(&nodes);
    }
    context.print(&table(&nodes.nodes, terminal::stdout_width()))
}

fn table(nodes: &[Node], width: Option<usize>) -> String {
    let columns = [
        Column::fixed("PID"),
        Column::flexible("NAME", 8),
        Column::fixed("HTTP PORT"),
        Column::fixed("RAFT PORT"),
        Column::fixed("ROLE"),
        Column::fixed("STATE"),
    ];
    let rows: Vec<Vec<Cell>> = nodes
        .iter()
        .map(|node| {
            vec![
                node.pid.to_string().into(),
                (&node.name).into(),
                port(&node.http).into(),
                port(&node.raft).into(),
                node.role.word().into(),
                node.state.word().into(),
            ]
        })
        .collect();
    render(&columns, &rows, width)
}

/// `:3939` for an address of this machine, as the documented list has it; others in full.
fn port(address: &str) -> &str {
    match address {
        "" => "-",
        address => address.strip_prefix("127.0.0.1").unwrap_or(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use odin_wire::{NodeRole, NodeState};

    #[test]
    fn nodes_are_listed_as_documented() {
        let node = |pid, name: &str, http: &str, raft: &str| Node {
            id: 1,
            name: name.into(),
            pid,
            http: http.into(),
            raft: raft.into(),
            role: NodeRole::Leader,
            state: NodeState::Up,
            version: "0.1.0".into(),
            timezone: "UTC".into(),
            up_since: "2026-11-21T16:00:00Z".parse().unwrap(),
        };
        let nodes = [
            node(4025, "master-node", "127.0.0.1:3939", "127.0.0.1:12000"),
            node(5102, "worker1", "10.0.0.7:39391", ""),
        ];
        expect![[r#"
            PID   NAME         HTTP PORT       RAFT PORT  ROLE    STATE
            4025  master-node  :3939           :12000     leader  up
            5102  worker1      10.0.0.7:39391  -          leader  up
        "#]]
        .assert_eq(&table(&nodes, None));
    }
}
