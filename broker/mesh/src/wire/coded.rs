//! How values become bytes and come back. Whatever the bytes are, reading them gives a value or an error.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

use bytes::Bytes;

/// Why bytes are no frame or no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// They end too early.
    Short,
    /// There is something behind the end.
    Long,
    /// There is no such kind, or not in this version.
    Kind(u8),
    /// A text is not UTF-8.
    Text,
    /// A number is larger than its field.
    Number,
}

impl core::fmt::Display for Malformed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Short => f.write_str("the bytes end too early"),
            Self::Long => f.write_str("there are bytes behind the end"),
            Self::Kind(kind) => write!(f, "kind {kind} is not known; is the other node newer?"),
            Self::Text => f.write_str("a text is not UTF-8"),
            Self::Number => f.write_str("a number is larger than its field"),
        }
    }
}

impl core::error::Error for Malformed {}

/// Bytes that are read from their beginning.
#[derive(Debug)]
pub(crate) struct Reader(Bytes);

impl Reader {
    pub(crate) fn new(bytes: Bytes) -> Self {
        Self(bytes)
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<Bytes, Malformed> {
        if count > self.0.len() { Err(Malformed::Short) } else { Ok(self.0.split_to(count)) }
    }

    /// # Errors
    /// Something is left.
    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed::Long) }
    }

    fn left(&self) -> usize {
        self.0.len()
    }
}

/// What has a form in bytes.
pub(crate) trait Coded: Sized {
    /// Adds its bytes.
    fn put(&self, out: &mut Vec<u8>);
    /// Reads it.
    fn get(from: &mut Reader) -> Result<Self, Malformed>;
}

impl Coded for u8 {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }

    fn get(from: &mut Reader) -> Result<Self, Malformed> {
        Ok(from.take(1)?[0])
    }
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
impl Coded for u64 {
    fn put(&self, out: &mut Vec<u8>) {
        let mut rest = *self;
        while rest >= 0x80 {
            out.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    }

    fn get(from: &mut Reader) -> Result<Self, Malformed> {
        let mut value = 0;
        for at in 0..10 {
            let byte = u8::get(from)?;
            if at == 9 && byte > 1 {
                return Err(Malformed::Number);
            }
            value |= Self::from(byte & 0x7F) << (7 * at);
            if byte < 0x80 {
                // One number has one form, so that what is read is written as it was.
                let padded = at > 0 && byte == 0;
                return if padded { Err(Malformed::Number) } else { Ok(value) };
            }
        }
        Err(Malformed::Number)
    }
}

impl Coded for u32 {
    fn put(&self, out: &mut Vec<u8>) {
        u64::from(*self).put(out);
    }

    fn get(from: &mut Reader) -> Result<Self, Malformed> {
        Self::try_from(u64::get(from)?).map_err(|_| Malformed::Number)
    }
}

impl Coded for u16 {
    fn put(&self, out: &mut Vec<u8>) {
        u64::from(*self).put(out);
    }

    fn get(from: &mut Reader) -> Result<Self, Malformed> {
        Self::try_from(u64::get(from)?).map_err(|_| Malformed::Number)
    }
}

impl Coded for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn get(from: &mut Reader) -> Result<Self, Malformed> {
        match u8::get(from)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed::Number),
        }
    }
}

impl Coded for Bytes {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        out.extend_from_slice(self);
    }

    fn get(from: &mut Reader) -> Result<Self, Malformed> {
        let length = usize::try_from(u64::get(from)?).map_err(|_| Malformed::Number)?;
        from.take(length)
    }
}

impl Coded for Box<str> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        out.extend_from_slice(self.as_bytes());
    }

    fn get(from: &mut Reader) -> Result<Self, Malformed> {
        let bytes = Bytes::get(from)?;
        core::str::from_utf8(&bytes).map(Into::into).map_err(|_| Malformed::Text)
    }
}

impl Coded for Arc<str> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        out.extend_from_slice(self.as_bytes());
    }

    fn get(from: &mut Reader) -> Result<Self, Malformed> {
        Ok(Box::<str>::get(from)?.into())
    }
}

impl<T: Coded> Coded for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn get(from: &mut Reader) -> Result<Self, Malformed> {
        if bool::get(from)? { T::get(from).map(Some) } else { Ok(None) }
    }
}

impl<T: Coded> Coded for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        self.iter().for_each(|value| value.put(out));
    }

    fn get(from: &mut Reader) -> Result<Self, Malformed> {
        let count = u64::get(from)?;
        // Every value takes a byte at least, so a short frame cannot ask for much memory.
        if count > from.left() as u64 {
            return Err(Malformed::Short);
        }
        (0..count).map(|_| T::get(from)).collect()
    }
}

impl<A: Coded, B: Coded> Coded for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn get(from: &mut Reader) -> Result<Self, Malformed> {
        Ok((A::get(from)?, B::get(from)?))
    }
}

/// Makes the form of a structure out of those of its fields, in this order.
macro_rules! coded {
    ($($name:ident { $($field:ident),* $(,)? })+) => {
        $(impl $crate::wire::coded::Coded for $name {
            fn put(&self, out: &mut alloc::vec::Vec<u8>) {
                let _ = &out;
                $(self.$field.put(out);)*
            }

            fn get(
                from: &mut $crate::wire::coded::Reader,
            ) -> Result<Self, $crate::wire::coded::Malformed> {
                let _ = &from;
                Ok(Self { $($field: $crate::wire::coded::Coded::get(from)?),* })
            }
        })+
    };
}

pub(crate) use coded;
