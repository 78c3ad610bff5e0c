//! How rows are written in a block: column by column, so that what repeats lies together, then compressed.
//!
//! A number is written as its difference from the row before, or from another column of its own row, whichever is
//! shorter in this block: the instants of a run are close to each other, and so are neighbouring runs.

use rusqlite::types::Value;

/// What a block cannot be read for; the file's name is added by who knows it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Damage(pub(crate) &'static str);

/// The largest block that is unpacked: damage cannot make a reader allocate more.
pub(crate) const UNPACKED_BYTES_MAX: usize = 32 << 20;
/// How many rows the choice of a column's predictor looks at.
const SAMPLE_ROWS: usize = 64;
/// How hard compression tries.
const LEVEL: i32 = 6;

const NULL: u8 = 0;
const INTEGER: u8 = 1;
const TEXT: u8 = 2;
const BLOB: u8 = 3;

/// Compresses what [`encode_rows`] or [`encode_numbers`] made.
pub(crate) fn pack(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    zstd::bulk::compress(bytes, LEVEL)
}

/// The other way.
pub(crate) fn unpack(bytes: &[u8], length: usize) -> Result<Vec<u8>, Damage> {
    if length > UNPACKED_BYTES_MAX {
        return Err(Damage("a block is longer than any that is written"));
    }
    let unpacked =
        zstd::bulk::decompress(bytes, length).map_err(|_| Damage("a block cannot be unpacked"))?;
    if unpacked.len() == length {
        Ok(unpacked)
    } else {
        Err(Damage("a block has another length than the index says"))
    }
}

