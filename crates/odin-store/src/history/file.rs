//! A file of sealed history: written once, never changed.
//!
//! ```text
//! "odinhst1" · blocks · index (compressed) · {offset u64, packed length u32, unpacked length u32, crc32 u32, "odinhst1"}
//! ```
//!
//! Each block has its own checksum in the index, so that damage is found where it is read and takes one block with it.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use odin_model::codec;
use rusqlite::types::Value;
use serde::{Deserialize, Serialize};

use super::block::{self, Damage};

/// The first and the last bytes: what it is, and the version of its form.
const MAGIC: [u8; 8] = *b"odinhst1";
const TRAILER: usize = 8 + 4 + 4 + 4 + 8;
/// The longest index that is read.
const INDEX_BYTES_MAX: usize = 256 << 20;

/// What a file says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Index {
    /// Its number, from 1.
    pub(crate) number: u64,
    /// It holds the runs that ended after this index of the log,
    pub(crate) after: u64,
    /// and up to this one.
    pub(crate) upto: u64,
    /// Its tables.
    pub(crate) sections: Vec<Section>,
}

/// A table's rows, ascending by their key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Section {
    /// The table.
    pub(crate) name: String,
    /// Its columns.
    pub(crate) columns: Vec<String>,
    /// Whether all values are numbers, written so.
    pub(crate) numbers: bool,
    /// Its blocks, in order.
    pub(crate) blocks: Vec<Block>,
}

/// Where some rows are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Block {
    offset: u64,
    packed: u32,
    unpacked: u32,
    crc32: u32,
    /// How many.
    pub(crate) rows: u32,
    /// The first two columns of the first row.
    pub(crate) first: (i64, i64),
    /// And of the last.
    pub(crate) last: (i64, i64),
    /// For sections of numbers, the least and the greatest of each column.
    pub(crate) bounds: Vec<(i64, i64)>,
}

/// Why a file or a block of it cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    /// It is not what was written.
    #[error(transparent)]
    Damaged(#[from] Damage),
    /// The system's error.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// A whole file, whose index is in memory. A server has thousands of them: each is opened for what is read of it.
#[derive(Debug)]
pub(crate) struct HistoryFile {
    pub(crate) path: PathBuf,
    pub(crate) index: Index,
    /// Its length in bytes.
    pub(crate) length: u64,
    /// Open, once its name goes: for those who are reading it.
    held: OnceLock<File>,
}

impl HistoryFile {
    /// Opens a file and reads its index.
    pub(crate) fn open(path: &Path) -> Result<Self, Unreadable> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut magic = [0; MAGIC.len()];
        let mut trailer = [0; TRAILER];
        let Some(at) = length
            .checked_sub(TRAILER as u64)
            .filter(|at| *at >= MAGIC.len() as u64)
        else {
            return Err(Damage("it is too short").into());
        };
        file.read_exact_at(&mut magic, 0)?;
        file.read_exact_at(&mut trailer, at)?;
        let mut fields = trailer.as_slice();
        let offset = u64::from_le_bytes(take(&mut fields));
        let packed = u32::from_le_bytes(take(&mut fields));
        let unpacked = u32::from_le_bytes(take(&mut fields)) as usize;
        let crc32 = u32::from_le_bytes(take(&mut fields));
        if magic != MAGIC || fields != MAGIC {
            return Err(Damage("it is not a history file of this version of Odin").into());
        }
        if offset.checked_add(u64::from(packed)) != Some(at) || unpacked > INDEX_BYTES_MAX {
            return Err(Damage("its index is damaged").into());
        }
        let bytes = read_checked(&file, offset, packed, crc32).map_err(|error| match error {
            Unreadable::Damaged(_) => Damage("its index is damaged").into(),
            Unreadable::Io(error) => Unreadable::Io(error),
        })?;
        let bytes = zstd::bulk::decompress(&bytes, unpacked)
            .ok()
            .filter(|bytes| bytes.len() == unpacked)
            .ok_or(Damage("its index is damaged"))?;
        let index = codec::decode(&bytes).map_err(|_| Damage("its index is damaged"))?;
        Ok(Self {
            path: path.to_owned(),
            index,
            length,
            held: OnceLock::new(),
        })
    }

    /// Keeps the file readable for whoever has it when its name goes.
    pub(crate) fn hold(&self) -> io::Result<()> {
        let file = File::open(&self.path)?;
        let _ = self.held.set(file);
        Ok(())
    }

    fn opened(&self) -> io::Result<File> {
        if let Some(file) = self.held.get() {
            return file.try_clone();
        }
        match (File::open(&self.path), self.held.get()) {
            // Its name went between the two looks.
            (Err(error), Some(file)) if error.kind() == io::ErrorKind::NotFound => file.try_clone(),
            (opened, _) => opened,
        }
    }

    /// The rows of a table. `None`: no run of the file had any.
    pub(crate) fn section(&self, name: &str) -> Option<&Section> {
        self.index
            .sections
            .iter()
            .find(|section| section.name == name)
    }

    /// The rows of a block.
    pub(crate) fn rows(
        &self,
        section: &Section,
        block: &Block,
    ) -> Result<Vec<Vec<Value>>, Unreadable> {
        let bytes = self.unpacked(block)?;
        Ok(block::decode_rows(
            &bytes,
            section.columns.len(),
            block.rows as usize,
        )?)
    }

    /// The columns of a block of numbers.
    pub(crate) fn numbers(
        &self,
        section: &Section,
        block: &Block,
    ) -> Result<Vec<Vec<i64>>, Unreadable> {
        let bytes = self.unpacked(block)?;
        Ok(block::decode_numbers(
            &bytes,
            section.columns.len(),
            block.rows as usize,
        )?)
    }

    fn unpacked(&self, block: &Block) -> Result<Vec<u8>, Unreadable> {
        let packed = read_checked(&self.opened()?, block.offset, block.packed, block.crc32)?;
        Ok(block::unpack(&packed, block.unpacked as usize)?)
    }

    /// Reads every block: whether all of it is as it was written.
    pub(crate) fn check(&self) -> Result<(), Unreadable> {
        for block in self
            .index
            .sections
            .iter()
            .flat_map(|section| &section.blocks)
        {
            self.unpacked(block)?;
        }
        Ok(())
    }
}

