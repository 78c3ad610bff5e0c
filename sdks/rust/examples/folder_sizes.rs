//! How large the folders in a folder are. `FOLDER` is where to look, `OUTPUT` the list that is written, `LIMIT_BYTES` what is
//! too much.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

use odin_sdk::{Odin, Value};

fn main() {
    let odin = Odin::setup("folder_sizes.yml");
    let of = |name: &str, otherwise: &str| env::var(name).unwrap_or_else(|_| otherwise.to_owned());
    let (folder, output) = (of("FOLDER", "."), of("OUTPUT", "folder_sizes.csv"));
    let Ok(limit) = of("LIMIT_BYTES", "10000000000").parse::<u64>() else {
        odin.result("LIMIT_BYTES is no number", 1)
    };
    let sizes = match measure(&odin, Path::new(&folder)) {
        Ok(sizes) => sizes,
        Err(error) => odin.result(&format!("{folder}: {error}"), 1),
    };

    let total: u64 = sizes.iter().map(|(_, bytes)| bytes).sum();
    odin.metric("size", total, "bytes");
    let mut list = String::new();
    for (name, bytes) in &sizes {
        // Writing into memory never fails.
        let _ = writeln!(list, "{name:?},{bytes}");
    }
    if let Some((name, bytes)) = sizes.iter().max_by_key(|(_, bytes)| bytes) {
        // A program with serde_json has more for this; Rust's own quotes are JSON's for all but rare names.
        odin.watch(
            "largest",
            Value::json(format!("{{\"name\":{name:?},\"bytes\":{bytes}}}")),
        );
    }
    if let Err(error) = fs::write(&output, list) {
        odin.result(&format!("{output}: {error}"), 1);
    }
    odin.artifact(&output);

    if odin.condition("within the limit", total <= limit) {
        odin.result(&format!("{} folders, {total} bytes", sizes.len()), 0);
    }
    odin.result(&format!("{total} bytes are more than {limit}"), 400);
}

/// The folders in a folder, by their names, with their sizes.
fn measure(odin: &Odin, folder: &Path) -> io::Result<Vec<(String, u64)>> {
    let _span = odin.span("measure");
    let mut folders = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry);
        }
    }
    folders.sort_by_key(fs::DirEntry::file_name);
    let mut sizes = Vec::new();
    for entry in &folders {
        let name = entry.file_name().to_string_lossy().into_owned();
        sizes.push((name, bytes_of(&entry.path())?));
        odin.progress(sizes.len() as u64, folders.len() as u64);
    }
    Ok(sizes)
}

/// The bytes of the files in a folder, and in those in it. Links are not followed.
fn bytes_of(folder: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            bytes += bytes_of(&entry.path())?;
        } else if kind.is_file() {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}
