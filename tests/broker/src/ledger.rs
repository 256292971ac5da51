//! Who is owed what, and what came of it. One claim per function.

use std::collections::{BTreeMap, BTreeSet};

use crate::Broken;
use crate::broken;
use crate::model::{App, LifeId, Told};
use crate::plan::LARGE;
use broker_core::Moment;
use broker_core::protocol::{Outgoing, Qos};

/// One acceptance of a message for one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Accepted {
    /// From the store of retained messages.
    pub(crate) stored: bool,
    pub(crate) qos: Qos,
    pub(crate) ids: Vec<u32>,
    pub(crate) retain: bool,
    pub(crate) expires: Option<Moment>,
}

/// What one session is owed of one message, which its writer may have sent more than once.
#[derive(Debug, Default)]
struct Due {
    accepted: Vec<Accepted>,
    /// Times it was sent without DUP.
    fresh: usize,
    /// Times the client took it for a message.
    taken: usize,
    too_large: bool,
}

#[derive(Debug, Default)]
struct GroupDue {
    accepted: usize,
    /// How often another member may get it, because one that had it is gone.
    again: usize,
    fresh: usize,
    taken: usize,
    /// What members were sent and have not acknowledged. Each goes by the QoS of its own subscription.
    under_way: BTreeMap<LifeId, Vec<Qos>>,
    sure: bool,
}

#[derive(Default)]
pub(crate) struct Ledger {
    due: BTreeMap<(LifeId, App), Due>,
    groups: BTreeMap<(String, App), GroupDue>,
    /// The last message sent, by the core's own count, per session, writer, topic and QoS.
    last: BTreeMap<(LifeId, usize, Box<str>, u8), u64>,
    /// Nothing is sure where sessions run over.
    pub(crate) tight: bool,
}

impl Ledger {
    pub(crate) fn owe(&mut self, life: LifeId, told: &Told, accepted: Accepted, largest: u32) {
        if told.empty {
            return;
        }
        let due = self.due.entry((life, told.app)).or_default();
        due.accepted.push(accepted);
        due.too_large = told.large && (largest as usize) < LARGE;
    }

    pub(crate) fn owe_group(&mut self, path: &str, told: &Told, sure: bool) {
        if told.empty {
            return;
        }
        let due = self.groups.entry((path.to_owned(), told.app)).or_default();
        due.accepted += 1;
        due.sure = sure && !told.large && !self.tight;
    }

    /// What a session that ended had may go to another member, but not at QoS 2.
    pub(crate) fn ended(&mut self, life: LifeId) {
        for due in self.groups.values_mut() {
            let under_way = due.under_way.remove(&life).unwrap_or_default();
            let of = |qos| under_way.iter().filter(|&&sent| sent == qos).count();
            due.again += of(Qos::AtLeastOnce);
            due.sure &= of(Qos::ExactlyOnce) == 0;
        }
    }

    /// A member of a group acknowledges what it was sent at QoS 1, or has finished at QoS 2: it is nobody else's.
    pub(crate) fn acknowledged(&mut self, life: LifeId, app: App, path: &str, qos: Qos) {
        let due = self.groups.get_mut(&(path.to_owned(), app));
        let Some(under_way) = due.and_then(|due| due.under_way.get_mut(&life)) else { return };
        if let Some(at) = under_way.iter().position(|&sent| sent == qos) {
            under_way.remove(at);
        }
    }

    /// The group has a member with QoS 0, or none: what is under way may be lost.
    pub(crate) fn promise_less(&mut self, path: &str) {
        for ((of, _), due) in &mut self.groups {
            due.sure &= of != path;
        }
    }

    /// A PUBLISH leaves the broker.
    pub(crate) fn sent(
        &mut self,
        now: Moment,
        life: LifeId,
        (app, writer): (App, usize),
        out: &Outgoing,
        path: Option<&str>,
    ) -> Result<(), Broken> {
        if let Some(path) = path {
            return self.sent_to_a_group(life, app, out, path);
        }
        let Some(due) = self.due.get_mut(&(life, app)) else {
            return broken(
                "nothing_is_delivered_to_who_is_not_subscribed",
                format!("{life:?} is sent {app:?} on {}", out.message.topic),
            );
        };
        nothing_too_large_is_sent(due, app)?;
        if out.dup {
            return Ok(());
        }
        due.fresh += 1;
        a_message_is_sent_once_for_every_time_it_came(due, life, app)?;
        let mut fitting = it_is_sent_as_the_subscriptions_say(due, life, app, out)?;
        nothing_expired_is_sent(now, &mut fitting, out)?;
        if due.accepted.iter().all(|accepted| !accepted.stored) {
            let key = (life, writer, out.message.topic.clone(), out.qos as u8);
            let last = self.last.insert(key, out.message.order).unwrap_or(0);
            order_is_kept_per_writer_topic_and_qos(last, life, out)?;
        }
        Ok(())
    }

