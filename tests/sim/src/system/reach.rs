//! Which bounds a run has reached: a bound that no run reaches is one that no run proves anything of.

use crate::summary::Reached;

/// What was full, or was made use of to the end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reach {
    /// Proposals of a zone for publishes at QoS 0 that are not applied yet.
    pub(crate) flights: bool,
    /// Stamps that a zone remembers.
    pub(crate) stamps: bool,
    /// Ids that a zone remembers.
    pub(crate) ids: bool,
    /// Deliveries of a zone that an owner has not acknowledged.
    pub(crate) receive_maximum: bool,
    /// What waits for a link.
    pub(crate) link_queue: bool,
    /// Publishes of a zone that a broker has taken in: a publisher was refused, or had to wait.
    pub(crate) refused_by_broker: bool,
    pub(crate) publishers_waited: bool,
    /// Publishes that waited in line, because their link was full.
    pub(crate) in_line: u64,
    /// Publishes that were sent again on another connection.
    pub(crate) resent: u64,
}

impl Reach {
    /// One for each bound that was reached.
    pub(crate) fn count(&self, reached: &mut Reached) {
        let bounds = [
            (self.flights, &mut reached.flights),
            (self.stamps, &mut reached.stamps),
            (self.ids, &mut reached.ids),
            (self.receive_maximum, &mut reached.deliveries),
            (self.link_queue, &mut reached.link_queue),
            (self.refused_by_broker, &mut reached.refused),
            (self.publishers_waited, &mut reached.waited),
        ];
        for (was_reached, count) in bounds {
            *count += u64::from(was_reached);
        }
    }
}
