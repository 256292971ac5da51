//! What the store is told of one session.

use super::{Session, Sub};
use crate::keep::{Keep, LastWill, Lasting, Waiting};
use crate::packet::{Filter, RetainHandling};

impl Session {
    /// How long it lasts.
    pub(crate) fn lasting(&self) -> Lasting {
        Lasting {
            client: self.client.clone(),
            user: self.rights.user().map(Into::into),
            expiry: self.expiry,
            ends_at: self.ends_at,
        }
    }

    /// A subscription of it.
    pub(crate) fn subscribed(&self, path: &str, sub: &Sub) -> Keep {
        let filter = Filter {
            path: path.to_owned(),
            qos: sub.qos,
            no_local: sub.no_local,
            retain_as_published: sub.retain_as_published,
            retain_handling: RetainHandling::Never,
        };
        Keep::Subscribed(self.client.clone(), filter, sub.id)
    }

    /// All that waits in it, for a store that begins anew.
    pub(crate) fn waiting(&self) -> Keep {
        self.asleep(self.outbox.kept())
    }

    /// The client is gone and its session stays: all that waits in it is kept from now on.
    pub(crate) fn keep_asleep(&mut self, keep: &mut Vec<Keep>) {
        if self.kept {
            let waiting = self.outbox.number_all();
            keep.push(self.asleep(waiting));
        }
    }

    /// The client is back. What waited for it is kept until it has it, what comes now is not.
    pub(crate) fn keep_awake(&self, keep: &mut Vec<Keep>) {
        if self.kept {
            keep.push(Keep::Awake(self.client.clone()));
        }
    }

    /// A sleeping session has been given a message.
    pub(crate) fn keep_waiting(&mut self, keep: &mut Vec<Keep>) {
        if self.kept
            && let Some(waiting) = self.outbox.number_last()
        {
            keep.push(Keep::Waiting(self.client.clone(), waiting));
        }
    }

    /// A QoS 2 publish has been taken in. One of a client that is connected it can ask for.
    pub(crate) fn keep_received(&self, pid: u16, keep: &mut Vec<Keep>) {
        if self.kept && self.conn.is_none() {
            keep.push(Keep::Received(self.client.clone(), pid));
        }
    }

    /// The client may have taken something of what was kept for it.
    pub(crate) fn keep_progress(&mut self, keep: &mut Vec<Keep>) {
        let Some(progress) = self.outbox.progress().filter(|_| self.kept) else { return };
        let client = &self.client;
        let changed = progress.changed.into_iter();
        keep.extend(changed.map(|waiting| Keep::Waiting(client.clone(), waiting)));
        let done = progress.done.into_iter();
        keep.extend(done.map(|number| Keep::Delivered(client.clone(), number)));
    }

    pub(crate) fn keep_subscription(&self, filter: &Filter, id: Option<u32>, keep: &mut Vec<Keep>) {
        if self.kept {
            keep.push(Keep::Subscribed(self.client.clone(), filter.clone(), id));
        }
    }

    pub(crate) fn forget_subscription(&self, path: &str, keep: &mut Vec<Keep>) {
        if self.kept {
            keep.push(Keep::Unsubscribed(self.client.clone(), path.into()));
        }
    }

    /// What has become of its will, which is kept if it `outlives` the broker.
    pub(crate) fn keep_will(&mut self, outlives: bool, keep: &mut Vec<Keep>) {
        let was = std::mem::replace(&mut self.will.kept, outlives);
        if outlives {
            keep.extend(self.last_will());
        } else if was {
            keep.push(Keep::WillOver(self.client.clone()));
        }
    }

    /// Its will as it is kept, if it is.
    pub(crate) fn last_will(&self) -> Option<Keep> {
        let will = self.will.will.clone().filter(|_| self.will.kept)?;
        let user = self.rights.user().map(Into::into);
        Some(Keep::Will(Box::new(LastWill {
            client: self.client.clone(),
            user,
            will,
            due: self.will.due.filter(|_| !self.will.left_with_broker),
        })))
    }

    fn asleep(&self, waiting: Vec<Waiting>) -> Keep {
        let received = self.incoming.received().filter(|_| self.conn.is_none());
        Keep::Asleep(self.client.clone(), waiting, received.collect())
    }
}
