//! The form of a block: points one behind the other, each as its difference from the one before.
//!
//! `version, then for each point: number and instant as differences, a tag, the data`. A number whose text is the
//! shortest one of a 64-bit integer or float is stored as that; any other keeps its text.

use odin_model::codec;
use odin_model::instant::{from_micros, to_micros};
use odin_model::value::Flaw;
use odin_model::{Value, ValueData, ValueKind};
use serde::{Deserialize, Serialize};

use crate::StoreError;

const VERSION: u8 = 1;

const INTEGER: u8 = 0;
const FLOAT: u8 = 1;
const NUMBER: u8 = 2;
const FALSE: u8 = 3;
const TRUE: u8 = 4;
const TEXT: u8 = 5;
const JSON: u8 = 6;
/// Beside the tag: something follows that most points have not.
const HAS_MORE: u8 = 0x80;

/// What most points have not.
#[derive(Serialize, Deserialize, Default, PartialEq, Eq)]
struct More {
    status: Option<String>,
    unit: Option<String>,
    flaw: Option<Flaw>,
    /// Its name where its series has none.
    name: Option<String>,
}

/// A value of a series, with its place among its attempt's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Point<'v> {
    /// Counts the attempt's values from 0.
    pub(crate) number: u64,
    pub(crate) value: &'v Value,
}

/// A block's bytes while points are added to it.
pub(crate) struct Block {
    bytes: Vec<u8>,
    number: u64,
    micros: i64,
}

impl Block {
    pub(crate) fn new() -> Self {
        Self {
            bytes: vec![VERSION],
            number: 0,
            micros: 0,
        }
    }

    pub(crate) fn push(&mut self, point: &Point<'_>) {
        let Point { number, value } = point;
        let micros = to_micros(value.at);
        self.varint(number.wrapping_sub(self.number));
        self.signed(micros.wrapping_sub(self.micros));
        (self.number, self.micros) = (*number, micros);
        let more = More {
            status: value.status.clone(),
            unit: value.unit.clone(),
            flaw: value.flaw.clone(),
            name: (value.series_name() != value.name).then(|| value.name.clone()),
        };
        let has_more = more != More::default();
        let tag = |tag: u8| tag | if has_more { HAS_MORE } else { 0 };
        match &value.data {
            ValueData::Number(text) => match Numeric::of(text) {
                Numeric::Integer(number) => {
                    self.bytes.push(tag(INTEGER));
                    self.signed(number);
                }
                Numeric::Float(number) => {
                    self.bytes.push(tag(FLOAT));
                    self.bytes.extend(number.to_le_bytes());
                }
                Numeric::Other => {
                    self.bytes.push(tag(NUMBER));
                    self.text(text.as_bytes());
                }
            },
            ValueData::Boolean(it) => self.bytes.push(tag(if *it { TRUE } else { FALSE })),
            ValueData::Text(text) => {
                self.bytes.push(tag(TEXT));
                self.text(text.as_bytes());
            }
            ValueData::Json(text) => {
                self.bytes.push(tag(JSON));
                self.text(text.as_bytes());
            }
        }
        if has_more {
            self.text(&codec::encode(&more));
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.bytes
    }

    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.bytes.push(number.to_le_bytes()[0]);
    }