/// Columns of numbers, all of one length.
pub(crate) fn encode_numbers(columns: &[Vec<i64>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (place, column) in columns.iter().enumerate() {
        let earlier = columns.get(..place).unwrap_or_default();
        put_column(&mut bytes, column, earlier);
    }
    bytes
}

/// The columns again.
pub(crate) fn decode_numbers(
    bytes: &[u8],
    columns: usize,
    rows: usize,
) -> Result<Vec<Vec<i64>>, Damage> {
    let mut from = Bytes(bytes);
    let mut read: Vec<Vec<i64>> = Vec::with_capacity(columns);
    for _ in 0..columns {
        let column = from.column(rows, &read)?;
        read.push(column);
    }
    from.is_used_up()?;
    Ok(read)
}

/// Rows of a table, each of `columns` values.
pub(crate) fn encode_rows(rows: &[Vec<Value>], columns: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut numbers: Vec<Vec<i64>> = Vec::with_capacity(columns);
    for place in 0..columns {
        let values = || {
            rows.iter()
                .map(|row| row.get(place).unwrap_or(&Value::Null))
        };
        put_kinds(&mut bytes, values().map(kind));
        let mut last = 0;
        // What is no number repeats the one before, which takes no room.
        let column: Vec<i64> = values()
            .map(|value| {
                if let Value::Integer(number) = value {
                    last = *number;
                }
                last
            })
            .collect();
        put_column(&mut bytes, &column, &numbers);
        numbers.push(column);
        let texts = || {
            values().filter_map(|value| match value {
                Value::Text(text) => Some(text.as_bytes()),
                Value::Blob(bytes) => Some(bytes.as_slice()),
                Value::Null | Value::Integer(_) | Value::Real(_) => None,
            })
        };
        texts().for_each(|text| put_varint(&mut bytes, text.len() as u64));
        texts().for_each(|text| bytes.extend_from_slice(text));
    }
    bytes
}

/// The rows again.
pub(crate) fn decode_rows(
    bytes: &[u8],
    columns: usize,
    rows: usize,
) -> Result<Vec<Vec<Value>>, Damage> {
    let mut from = Bytes(bytes);
    let mut read: Vec<Vec<Value>> = vec![Vec::with_capacity(columns); rows];
    let mut numbers: Vec<Vec<i64>> = Vec::with_capacity(columns);
    for _ in 0..columns {
        let kinds = from.kinds(rows)?;
        let column = from.column(rows, &numbers)?;
        let mut lengths = Vec::new();
        for _ in kinds.iter().filter(|kind| matches!(**kind, TEXT | BLOB)) {
            let length = usize::try_from(from.varint()?);
            lengths.push(length.map_err(|_| Damage("a value is too long"))?);
        }
        let mut lengths = lengths.into_iter();
        for ((kind, &number), row) in kinds.iter().zip(&column).zip(&mut read) {
            row.push(match *kind {
                NULL => Value::Null,
                INTEGER => Value::Integer(number),
                kind => {
                    let bytes = from.take(lengths.next().unwrap_or(0))?.to_vec();
                    if kind == BLOB {
                        Value::Blob(bytes)
                    } else {
                        let text = String::from_utf8(bytes);
                        Value::Text(text.map_err(|_| Damage("a text is not UTF-8"))?)
                    }
                }
            });
        }
        numbers.push(column);
    }
    from.is_used_up()?;
    Ok(read)
}

fn kind(value: &Value) -> u8 {
    match value {
        // No replicated table has floats: they are not summed the same way everywhere.
        Value::Null | Value::Real(_) => NULL,
        Value::Integer(_) => INTEGER,
        Value::Text(_) => TEXT,
        Value::Blob(_) => BLOB,
    }
}

/// Lengths of stretches of one kind.
fn put_kinds(bytes: &mut Vec<u8>, kinds: impl Iterator<Item = u8>) {
    let mut stretch: Option<(u8, u64)> = None;
    for kind in kinds {
        match &mut stretch {
            Some((of, length)) if *of == kind => *length += 1,
            _ => {
                if let Some((of, length)) = stretch.replace((kind, 1)) {
                    bytes.push(of);
                    put_varint(bytes, length);
                }
            }
        }
    }
    if let Some((of, length)) = stretch {
        bytes.push(of);
        put_varint(bytes, length);
    }
}

/// The place of the column that this one is written against, plus one; 0 for the row before. Then the differences.
fn put_column(bytes: &mut Vec<u8>, column: &[i64], earlier: &[Vec<i64>]) {
    let cost = |against: Option<&Vec<i64>>| -> usize {
        let mut last = 0;
        let sample = column.iter().take(SAMPLE_ROWS).enumerate();
        sample
            .map(|(row, &number)| {
                let expected = against.map_or(last, |other| other[row]);
                last = number;
                length_of(zigzag(number.wrapping_sub(expected)))
            })
            .sum()
    };
    let mut best = (cost(None), 0);
    for (place, other) in earlier.iter().enumerate() {
        let candidate = cost(Some(other));
        if candidate < best.0 {
            best = (candidate, place + 1);
        }
    }
    let against = best.1.checked_sub(1).and_then(|place| earlier.get(place));
    put_varint(bytes, best.1 as u64);
    let mut last = 0;
    for (row, &number) in column.iter().enumerate() {
        let expected = against.map_or(last, |other| other[row]);
        put_varint(bytes, zigzag(number.wrapping_sub(expected)));
        last = number;
    }
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

fn from_zigzag(bits: u64) -> i64 {
    (bits >> 1).cast_signed() ^ -((bits & 1).cast_signed())
}

fn length_of(bits: u64) -> usize {
    // 7 bits a byte.
    (64 - (bits | 1).leading_zeros() as usize).div_ceil(7)
}

fn put_varint(bytes: &mut Vec<u8>, mut bits: u64) {
    while bits >= 0x80 {
        bytes.push((bits & 0x7f) as u8 | 0x80);
        bits >>= 7;
    }
    bytes.push(bits as u8);
}

/// What is left to read.
struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn take(&mut self, length: usize) -> Result<&'b [u8], Damage> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(Damage("a block ends within a value"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Damage> {
        let (&first, rest) = self
            .0
            .split_first()
            .ok_or(Damage("a block ends within a value"))?;
        self.0 = rest;
        Ok(first)
    }

    fn varint(&mut self) -> Result<u64, Damage> {
        let mut bits = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            bits |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(bits);
            }
        }
        Err(Damage("a number is too long"))
    }

    fn kinds(&mut self, rows: usize) -> Result<Vec<u8>, Damage> {
        let mut kinds = Vec::with_capacity(rows);
        while kinds.len() < rows {
            let kind = self.byte()?;
            let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
            if kind > BLOB || length == 0 || length > rows - kinds.len() {
                return Err(Damage(
                    "a block's kinds of values are not those of its rows",
                ));
            }
            kinds.resize(kinds.len() + length, kind);
        }
        Ok(kinds)
    }

    fn column(&mut self, rows: usize, earlier: &[Vec<i64>]) -> Result<Vec<i64>, Damage> {
        let place = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        let against = match place.checked_sub(1) {
            None => None,
            Some(place) => Some(
                earlier
                    .get(place)
                    .ok_or(Damage("a column refers to one that is not there"))?,
            ),
        };
        let mut column = Vec::with_capacity(rows);
        let mut last = 0;
        for row in 0..rows {
            let expected = against.map_or(last, |other| other[row]);
            last = expected.wrapping_add(from_zigzag(self.varint()?));
            column.push(last);
        }
        Ok(column)
    }

    fn is_used_up(&self) -> Result<(), Damage> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(Damage("a block holds more than its rows"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<i64>().prop_map(Value::Integer),
            (0..5i64).prop_map(Value::Integer),
            ".{0,8}".prop_map(Value::Text),
            proptest::collection::vec(any::<u8>(), 0..9).prop_map(Value::Blob),
        ]
    }

    proptest! {
        #[test]
        fn any_rows_read_back(rows in proptest::collection::vec(proptest::collection::vec(value(), 4), 0..70)) {
            let bytes = encode_rows(&rows, 4);
            prop_assert_eq!(decode_rows(&bytes, 4, rows.len()).unwrap(), rows);
        }

        #[test]
        fn any_numbers_read_back(column in proptest::collection::vec(any::<i64>(), 0..70), add in any::<i64>()) {
            let columns = vec![column.clone(), column.iter().map(|n| n.wrapping_add(add)).collect()];
            let bytes = encode_numbers(&columns);
            prop_assert_eq!(decode_numbers(&bytes, 2, column.len()).unwrap(), columns);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), rows in 0usize..20) {
            let _ = decode_rows(&bytes, 3, rows);
            let _ = decode_numbers(&bytes, 3, rows);
            let _ = unpack(&bytes, 100);
        }
    }

    #[test]
    fn instants_near_each_other_take_few_bytes() {
        let due: Vec<i64> = (0..1000)
            .map(|n| 1_700_000_000_000_000 + n * 60_000_000)
            .collect();
        let started: Vec<i64> = due.iter().map(|at| at + 1_234).collect();
        let alone = encode_numbers(std::slice::from_ref(&started)).len();
        let both = encode_numbers(&[due, started]).len();
        assert!(both - alone < 2100, "{both} {alone}");
    }
}
