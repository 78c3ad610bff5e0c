//! Three nodes in one thread, on a network in memory, under a paused clock.

#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use futures_util::future::join_all;
use odin_cluster::{
    ConfirmError, Denied, Leadership, LeaseRequest, NotAdmitted, ProposeError, Removed, Retention,
};
use odin_model::{Epoch, NodeId};
use support::cluster::{Cluster, NODES, bytes, others};

/// Many election timeouts.
const IDLE: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn a_command_proposed_on_any_node_is_applied_on_all() {
    let (cluster, _) = Cluster::start(Retention::default()).await;
    for node in NODES {
        let applied = cluster
            .log(node)
            .propose(bytes(&format!("from {node}")))
            .await
            .unwrap();
        assert_eq!(
            applied.reply,
            node.to_string(),
            "the leader's reply comes back"
        );
    }
    assert_eq!(cluster.agreed().await, ["from 1", "from 2", "from 3"]);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_stops_is_replaced_and_nothing_acknowledged_is_lost_or_doubled() {
    let (mut cluster, leader) = Cluster::start(Retention::default()).await;
    let followers = others(leader);
    let proposals = (0..200u64).map(|number| {
        let log = cluster.log(followers[usize::from(number % 2 == 0)]).clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(number * 10)).await;
            (number, log.propose(bytes(&format!("c{number}"))).await)
        })
    });
    let proposals: Vec<_> = proposals.collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let term = cluster.term(leader);
    cluster.stop(leader).await;
    let next = cluster.leader_among(&followers).await;
    assert!(cluster.term(next) > term);
    let outcomes = join_all(proposals).await;
    let commands = cluster.agreed().await;
    let mut acknowledged = 0;
    for outcome in outcomes {
        let (number, outcome) = outcome.unwrap();
        let times = commands
            .iter()
            .filter(|&command| *command == format!("c{number}"))
            .count();
        match outcome {
            Ok(_) => {
                acknowledged += 1;
                assert_eq!(times, 1, "c{number} was acknowledged");
            }
            Err(ProposeError::OutcomeUnknown) => {
                assert!(times <= 1, "c{number} is there {times} times");
            }
            Err(error) => panic!("c{number}: {error}"),
        }
    }
    assert!(acknowledged >= 190, "{acknowledged} of 200 acknowledged");
}

#[tokio::test(start_paused = true)]
async fn a_cut_off_leader_gets_nothing_through_and_is_refused_once_deposed() {
    let (cluster, old) = Cluster::start(Retention::default()).await;
    let term = cluster.term(old);
    cluster
        .log(old)
        .propose_fenced(term, bytes("in office"))
        .await
        .unwrap();
    cluster.network.isolate(old);
    let unheard = cluster
        .log(old)
        .propose_fenced(term, bytes("cut off"))
        .await
        .unwrap_err();
    assert_eq!(unheard, ProposeError::OutcomeUnknown);
    assert!(matches!(
        cluster.log(old).confirm().await,
        Err(ConfirmError::NoQuorum)
    ));
    let lease = LeaseRequest {
        node: old,
        epoch: Epoch(1),
    };
    assert_eq!(
        cluster.log(old).request_lease(lease).await,
        Err(Denied::NoQuorum)
    );

    let new = cluster.leader_among(&others(old)).await;
    cluster
        .log(new)
        .propose_fenced(cluster.term(new), bytes("the new one"))
        .await
        .unwrap();
    cluster.network.heal();
    let mut leadership = cluster.log(old).leadership();
    leadership
        .wait_for(|now| *now == Leadership::Following(new))
        .await
        .unwrap();
    let deposed = cluster
        .log(old)
        .propose_fenced(term, bytes("too late"))
        .await
        .unwrap_err();
    assert_eq!(deposed, ProposeError::Deposed { term });
    assert_eq!(cluster.agreed().await, ["in office", "the new one"]);
}