    fn signed(&mut self, number: i64) {
        self.varint((number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned());
    }

    fn text(&mut self, bytes: &[u8]) {
        self.varint(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }
}

/// A number's shortest exact form.
enum Numeric {
    Integer(i64),
    Float(f64),
    Other,
}

impl Numeric {
    fn of(text: &str) -> Self {
        if let Ok(number) = text.parse::<i64>()
            && number.to_string() == text
        {
            return Self::Integer(number);
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() && float_text(number) == text => Self::Float(number),
            _ => Self::Other,
        }
    }
}

fn float_text(number: f64) -> String {
    number.to_string()
}

/// A point as it stands in a block.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PointRef<'b> {
    pub(crate) number: u64,
    pub(crate) micros: i64,
    data: DataRef<'b>,
    more: Option<&'b [u8]>,
}

#[derive(Debug, Clone, Copy)]
enum DataRef<'b> {
    Integer(i64),
    Float(f64),
    Number(&'b str),
    Boolean(bool),
    Text(&'b str),
    Json(&'b str),
}

impl<'b> PointRef<'b> {
    /// All points of a block, in order.
    pub(crate) fn all(bytes: &'b [u8]) -> Result<Vec<Self>, StoreError> {
        let mut points = Vec::new();
        Self::each(bytes, |point| points.push(point))?;
        Ok(points)
    }

    /// Shows all points of a block, in order.
    pub(crate) fn each(bytes: &'b [u8], mut take: impl FnMut(Self)) -> Result<(), StoreError> {
        let mut rest = match bytes.split_first() {
            Some((&VERSION, rest)) => Rest { bytes: rest },
            _ => return Err(damaged()),
        };
        let (mut number, mut micros) = (0u64, 0i64);
        while !rest.bytes.is_empty() {
            let point = rest.point(number, micros).ok_or_else(damaged)?;
            (number, micros) = (point.number, point.micros);
            take(point);
        }
        Ok(())
    }

    /// See [`ValueData::drawn`].
    pub(crate) fn drawn(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "the nearest number is drawn")]
        match self.data {
            DataRef::Integer(number) => Some(number as f64),
            DataRef::Float(number) => Some(number),
            DataRef::Number(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
            DataRef::Boolean(it) => Some(f64::from(u8::from(it))),
            DataRef::Text(_) | DataRef::Json(_) => None,
        }
    }

    /// The whole value, of a series of this kind and name. Points of a series without a name may have their own.
    pub(crate) fn value(&self, kind: ValueKind, name: &str) -> Result<Value, StoreError> {
        let more: More = match self.more {
            Some(bytes) => codec::decode(bytes)?,
            None => More::default(),
        };
        let data = match self.data {
            DataRef::Integer(number) => ValueData::Number(number.to_string()),
            DataRef::Float(number) => ValueData::Number(float_text(number)),
            DataRef::Number(text) => ValueData::Number(text.to_owned()),
            DataRef::Boolean(it) => ValueData::Boolean(it),
            DataRef::Text(text) => ValueData::Text(text.to_owned()),
            DataRef::Json(text) => ValueData::Json(text.to_owned()),
        };
        Ok(Value {
            at: from_micros(self.micros),
            kind,
            name: more.name.unwrap_or_else(|| name.to_owned()),
            data,
            status: more.status,
            unit: more.unit,
            flaw: more.flaw,
        })
    }
}

fn damaged() -> StoreError {
    StoreError::damaged("a block of values")
}

struct Rest<'b> {
    bytes: &'b [u8],
}

impl<'b> Rest<'b> {
    fn point(&mut self, number: u64, micros: i64) -> Option<PointRef<'b>> {
        let number = number.wrapping_add(self.varint()?);
        let micros = micros.wrapping_add(self.signed()?);
        let tag = self.take(1)?[0];
        let data = match tag & !HAS_MORE {
            INTEGER => DataRef::Integer(self.signed()?),
            FLOAT => DataRef::Float(f64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            NUMBER => DataRef::Number(self.text()?),
            FALSE => DataRef::Boolean(false),
            TRUE => DataRef::Boolean(true),
            TEXT => DataRef::Text(self.text()?),
            JSON => DataRef::Json(self.text()?),
            _ => return None,
        };
        let more = match tag & HAS_MORE {
            0 => None,
            _ => Some(self.sized()?),
        };
        Some(PointRef {
            number,
            micros,
            data,
            more,
        })
    }

    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let number = self.varint()?;
        Some((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
    }

    fn sized(&mut self) -> Option<&'b [u8]> {
        let count = usize::try_from(self.varint()?).ok()?;
        self.take(count)
    }

    fn text(&mut self) -> Option<&'b str> {
        std::str::from_utf8(self.sized()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use jiff::Timestamp;

    fn value(micros: i64, data: ValueData) -> Value {
        Value {
            at: Timestamp::from_microsecond(micros).unwrap(),
            kind: ValueKind::Watch,
            name: "n".to_owned(),
            data,
            status: None,
            unit: None,
            flaw: None,
        }
    }

    fn check(values: &[Value]) {
        let mut block = Block::new();
        for (number, value) in (5..).step_by(3).zip(values) {
            block.push(&Point { number, value });
        }
        let bytes = block.finish();
        let points = PointRef::all(&bytes).unwrap();
        let read: Vec<_> = points
            .iter()
            .map(|point| point.value(ValueKind::Watch, "n").unwrap())
            .collect();
        assert_eq!(read, values);
        for ((number, value), point) in (5..).step_by(3).zip(values).zip(&points) {
            assert_eq!(point.number, number);
            assert_eq!(point.drawn(), value.data.drawn(), "{value:?}");
        }
        // Cut anywhere it is an error or fewer points, never a panic.
        for end in 0..bytes.len() {
            let _ = PointRef::all(&bytes[..end]);
        }
    }

    #[test]
    fn a_block_reads_as_the_values_that_it_was_made_of() {
        let number = |text: &str| ValueData::Number(text.to_owned());
        let mut flawed = value(9, ValueData::Text("a,b\n\"c\" 🙂".to_owned()));
        flawed.status = Some("404".to_owned());
        flawed.unit = Some("ms".to_owned());
        flawed.flaw = Some(Flaw::Cut { bytes: 1 << 20 });
        let mut values = vec![flawed];
        for data in [
            number("0"),
            number("-0"),
            number("0.10"),
            number("0.1"),
            number("1e3"),
            number("1E400"),
            number("9223372036854775807"),
            number("9223372036854775808"),
            number("-9223372036854775808"),
            number("123456789012345678901234567890"),
            number("NaN"),
            number("-Infinity"),
            number("5e-324"),
            ValueData::Boolean(true),
            ValueData::Boolean(false),
            ValueData::Json("{\"a\": [1, 2]}".to_owned()),
            ValueData::Text(String::new()),
        ] {
            values.push(value(-7, data.clone()));
            values.push(value(i64::from(i32::MAX), data));
        }
        check(&values);
    }

    #[test]
    fn what_is_no_block_is_refused() {
        for bytes in [
            &b""[..],
            b"\x02",
            b"\x01\x80",
            b"\x01\0\0\x09",
            b"\x01\0\0\x05\x02a",
        ] {
            assert!(PointRef::all(bytes).is_err(), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn any_number_keeps_its_text(number: f64, integer: i64, micros in -9_000_000_000_000_000i64..9_000_000_000_000_000) {
            let texts = [number.to_string(), format!("{number:e}"), integer.to_string()];
            let values: Vec<_> = texts.into_iter().map(|text| value(micros, ValueData::Number(text))).collect();
            check(&values);
        }
    }
}
