//! Mistakes about the way of messages between nodes.

use crate::planted::planted;

planted! {
    /// Whether a subscription holds on every living node.
    SubackTooEarly: fn holds_everywhere(holds: bool) => true;
    /// Whether a member of a shared subscription is awake.
    SleepersFirst: fn awake(awake: bool) => false;
    /// Whether a publisher has waited long enough.
    NeverGivesUp: fn overdue(overdue: bool) => false;
}
