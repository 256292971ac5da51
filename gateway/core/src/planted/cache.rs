//! Mistakes of the owner's cache.

use wire::NodeId;

use crate::mutant::mutant;

/// The devices that the cache forgets with a zone; none.
pub(crate) fn cache_kept(nodes: Vec<NodeId>) -> Vec<NodeId> {
    if mutant!(CacheKept) { Vec::new() } else { nodes }
}
