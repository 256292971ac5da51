//! What the broker has done, in numbers.

/// Events since the broker started. They only grow, and are counted under the core's lock, where an addition is free.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Packets of any kind.
    pub received: u64,
    /// Packets of any kind.
    pub sent: u64,
    /// PUBLISH packets of clients.
    pub publishes_received: u64,
    /// PUBLISH packets to clients.
    pub publishes_sent: u64,
    /// Messages that a full queue did not take.
    pub dropped: u64,
    /// Reports and orders that their zone's owner refused for good.
    pub refused: u64,
    /// Bytes of payload.
    pub payload_received: u64,
    /// Bytes of payload.
    pub payload_sent: u64,
    /// Accepted CONNECTs.
    pub connections: u64,
    /// Sessions that were not come back for.
    pub expired: u64,
    /// Most clients connected at a time.
    pub most_connected: usize,
}
