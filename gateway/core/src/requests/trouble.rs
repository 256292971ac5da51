//! Why nobody leads, in the words of one gateway: what it knows, and what a person can do.

use std::collections::BTreeSet;
use std::fmt::Display;

use crate::consensus::agreement::Agreement;
use crate::consensus::standing::Standing;
use crate::context::Context;
use crate::ownership::peers::Peers;

/// None while somebody leads, as far as this gateway knows.
pub(crate) fn trouble(
    ctx: &Context,
    agreement: &Agreement,
    standing: &Standing,
    peers: &Peers,
) -> Option<String> {
    if ctx.leader.is_some() {
        return None;
    }
    if agreement.is_blank() {
        let others = ctx.settings.founders.iter().filter(|id| **id != ctx.me());
        let others = list(others);
        return Some(match &ctx.settings.doubt {
            _ if others.is_empty() => {
                "its file is empty; it is about to begin a new site".to_owned()
            }
            Some(doubt) => doubt.clone(),
            None => format!(
                "its file is empty; a new site begins when gateways {others} are there as well, and one that \
                 exists takes it in when a majority of the others is there"
            ),
        });
    }
    let voters = list(agreement.voters().iter().map(|id| id.number()));
    if !agreement.votes() {
        return Some(match &ctx.settings.doubt {
            Some(doubt) => doubt.clone(),
            None => {
                format!("it has no vote; it waits until a majority of gateways {voters} is there")
            }
        });
    }
    if !standing.has_listened() {
        return Some(
            "it has just started, and has not heard yet what the broker has kept".to_owned(),
        );
    }
    if !standing.is_proven(agreement) {
        let awaited = list(standing.awaited(agreement));
        return Some(format!(
            "it has just started, and takes no part before gateways {awaited}, or enough of them, have said that they \
             know of no newer state of its file; start them"
        ));
    }
    let silent: BTreeSet<_> = peers.others().filter(|id| !peers.is_here(*id)).collect();
    let here = peers.others().count() + 1 - silent.len();
    let majority = agreement.voters().majority();
    Some(if here < majority {
        let silent = list(silent);
        format!(
            "of the voters {voters} it hears nothing of {silent}, and {majority} are needed; start them"
        )
    } else {
        format!(
            "gateways {voters} vote, and enough of them are here: they are about to agree on a leader, or some of \
             them have no vote with the files that they have now"
        )
    })
}

fn list(ids: impl IntoIterator<Item = impl Display>) -> String {
    ids.into_iter().map(|id| id.to_string()).collect::<Vec<_>>().join(", ")
}