    fn sent_to_a_group(
        &mut self,
        life: LifeId,
        app: App,
        out: &Outgoing,
        path: &str,
    ) -> Result<(), Broken> {
        let Some(due) = self.groups.get_mut(&(path.to_owned(), app)) else {
            return broken(
                "a_group_gets_what_its_filter_covers",
                format!("{path} is sent {app:?} on {}", out.message.topic),
            );
        };
        if !out.dup {
            due.fresh += 1;
            due.under_way.entry(life).or_default().push(out.qos);
        }
        if due.fresh > due.accepted + due.again {
            return broken(
                "one_member_of_a_group_gets_a_message",
                format!("{path}: {app:?} was sent {} times: {due:?}", due.fresh),
            );
        }
        Ok(())
    }

    /// A client takes a message for its own, after what QoS 2 sorts out.
    pub(crate) fn taken(
        &mut self,
        life: LifeId,
        app: App,
        path: Option<&str>,
    ) -> Result<(), Broken> {
        if let Some(path) = path {
            if let Some(due) = self.groups.get_mut(&(path.to_owned(), app)) {
                due.taken += 1;
            }
            return Ok(());
        }
        let Some(due) = self.due.get_mut(&(life, app)) else { return Ok(()) };
        due.taken += 1;
        let all = |qos| due.accepted.iter().all(|accepted| accepted.qos == qos);
        let again = due.taken > due.accepted.len();
        if again && all(Qos::ExactlyOnce) {
            return broken("qos_2_arrives_exactly_once", format!("{life:?} took {app:?} again"));
        }
        if again && all(Qos::AtMostOnce) {
            return broken("qos_0_arrives_at_most_once", format!("{life:?} took {app:?} again"));
        }
        Ok(())
    }

    /// At the end, when the faults are over and everyone is back.
    pub(crate) fn everything_owed_has_arrived(
        &self,
        alive: &BTreeSet<LifeId>,
    ) -> Result<(), Broken> {
        for ((life, app), due) in &self.due {
            let sure =
                |accepted: &&Accepted| accepted.qos > Qos::AtMostOnce && accepted.expires.is_none();
            let sure = due.accepted.iter().filter(sure).count();
            if alive.contains(life) && !due.too_large && due.taken < sure {
                return broken(
                    "qos_1_and_2_are_never_lost",
                    format!("{life:?} is owed {app:?}: {due:?}"),
                );
            }
        }
        for ((path, app), due) in &self.groups {
            if due.sure && due.taken == 0 {
                return broken(
                    "a_group_loses_nothing_while_it_has_members",
                    format!("{path} is owed {app:?}: {due:?}"),
                );
            }
        }
        Ok(())
    }
}

fn nothing_too_large_is_sent(due: &Due, app: App) -> Result<(), Broken> {
    if due.too_large {
        return broken("nothing_too_large_is_sent", format!("{app:?}"));
    }
    Ok(())
}

fn a_message_is_sent_once_for_every_time_it_came(
    due: &Due,
    life: LifeId,
    app: App,
) -> Result<(), Broken> {
    if due.fresh > due.accepted.len() {
        return broken(
            "a_message_is_sent_once_for_every_time_it_came",
            format!("{life:?} is sent {app:?} without DUP again: {due:?}"),
        );
    }
    Ok(())
}

/// With the lower QoS, the identifiers of all subscriptions that match, and RETAIN as they say. Gives the acceptances
/// that it may be.
fn it_is_sent_as_the_subscriptions_say<'d>(
    due: &'d Due,
    life: LifeId,
    app: App,
    out: &Outgoing,
) -> Result<Vec<&'d Accepted>, Broken> {
    let mut ids = out.ids.to_vec();
    ids.sort_unstable();
    let fits = |accepted: &&Accepted| {
        accepted.qos == out.qos && accepted.ids == ids && accepted.retain == out.retain
    };
    let next = due.accepted.get(due.fresh - 1).into_iter();
    let fitting: Vec<_> = next.chain(&due.accepted).filter(fits).collect();
    if fitting.is_empty() {
        let Outgoing { qos, retain, .. } = out;
        return broken(
            "it_is_sent_as_the_subscriptions_say",
            format!("{life:?}, {app:?}: {qos:?}, ids {ids:?}, retain {retain}: {due:?}"),
        );
    }
    Ok(fitting)
}

fn nothing_expired_is_sent(
    now: Moment,
    fitting: &mut Vec<&Accepted>,
    out: &Outgoing,
) -> Result<(), Broken> {
    let says = out.expiry;
    fitting.retain(|accepted| match accepted.expires {
        Some(at) => at > now && says == Some(at.secs_from(now)),
        None => says.is_none(),
    });
    if fitting.is_empty() {
        return broken("nothing_expired_is_sent", format!("says {says:?}"));
    }
    Ok(())
}

fn order_is_kept_per_writer_topic_and_qos(
    last: u64,
    life: LifeId,
    out: &Outgoing,
) -> Result<(), Broken> {
    let order = out.message.order;
    if order <= last {
        return broken(
            "order_is_kept_per_writer_topic_and_qos",
            format!("{life:?} is sent {order} after {last} on {}", out.message.topic),
        );
    }
    Ok(())
}
