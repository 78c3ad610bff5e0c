//! The checkout as files.

use std::path::{Path, PathBuf};

use crate::step::Failure;

/// The checkout that this program was built from.
pub(crate) struct Repository {
    /// Its root.
    pub(crate) root: PathBuf,
}

/// A text file of the repository.
pub(crate) struct TextFile {
    /// Its path from the root, with `/`.
    pub(crate) path: String,
    /// What is in it.
    pub(crate) text: String,
}

/// Folders that hold what tools made.
const NOT_OURS: [&str; 4] = [".git", "target", "node_modules", "bench-results"];

/// Text files by their ends; everything else is left alone.
const TEXT_ENDS: [&str; 16] = [
    ".rs", ".md", ".toml", ".yml", ".yaml", ".json", ".py", ".sh", ".js", ".mjs", ".cjs", ".ts",
    ".go", ".sql", ".txt", "/run",
];

impl Repository {
    /// The repository's root is the folder above this crate's.
    pub(crate) fn find() -> Result<Self, Failure> {
        let manifest_dir = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = manifest_dir.parent().ok_or_else(|| Failure::Unreadable {
            path: manifest_dir.display().to_string(),
            error: "it has no parent".to_owned(),
        })?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// All text files, in order of their paths.
    pub(crate) fn text_files(&self) -> Result<Vec<TextFile>, Failure> {
        let mut paths = Vec::new();
        walk(&self.root, &mut paths)?;
        paths.sort();
        let mut files = Vec::new();
        for path in paths {
            let shown = self.shown(&path);
            if !TEXT_ENDS.iter().any(|end| shown.ends_with(end)) {
                continue;
            }
            let bytes = std::fs::read(&path).map_err(|error| unreadable(&path, &error))?;
            // A file that is not UTF-8 is test data, whatever its name says.
            if let Ok(text) = String::from_utf8(bytes) {
                files.push(TextFile { path: shown, text });
            }
        }
        Ok(files)
    }

    /// Whether a crate has a program to run.
    pub(crate) fn has_program(&self, package: &str) -> bool {
        let source = self.root.join("crates").join(package).join("src");
        source.join("main.rs").is_file() || source.join("bin").is_dir()
    }

    /// The path from the root, with `/`.
    pub(crate) fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root)
            .unwrap_or(path)
            .to_string_lossy()
            .into_owned()
    }
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let entries = std::fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(folder, &error))?;
        let kind = entry
            .file_type()
            .map_err(|error| unreadable(&entry.path(), &error))?;
        let name = entry.file_name();
        if kind.is_dir() {
            if !NOT_OURS.iter().any(|skipped| name == *skipped) {
                walk(&entry.path(), paths)?;
            }
        } else if kind.is_file() {
            paths.push(entry.path());
        }
    }
    Ok(())
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Unreadable {
        path: path.display().to_string(),
        error: error.to_string(),
    }
}