#[tokio::test(start_paused = true)]
async fn leases_come_from_the_leader_on_any_node_unless_the_node_is_declared_down() {
    let (cluster, _) = Cluster::start(Retention::default()).await;
    let index = cluster
        .log(NODES[0])
        .propose(bytes("a"))
        .await
        .unwrap()
        .index;
    for node in NODES {
        let request = LeaseRequest {
            node,
            epoch: Epoch(1),
        };
        let grant = cluster.log(node).request_lease(request).await.unwrap();
        assert!(grant.commit_index >= index);
        assert_eq!(grant.expires.since(grant.asked_at), Duration::from_secs(5));
        assert!(!grant.is_usable(Some(index - 1), grant.asked_at));
    }
    cluster.register.down.lock().unwrap().insert(NODES[1]);
    let request = LeaseRequest {
        node: NODES[1],
        epoch: Epoch(1),
    };
    let denied = cluster
        .log(NODES[1])
        .request_lease(request)
        .await
        .unwrap_err();
    assert_eq!(denied, Denied::NotAdmitted(NotAdmitted::Down));
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_away_too_long_gets_a_snapshot_and_then_the_rest() {
    let retention = Retention {
        snapshot_after_bytes: (u64::MAX, u64::MAX),
        keep_entries: 5,
    };
    let (cluster, leader) = Cluster::start(retention).await;
    let away = others(leader)[0];
    cluster.log(leader).propose(bytes("before")).await.unwrap();
    cluster.network.isolate(away);
    // Longer than one piece of a snapshot.
    let long = "x".repeat(60_000);
    for number in 0..30 {
        cluster
            .log(leader)
            .propose(bytes(&format!("{number} {long}")))
            .await
            .unwrap();
    }
    cluster.log(leader).compact().await.unwrap();
    while cluster
        .log(leader)
        .status()
        .purged
        .is_none_or(|purged| purged < 20)
    {
        cluster.log(leader).propose(bytes("more")).await.unwrap();
    }
    cluster.network.heal();
    cluster.log(leader).propose(bytes("after")).await.unwrap();
    assert_eq!(cluster.agreed().await.last().unwrap(), "after");
    assert_eq!(cluster.nodes[&away].tally.0.lock().unwrap().installed, 1);
}

#[tokio::test(start_paused = true)]
async fn nodes_that_all_stop_and_start_again_carry_on() {
    let (mut cluster, _) = Cluster::start(Retention::default()).await;
    cluster
        .log(NODES[0])
        .propose(bytes("before"))
        .await
        .unwrap();
    cluster.agreed().await;
    for node in NODES {
        cluster.restart(node).await;
    }
    cluster.log(NODES[1]).propose(bytes("after")).await.unwrap();
    assert_eq!(cluster.agreed().await, ["before", "after"]);
}

#[tokio::test(start_paused = true)]
async fn a_fourth_node_joins_as_a_learner_and_takes_a_voters_place() {
    let (mut cluster, leader) = Cluster::start(Retention::default()).await;
    cluster.log(leader).propose(bytes("before")).await.unwrap();
    let fourth = NodeId(4);
    cluster.add(fourth).await;
    cluster.log(leader).add_learner(fourth).await.unwrap();
    assert_eq!(cluster.agreed().await, ["before"]);
    let leaving = others(leader)[0];
    let mut voters = others(leaving);
    voters.push(fourth);
    cluster
        .log(leader)
        .set_voters(&voters, Removed::Leave)
        .await
        .unwrap();
    cluster.stop(leaving).await;
    cluster.log(fourth).propose(bytes("after")).await.unwrap();
    assert_eq!(cluster.agreed().await, ["before", "after"]);
    let status = cluster.log(fourth).status();
    voters.sort_unstable();
    assert_eq!((status.voters, status.learners), (voters, vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_leader_hands_its_office_over_when_asked() {
    let (cluster, leader) = Cluster::start(Retention::default()).await;
    let next = others(leader)[0];
    cluster.agreed().await;
    cluster.log(leader).transfer_leadership(next).await.unwrap();
    assert_eq!(cluster.leader_among(&[next]).await, next);
}

#[tokio::test(start_paused = true)]
async fn a_proposal_without_a_majority_says_that_nothing_was_proposed() {
    let (mut cluster, leader) = Cluster::start(Retention::default()).await;
    for node in others(NODES[0]) {
        cluster.stop(node).await;
    }
    if leader == NODES[0] {
        cluster.restart(leader).await;
    }
    let mut leadership = cluster.log(NODES[0]).leadership();
    leadership
        .wait_for(|now| *now == Leadership::NoLeader)
        .await
        .unwrap();
    let error = cluster.log(NODES[0]).propose(bytes("a")).await.unwrap_err();
    assert!(matches!(error, ProposeError::NoLeader { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_node_that_was_alone_for_long_leads_others_on_in_its_term_and_is_then_replaced() {
    let mut cluster = Cluster::empty(0, Retention::default());
    let [first, ..] = NODES;
    cluster.add(first).await;
    cluster.log(first).bootstrap().await.unwrap();
    cluster.leader_among(&[first]).await;
    let term = cluster.term(first);
    tokio::time::sleep(IDLE).await;
    for node in others(first) {
        cluster.add(node).await;
        cluster.log(first).add_learner(node).await.unwrap();
    }
    cluster.agreed().await;
    let log = cluster.log(first);
    log.set_voters(&NODES, Removed::Leave).await.unwrap();
    // Without a proposal, only heartbeats keep the term.
    tokio::time::sleep(IDLE).await;
    log.propose_fenced(term, bytes("before")).await.unwrap();
    assert_eq!(cluster.agreed().await, ["before"]);
    cluster.stop(first).await;
    let next = cluster.leader_among(&others(first)).await;
    assert!(cluster.term(next) > term);
}

#[tokio::test(start_paused = true)]
async fn the_only_member_left_goes_on_alone() {
    let (cluster, leader) = Cluster::start(Retention::default()).await;
    cluster.agreed().await;
    let (log, term) = (cluster.log(leader), cluster.term(leader));
    log.set_voters(&[leader], Removed::Leave).await.unwrap();
    tokio::time::sleep(IDLE).await;
    log.propose_fenced(term, bytes("alone")).await.unwrap();
    assert_eq!(cluster.commands(leader), ["alone"]);
}
