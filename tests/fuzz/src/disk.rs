//! What a broken disk does to a file.

use crate::Random;

/// The least that a disk reads or writes.
const SECTOR: usize = 512;
/// A page of most file systems, and of SQLite.
const PAGE: usize = 4096;

/// Spoils a file in one to three places: bits that flip, sectors that are gone, pages that are another's, an end that
/// is missing.
pub fn spoil(file: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        if file.is_empty() {
            return;
        }
        let at = random.below(file.len());
        match random.below(8) {
            0..=3 => file[at] ^= 1 << random.below(8),
            4 => file[at] = random.next().to_le_bytes()[0],
            5 => {
                let any = random.next().to_le_bytes()[0];
                let lost = *random.one_of(&[0, 0xFF, any]);
                let start = at / SECTOR * SECTOR;
                let end = (start + SECTOR).min(file.len());
                file[start..end].fill(lost);
            }
            6 => {
                let (from, to) = (random.below(file.len()) / PAGE * PAGE, at / PAGE * PAGE);
                let length = PAGE.min(file.len() - from).min(file.len() - to);
                file.copy_within(from..from + length, to);
            }
            _ => file.truncate(at),
        }
    }
}
