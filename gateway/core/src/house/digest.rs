//! A digest of everything that apply ever changed: equal on all replicas at equal slot, or else one
//! of them applied something differently.

use core::hash::{Hash, Hasher};

use super::change::Change;

/// The digest of a home in which nothing has happened. 0 is none: that of files from before.
pub(super) const FIRST: u64 = 0xcbf2_9ce4_8422_2325;

/// The digest after these changes; the same after none.
pub(super) fn after(digest: u64, changes: &[Change]) -> u64 {
    if digest == 0 || changes.is_empty() {
        return digest;
    }
    let mut fnv = Fnv(digest);
    changes.hash(&mut fnv);
    fnv.finish().max(1)
}

/// FNV-1a with 64 bits, which is the same on every machine: numbers go in with their lowest byte
/// first, and lengths as 64 bits.
struct Fnv(u64);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn write_u16(&mut self, number: u16) {
        self.write(&number.to_le_bytes());
    }

    fn write_u32(&mut self, number: u32) {
        self.write(&number.to_le_bytes());
    }

    fn write_u64(&mut self, number: u64) {
        self.write(&number.to_le_bytes());
    }

    fn write_usize(&mut self, number: usize) {
        self.write_u64(number as u64);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64((number as i64).cast_unsigned());
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::{GatewayId, NodeId};

    #[test]
    fn it_depends_on_what_changed_and_on_the_order_and_is_the_same_on_every_machine() {
        let member = |alive| {
            let member = super::super::rows::Member {
                alive,
                serves: true,
                caches: false,
                incarnation: crate::id::Incarnation(9),
            };
            Change::Gateway(GatewayId(1), member)
        };
        let first = after(FIRST, &[member(true), Change::Order(NodeId(2), None)]);
        assert_eq!(first, FIRST_EXAMPLE);
        assert_ne!(first, after(FIRST, &[member(false), Change::Order(NodeId(2), None)]));
        assert_ne!(first, after(FIRST, &[Change::Order(NodeId(2), None), member(true)]));
        assert_eq!(after(0, &[member(true)]), 0);
    }

    const FIRST_EXAMPLE: u64 = 6_310_209_961_146_364_155;
}
