//! What leaves the broker on one connection: claims about packet ids, windows, sizes, aliases and zones.

use std::collections::{BTreeMap, BTreeSet};

use crate::Broken;
use crate::broken;
use crate::model::{App, LifeId};
use crate::plan::Persona;
use broker_core::protocol::Alias;
use broker_core::protocol::{Outgoing, Qos, Reason};

/// A handshake that a session has under way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnderWay {
    pub(crate) app: App,
    pub(crate) stamp: Option<u64>,
    pub(crate) received: bool,
}

/// Handshakes of one session, over all its connections.
#[derive(Default)]
pub(crate) struct Handshakes(BTreeMap<LifeId, BTreeMap<u16, UnderWay>>);

/// What one connection was sent.
#[derive(Default)]
pub(crate) struct Sent {
    open: BTreeSet<u16>,
    aliases: BTreeMap<u16, Box<str>>,
}

impl Handshakes {
    pub(crate) fn publish(&mut self, life: LifeId, app: App, out: &Outgoing) -> Result<(), Broken> {
        if out.qos == Qos::AtMostOnce {
            return Ok(());
        }
        let under_way = self.0.entry(life).or_default();
        let known = under_way.get(&out.pid).map(|known| (known.app, known.received));
        if known != out.dup.then_some((app, false)) {
            return broken(
                "packet_ids_are_unique_in_flight",
                format!(
                    "{life:?}: {} is {known:?}, and is sent for {app:?}, dup {}",
                    out.pid, out.dup
                ),
            );
        }
        let stamp = out.message.stamp.map(|stamp| stamp.0).filter(|_| !from_store(out));
        under_way.insert(out.pid, UnderWay { app, stamp, received: false });
        Ok(())
    }

    pub(crate) fn received(&mut self, life: LifeId, pid: u16) -> Option<UnderWay> {
        let under_way = self.0.get_mut(&life)?.get_mut(&pid)?;
        under_way.received = true;
        Some(*under_way)
    }

    pub(crate) fn done(&mut self, life: LifeId, pid: u16) -> Option<UnderWay> {
        self.0.get_mut(&life)?.remove(&pid)
    }

    pub(crate) fn under_way(&self, life: LifeId) -> usize {
        self.0.get(&life).map_or(0, BTreeMap::len)
    }
}

impl Sent {
    pub(crate) fn publish(
        &mut self,
        persona: &Persona,
        window: u16,
        out: &Outgoing,
    ) -> Result<(), Broken> {
        // What is only to be released comes again whatever the window, which may be smaller than last time; then
        // nothing but QoS 0 is added.
        if out.qos > Qos::AtMostOnce {
            self.open.insert(out.pid);
            the_window_is_kept(&self.open, window)?;
        }
        no_packet_is_larger_than_the_client_takes(persona, out)?;
        self.an_alias_says_the_topic_that_it_stands_for(persona, out)
    }

    pub(crate) fn pubrel(&mut self, pid: u16) {
        self.open.insert(pid);
    }

    pub(crate) fn done(&mut self, pid: u16) {
        self.open.remove(&pid);
    }

    fn an_alias_says_the_topic_that_it_stands_for(
        &mut self,
        persona: &Persona,
        out: &Outgoing,
    ) -> Result<(), Broken> {
        let claim = "an_alias_says_the_topic_that_it_stands_for";
        let topic = &out.message.topic;
        match out.alias {
            Alias::None => Ok(()),
            Alias::Set(alias) | Alias::Use(alias)
                if alias > persona.alias_maximum || alias == 0 =>
            {
                broken(claim, format!("{alias} for a client that takes {}", persona.alias_maximum))
            }
            Alias::Set(alias) => {
                self.aliases.insert(alias, topic.clone());
                Ok(())
            }
            Alias::Use(alias) if self.aliases.get(&alias) == Some(topic) => Ok(()),
            Alias::Use(alias) => {
                broken(claim, format!("{alias} is {:?}, not {topic}", self.aliases.get(&alias)))
            }
        }
    }
}

