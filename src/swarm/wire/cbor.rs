//! The part of CBOR (RFC 8949) that peers speak: numbers, texts, byte strings, arrays and maps of definite
//! length, by minicbor; and maps with numbered fields, to which a later version can add.
//!
//! Nothing here recurses, and nothing is allocated for a length that somebody else wrote down.

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

use super::Malformed;

/// Things inside of fields that we do not know. A later version does not say more than this.
const SKIPPED_MAX: u64 = 1024;

/// Reads one message.
#[derive(Debug)]
pub(crate) struct Reader<'b>(Decoder<'b>);

impl<'b> Reader<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self(Decoder::new(bytes))
    }

    /// A number of at most `max`.
    pub(crate) fn number(&mut self, max: u64) -> Result<u64, Malformed> {
        let number = self.0.u64()?;
        if number > max {
            return Err(Malformed::OutOfRange);
        }
        Ok(number)
    }

    /// A number of at most 255.
    pub(crate) fn small(&mut self, max: u8) -> Result<u8, Malformed> {
        let number = self.number(max.into())?;
        u8::try_from(number).map_err(|_| Malformed::OutOfRange)
    }

    pub(crate) fn truth(&mut self) -> Result<bool, Malformed> {
        Ok(self.0.bool()?)
    }

    /// A byte string of at most `max` bytes, where it lies.
    pub(crate) fn bytes(&mut self, max: usize) -> Result<&'b [u8], Malformed> {
        let bytes = self.0.bytes()?;
        if bytes.len() > max {
            return Err(Malformed::TooLong);
        }
        Ok(bytes)
    }

    /// A byte string of exactly `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        self.0.bytes()?.try_into().map_err(|_| Malformed::Syntax)
    }

    /// A text of at most `max` bytes, where it lies.
    pub(crate) fn text(&mut self, max: usize) -> Result<&'b str, Malformed> {
        let text = self.0.str()?;
        if text.len() > max {
            return Err(Malformed::TooLong);
        }
        Ok(text)
    }

    /// How many things an array has: at most `max`, and they come next.
    pub(crate) fn count(&mut self, max: usize) -> Result<usize, Malformed> {
        let count = self.0.array()?.ok_or(Malformed::Syntax)?;
        let count = usize::try_from(count).map_err(|_| Malformed::TooLong)?;
        if count > max {
            return Err(Malformed::TooLong);
        }
        Ok(count)
    }

    /// An array of two things, which come next.
    pub(crate) fn pair(&mut self) -> Result<(), Malformed> {
        if self.0.array()? == Some(2) {
            Ok(())
        } else {
            Err(Malformed::Syntax)
        }
    }

    /// A map with numbered fields. `known` takes a field's value, or leaves it alone and says so: then it is
    /// skipped. The numbers rise, so that none stands twice.
    pub(crate) fn fields(
        &mut self,
        mut known: impl FnMut(u64, &mut Self) -> Result<bool, Malformed>,
    ) -> Result<(), Malformed> {
        let count = self.0.map()?.ok_or(Malformed::Syntax)?;
        let mut last = 0;
        for _ in 0..count {
            let number = self.0.u64()?;
            if number <= last {
                return Err(Malformed::Syntax);
            }
            last = number;
            if !known(number, self)? {
                self.skip()?;
            }
        }
        Ok(())
    }

    /// Goes past one thing, whatever is in it. Counts what is still to come instead of descending into it.
    fn skip(&mut self) -> Result<(), Malformed> {
        let mut left = 1_u64;
        let mut seen = 0;
        while left > 0 {
            seen += 1;
            if seen > SKIPPED_MAX {
                return Err(Malformed::TooLong);
            }
            left -= 1;
            let inside = match self.0.datatype()? {
                Type::Bytes => self.0.bytes().map(|_| 0)?,
                Type::String => self.0.str().map(|_| 0)?,
                Type::Array => self.0.array()?.ok_or(Malformed::Syntax)?,
                Type::Map => {
                    let pairs = self.0.map()?.ok_or(Malformed::Syntax)?;
                    pairs.checked_mul(2).ok_or(Malformed::TooLong)?
                }
                Type::Tag => self.0.tag().map(|_| 1)?,
                // What has an open end, the end itself, and what is no type at all.
                Type::BytesIndef
                | Type::StringIndef
                | Type::ArrayIndef
                | Type::MapIndef
                | Type::Break
                | Type::Unknown(_) => return Err(Malformed::Syntax),
                // What is left has nothing inside.
                _ => self.0.skip().map(|()| 0)?,
            };
            left = left.checked_add(inside).ok_or(Malformed::TooLong)?;
        }
        Ok(())
    }

    /// Whether everything was read.
    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.0.position() == self.0.input().len() {
            Ok(())
        } else {
            Err(Malformed::Syntax)
        }
    }
}

impl From<minicbor::decode::Error> for Malformed {
    fn from(_: minicbor::decode::Error) -> Self {
        Self::Syntax
    }
}

/// Writes one message.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

/// Writes a map's fields, in the order of their numbers.
#[derive(Debug)]
pub(crate) struct Fields<'w> {
    writer: &'w mut Writer,
    count: u8,
}

impl Writer {
    /// The bytes.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }

    fn put<'w>(
        &'w mut self,
        put: impl FnOnce(
            &mut Encoder<&'w mut Vec<u8>>,
        ) -> Result<(), minicbor::encode::Error<std::convert::Infallible>>,
    ) {
        // Writing to memory does not fail.
        let _ = put(&mut Encoder::new(&mut self.0));
    }

    pub(crate) fn number(&mut self, number: u64) {
        self.put(|encoder| encoder.u64(number).map(|_| ()));
    }

    pub(crate) fn truth(&mut self, truth: bool) {
        self.put(|encoder| encoder.bool(truth).map(|_| ()));
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.reserve(bytes.len() + 9);
        self.put(|encoder| encoder.bytes(bytes).map(|_| ()));
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.put(|encoder| encoder.str(text).map(|_| ()));
    }

    /// The head of an array; `count` things follow.
    pub(crate) fn count(&mut self, count: usize) {
        self.put(|encoder| encoder.array(count as u64).map(|_| ()));
    }

    /// A map with numbered fields.
    pub(crate) fn fields(&mut self, write: impl FnOnce(&mut Fields<'_>)) {
        let head = self.0.len();
        self.0.push(0);
        let mut fields = Fields {
            writer: self,
            count: 0,
        };
        write(&mut fields);
        let count = fields.count;
        debug_assert!(count < 24, "the head of a longer map has another form");
        self.0[head] = 0xa0 | count;
    }
}

impl Fields<'_> {
    /// The field with this number; its value is written next.
    pub(crate) fn field(&mut self, number: u64) -> &mut Writer {
        self.count += 1;
        self.writer.number(number);
        self.writer
    }
}
