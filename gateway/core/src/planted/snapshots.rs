//! Mistakes with the house that comes in a snapshot.

use crate::house::House;
use crate::mutant::mutant;

/// The house of a snapshot; with what was seen, or with the epochs, of the house `before` it.
pub(crate) fn not_in_snapshot(mut house: House, before: &House) -> House {
    if mutant!(SeenNotInSnapshot) {
        house.seen.clone_from(&before.seen);
    }
    if mutant!(EpochsNotInSnapshot) {
        house.zones.clone_from(&before.zones);
    }
    house
}