/// From the store of retained messages, for a zone's session.
pub(crate) fn from_store(out: &Outgoing) -> bool {
    let name = b"hearth-retained";
    out.extra.windows(name.len()).any(|bytes| bytes == name)
}

fn the_window_is_kept(open: &BTreeSet<u16>, window: u16) -> Result<(), Broken> {
    if open.len() > usize::from(window) {
        return broken("the_window_is_kept", format!("{} of {window} are open", open.len()));
    }
    Ok(())
}

fn no_packet_is_larger_than_the_client_takes(
    persona: &Persona,
    out: &Outgoing,
) -> Result<(), Broken> {
    let size = out.size(persona.version);
    if size > persona.maximum_packet as usize {
        return broken("no_packet_is_larger_than_the_client_takes", format!("{size} bytes"));
    }
    Ok(())
}

/// Messages of zones: who waits for whom.
#[derive(Default)]
pub(crate) struct Zones {
    /// Stamps that came in and were not acknowledged by their zone, at QoS 1 or 2.
    pub(crate) owed: BTreeMap<u64, App>,
    acked: BTreeSet<u64>,
    refused: BTreeSet<u64>,
    /// Whose acknowledgement is withheld for which stamp.
    waiting: BTreeMap<(LifeId, u16), u64>,
    known: BTreeSet<App>,
}

impl Zones {
    pub(crate) fn came(&mut self, app: App) {
        self.known.insert(app);
    }

    /// A writer waits for the acknowledgement of this one.
    pub(crate) fn waits(&mut self, app: App, stamp: u64, writer: (LifeId, u16)) {
        self.owed.insert(stamp, app);
        self.waiting.insert(writer, stamp);
    }

    pub(crate) fn acked(&mut self, stamp: u64) {
        self.owed.remove(&stamp);
        self.acked.insert(stamp);
    }

    /// The broker does without gateways: nobody waits for one any more.
    pub(crate) fn nobody_comes(&mut self) {
        self.acked.extend(std::mem::take(&mut self.owed).into_keys());
    }

    /// It was larger than the zone's session takes.
    pub(crate) fn refused(&mut self, stamp: u64) {
        self.owed.remove(&stamp);
        self.refused.insert(stamp);
    }

    pub(crate) fn sent(&self, app: App, out: &Outgoing) -> Result<(), Broken> {
        let stamp = out.message.stamp.unwrap_or_default().0;
        if !self.known.contains(&app) {
            return broken(
                "nothing_is_delivered_to_who_is_not_subscribed",
                format!("the zone is sent {app:?}"),
            );
        }
        if self.acked.contains(&stamp) {
            return broken(
                "what_a_zone_acknowledged_is_not_sent_to_it_again",
                format!("{app:?}, stamp {stamp}"),
            );
        }
        Ok(())
    }

    pub(crate) fn a_writer_is_told_only_after_its_zone(
        &mut self,
        to: (LifeId, u16),
        reason: Reason,
    ) -> Result<(), Broken> {
        let Some(stamp) = self.waiting.remove(&to) else { return Ok(()) };
        if reason == Reason::Normal && !self.acked.contains(&stamp) {
            return broken(
                "a_writer_is_told_only_after_its_zone",
                format!("{to:?} has its acknowledgement, the zone has not had stamp {stamp}"),
            );
        }
        // A repetition whose first copy has had its acknowledgement, which was lost on the way, is a new publish, and
        // may find the zone full.
        let repeated = reason == Reason::Quota && self.acked.contains(&stamp);
        if reason != Reason::Normal && !self.refused.contains(&stamp) && !repeated {
            return broken(
                "a_writer_is_refused_only_what_its_zone_cannot_take",
                format!("{to:?} hears {reason:?} for stamp {stamp}"),
            );
        }
        Ok(())
    }
}