fn take<const N: usize>(from: &mut &[u8]) -> [u8; N] {
    let (taken, rest) = from
        .split_first_chunk::<N>()
        .expect("the trailer has all fields");
    *from = rest;
    *taken
}

fn read_checked(file: &File, offset: u64, length: u32, crc32: u32) -> Result<Vec<u8>, Unreadable> {
    if length as usize > INDEX_BYTES_MAX {
        return Err(Damage("a block is longer than any that is written").into());
    }
    let mut bytes = vec![0; length as usize];
    file.read_exact_at(&mut bytes, offset)
        .map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Unreadable::Damaged(Damage("it is cut off")),
            _ => Unreadable::Io(error),
        })?;
    if crc32fast::hash(&bytes) == crc32 {
        Ok(bytes)
    } else {
        Err(Damage("a block's checksum does not match").into())
    }
}

/// Writes a file: section after section, each ascending by its key.
pub(crate) struct Writer {
    file: io::BufWriter<File>,
    offset: u64,
    index: Index,
}

impl Writer {
    /// Begins a file of that period. One that is there already is what a crash left.
    pub(crate) fn create(path: &Path, number: u64, after: u64, upto: u64) -> io::Result<Self> {
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        let mut file = io::BufWriter::with_capacity(256 << 10, file);
        file.write_all(&MAGIC)?;
        Ok(Self {
            file,
            offset: MAGIC.len() as u64,
            index: Index {
                number,
                after,
                upto,
                sections: Vec::new(),
            },
        })
    }

    /// Begins a table; what is written from now on are its blocks.
    pub(crate) fn section(&mut self, name: &str, columns: &[String], numbers: bool) {
        self.index.sections.push(Section {
            name: name.to_owned(),
            columns: columns.to_vec(),
            numbers,
            blocks: Vec::new(),
        });
    }

    /// Writes rows of the table as one block.
    pub(crate) fn rows(&mut self, rows: &[Vec<Value>]) -> io::Result<()> {
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            return Ok(());
        };
        let columns = first.len();
        let number = |row: &[Value], place: usize| match row.get(place) {
            Some(Value::Integer(number)) => *number,
            _ => 0,
        };
        let ends = [first, last].map(|row| (number(row, 0), number(row, 1)));
        self.put(
            &block::encode_rows(rows, columns),
            rows.len(),
            ends,
            Vec::new(),
        )
    }

    /// Writes columns of numbers as one block.
    pub(crate) fn numbers(&mut self, columns: &[Vec<i64>]) -> io::Result<()> {
        let rows = columns.first().map_or(0, Vec::len);
        let Some(last) = rows.checked_sub(1) else {
            return Ok(());
        };
        let number = |place: usize, row: usize| columns.get(place).map_or(0, |column| column[row]);
        let ends = [0, last].map(|row| (number(0, row), number(1, row)));
        let bounds = columns
            .iter()
            .map(|column| {
                let least = column.iter().copied().min().unwrap_or(0);
                (least, column.iter().copied().max().unwrap_or(0))
            })
            .collect();
        self.put(&block::encode_numbers(columns), rows, ends, bounds)
    }

    fn put(
        &mut self,
        bytes: &[u8],
        rows: usize,
        [first, last]: [(i64, i64); 2],
        bounds: Vec<(i64, i64)>,
    ) -> io::Result<()> {
        let packed = block::pack(bytes)?;
        self.file.write_all(&packed)?;
        let narrow = |length: usize| {
            u32::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))
        };
        let block = Block {
            offset: self.offset,
            packed: narrow(packed.len())?,
            unpacked: narrow(bytes.len())?,
            crc32: crc32fast::hash(&packed),
            rows: narrow(rows)?,
            first,
            last,
            bounds,
        };
        self.offset += packed.len() as u64;
        let section = self
            .index
            .sections
            .last_mut()
            .expect("a section is begun before its blocks");
        section.blocks.push(block);
        Ok(())
    }

    /// Writes the index and makes the file durable under its present name.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        let index = codec::encode(&self.index);
        let packed = zstd::bulk::compress(&index, 3)?;
        let narrow = |length: usize| {
            u32::try_from(length).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))
        };
        self.file.write_all(&packed)?;
        self.file.write_all(&self.offset.to_le_bytes())?;
        self.file.write_all(&narrow(packed.len())?.to_le_bytes())?;
        self.file.write_all(&narrow(index.len())?.to_le_bytes())?;
        self.file
            .write_all(&crc32fast::hash(&packed).to_le_bytes())?;
        self.file.write_all(&MAGIC)?;
        let file = self
            .file
            .into_inner()
            .map_err(io::IntoInnerError::into_error)?;
        file.sync_all()
    }
}
