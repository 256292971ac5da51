//! Mistakes about subscriptions.

use crate::planted::planted;

planted! {
    /// Whether a subscription that was there gets what is retained.
    RetainedForNewOnly: fn retained_again(wanted: bool, new: bool) => new;
}
