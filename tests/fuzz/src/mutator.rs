//! Changes inputs, byte by byte and with a mind for how lengths and numbers are written.

use hearth_random::Random;

/// Longest input that changes grow to; the few that are meant to be oversized are longer.
const LONGEST: usize = 8 * 1024;

/// Bytes that decoders treat apart: ends of ranges, signs, and what structures text.
const BYTES: &[u8] = b"\x00\x01\x02\x7f\x80\x81\xfe\xff\"\\{}[],:/+#$.-0919eE\n\t ";

/// Words that text formats treat apart.
const WORDS: &[&str] = &[
    "null",
    "true",
    "false",
    "NaN",
    "inf",
    "1e999",
    "-0",
    "-1",
    "1e-400",
    "18446744073709551615",
    "18446744073709551616",
    "9007199254740993",
    "\\u0000",
    "\\ud800",
    "\u{feff}",
    "\u{2028}",
    "é",
    "\0",
    "ON",
    "off",
    "{}",
    "[]",
    "\"\"",
    "$SYS",
    "//",
    "..",
];

/// Makes new inputs out of known ones.
#[derive(Clone, Debug)]
pub struct Mutator {
    /// Where its choices come from.
    pub random: Random,
}

impl Mutator {
    /// A mutator that makes the same inputs whenever it starts at this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { random: Random::new(seed) }
    }

    /// One of the known inputs, changed in one to four ways.
    ///
    /// # Panics
    /// When nothing is known.
    pub fn change(&mut self, known: &[Vec<u8>]) -> Vec<u8> {
        let mut input = self.random.one_of(known).clone();
        for _ in 0..=self.random.below(4) {
            self.change_once(&mut input, known);
        }
        if self.random.once_in(20_000) {
            self.swell(&mut input);
        } else {
            input.truncate(LONGEST.max(known.iter().map(Vec::len).max().unwrap_or(0)));
        }
        input
    }

    /// Changes an input in place, in one way.
    pub fn change_once(&mut self, input: &mut Vec<u8>, known: &[Vec<u8>]) {
        let random = &mut self.random;
        let at = random.below(input.len() + 1);
        let span = at..(at + 1 + random.below(16)).min(input.len()).max(at);
        match random.below(12) {
            0 | 1 if at < input.len() => input[at] ^= 1 << random.below(8),
            2 if at < input.len() => input[at] = *random.one_of(BYTES),
            3 if at < input.len() => input[at] = random.next().to_le_bytes()[0],
            4 => input.insert(at, *random.one_of(BYTES)),
            5 => drop(input.drain(span)),
            6 => {
                let again = input[span].to_vec();
                input.splice(at..at, again);
            }
            7 => input.truncate(at),
            8 => {
                let number = random.edge();
                replace(input, at, random.once_in(2), &varint(number));
            }
            9 => {
                let bytes = random.edge().to_be_bytes();
                let width = *random.one_of(&[2, 4, 8]);
                replace(input, at, random.once_in(2), &bytes[8 - width..]);
            }
            10 => {
                let word = random.one_of(WORDS).as_bytes().to_vec();
                replace(input, at, random.once_in(2), &word);
            }
            _ if known.is_empty() => {}
            _ => {
                let other = random.one_of(known);
                let from = random.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
        }
    }

    /// Repeats a part until the input is larger than anything that may be sent.
    fn swell(&mut self, input: &mut Vec<u8>) {
        let at = self.random.below(input.len() + 1);
        let part = input[at..(at + 8).min(input.len())].to_vec();
        let many = 1 + 200_000 / part.len().max(1);
        input.splice(at..at, part.repeat(many));
    }
}

fn replace(input: &mut Vec<u8>, at: usize, insert: bool, with: &[u8]) {
    let end = if insert { at } else { (at + with.len()).min(input.len()) };
    input.splice(at..end, with.iter().copied());
}

/// A number as LEB128, as postcard and MQTT write lengths.
fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let [low, ..] = (number & 0x7F).to_le_bytes();
        number >>= 7;
        bytes.push(if number == 0 { low } else { low | 0x80 });
        if number == 0 {
            return bytes;
        }
    }
}
