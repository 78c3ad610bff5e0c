//! The manifests of the workspace's crates, as far as the rules look at them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::repository::Repository;
use crate::step::Failure;

/// One crate of the workspace.
#[derive(Debug)]
pub(crate) struct Crate {
    /// The folder, from the repository's root.
    pub(crate) folder: String,
    /// The name in its manifest.
    pub(crate) name: String,
    /// What its code may name.
    pub(crate) dependencies: Vec<String>,
    /// What only its tests and benches may name.
    pub(crate) dev_dependencies: Vec<String>,
    /// Whether it has the workspace's lints.
    pub(crate) has_workspace_lints: bool,
    /// Whether its manifest declares feature flags.
    pub(crate) has_features: bool,
    /// Dependencies whose version is written in the crate instead of the workspace's table.
    pub(crate) own_versions: Vec<String>,
}

#[derive(Deserialize)]
struct Manifest {
    package: Package,
    #[serde(default)]
    dependencies: BTreeMap<String, toml::Value>,
    #[serde(default, rename = "dev-dependencies")]
    dev_dependencies: BTreeMap<String, toml::Value>,
    #[serde(default, rename = "build-dependencies")]
    build_dependencies: BTreeMap<String, toml::Value>,
    features: Option<toml::Value>,
    lints: Option<Lints>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
}

#[derive(Deserialize)]
struct Lints {
    #[serde(default)]
    workspace: bool,
}

/// Every crate under `crates/`, the SDK and this one, in order of their folders.
pub(crate) fn read_all(repository: &Repository) -> Result<Vec<Crate>, Failure> {
    let crates_folder = repository.root.join("crates");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(&crates_folder)
        .and_then(|entries| {
            entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect()
        })
        .map_err(|error| Failure::Unreadable {
            path: crates_folder.display().to_string(),
            error: error.to_string(),
        })?;
    folders.retain(|folder| folder.join("Cargo.toml").is_file());
    folders.push(repository.root.join("sdks/rust"));
    folders.push(repository.root.join("xtask"));
    folders.sort();
    folders
        .iter()
        .map(|folder| read(repository, folder))
        .collect()
}

fn read(repository: &Repository, folder: &std::path::Path) -> Result<Crate, Failure> {
    let path = folder.join("Cargo.toml");
    let unreadable = |error: String| Failure::Unreadable {
        path: repository.shown(&path),
        error,
    };
    let text = std::fs::read_to_string(&path).map_err(|error| unreadable(error.to_string()))?;
    parse(&repository.shown(folder), &text).map_err(unreadable)
}

/// A manifest's text as a [`Crate`].
pub(crate) fn parse(folder: &str, text: &str) -> Result<Crate, String> {
    let manifest: Manifest = toml::from_str(text).map_err(|error| error.to_string())?;
    let all = || {
        manifest
            .dependencies
            .iter()
            .chain(&manifest.dev_dependencies)
            .chain(&manifest.build_dependencies)
    };
    let own_versions = all()
        .filter(|(_, value)| value.get("workspace").and_then(toml::Value::as_bool) != Some(true))
        .map(|(name, _)| name.clone())
        .collect();
    let dependencies = manifest
        .dependencies
        .keys()
        .chain(manifest.build_dependencies.keys())
        .cloned()
        .collect();
    Ok(Crate {
        folder: folder.to_owned(),
        name: manifest.package.name,
        dependencies,
        dev_dependencies: manifest.dev_dependencies.keys().cloned().collect(),
        has_workspace_lints: manifest.lints.is_some_and(|lints| lints.workspace),
        has_features: manifest.features.is_some(),
        own_versions,
    })
}
