//! Mistakes of voters who look for a leader.

/// Whether this replica may try to lead.
#[inline(always)]
pub(crate) fn may_lead(votes: bool) -> bool {
    votes || is_on!(ObserverCampaigns)
}

/// Whether the leader itself wants to be replaced.
#[inline(always)]
pub(crate) fn wanted(wanted: bool) -> bool {
    wanted || is_on!(LeaderNotDefended)
}
