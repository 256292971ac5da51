/// How much is remembered of the requests that may come again.
///
/// Apply reads it, so it is the same at all gateways of a site: no setting of a box changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Stamps of each zone. A zone session has at most 64 unacknowledged deliveries (its receive maximum), and only
    /// those come again by their stamp. Publishes at QoS 0 have no stamp, for nothing delivers them again.
    pub stamps: usize,
    /// Ids of one device.
    pub ids_of_a_device: usize,
    /// Ids of all devices.
    pub ids_of_a_site: usize,
    /// The newest ids of the site, which are remembered however old they are: what dates a time in which all gateways
    /// were off are wall clocks, and wrong ones could make all ids old at once. Fewer than a device may have, so that
    /// a device that has used up its share gets room again.
    pub newest_ids: usize,
}

impl Memory {
    /// 1,024 stamps: sixteen windows. 16,384 ids of a device: 27 a second for ten minutes, and 61 devices may have as
    /// many before the site has no room. 1,000,000 ids: about 200 MB of memory on each gateway, if ever so many come.
    pub const USUAL: Self =
        Self { stamps: 1024, ids_of_a_device: 16_384, ids_of_a_site: 1_000_000, newest_ids: 4096 };
}

impl Default for Memory {
    fn default() -> Self {
        Self::USUAL
    }
}
