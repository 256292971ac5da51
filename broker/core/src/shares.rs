//! What each user and each role has of the broker's bounds: a budget beneath the whole, so that nobody takes everything
//! from everybody, and a reserve beside all budgets that is for gateways only.
//!
//! A budget is a part of the whole in percent, so that one who sets a bound sets the budgets with it.

use std::sync::Arc;

use broker_settings::Limits;
use hearth_names::{Account, Allowance, Maker};

use crate::access::Payer;
use crate::map::Map;

/// What somebody has, or would have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Amount {
    /// Sessions, or retained messages.
    pub(crate) count: usize,
    pub(crate) bytes: usize,
    /// Subscriptions with wildcards.
    pub(crate) filters: usize,
}

/// What everybody has of one kind of thing.
#[derive(Debug, Default)]
pub(crate) struct Shares {
    all: Amount,
    users: Map<Arc<str>, Amount>,
    roles: Map<Arc<str>, Amount>,
}

impl Amount {
    fn plus(self, more: Self, less: Self) -> Self {
        Self {
            count: (self.count + more.count).saturating_sub(less.count),
            bytes: (self.bytes + more.bytes).saturating_sub(less.bytes),
            filters: (self.filters + more.filters).saturating_sub(less.filters),
        }
    }

    /// Whether it stays within `percent` of a whole, where it grows.
    fn fits(self, before: Self, whole: Self, percent: u32) -> bool {
        let fits = |now: usize, before: usize, whole| now <= before || now <= part(whole, percent);
        fits(self.count, before.count, whole.count)
            && fits(self.bytes, before.bytes, whole.bytes)
            && fits(self.filters, before.filters, whole.filters)
    }
}

impl Shares {
    /// What everybody has together.
    pub(crate) fn all(&self) -> Amount {
        self.all
    }

    /// Something is another amount now, and maybe another's.
    pub(crate) fn change(&mut self, old: Option<(&Payer, Amount)>, new: Option<(&Payer, Amount)>) {
        let none = Amount::default();
        for (payer, more, less) in new
            .map(|(payer, more)| (payer, more, none))
            .into_iter()
            .chain(old.map(|(payer, less)| (payer, none, less)))
        {
            self.all = self.all.plus(more, less);
            if let Payer::User { name, role, .. } = payer {
                enter(&mut self.users, name, more, less);
                enter(&mut self.roles, role, more, less);
            }
        }
    }

    /// Whether there is room for `new` in the budgets of its payer and its role, in place of `old`.
    pub(crate) fn admits(
        &self,
        (payer, new): (&Payer, Amount),
        old: Option<(&Payer, Amount)>,
        whole: Amount,
        limits: &Limits,
    ) -> bool {
        let Payer::User { name, role, device } = payer else { return true };
        let percent = if *device { limits.device_percent } else { limits.user_percent };
        let (mut less, mut role_less) = (Amount::default(), Amount::default());
        if let Some((Payer::User { name: other, role: others, .. }, amount)) = old {
            less = if other == name { amount } else { less };
            role_less = if others == role { amount } else { role_less };
        }
        let has = |map: &Map<Arc<str>, Amount>, who| map.get(who).copied().unwrap_or_default();
        let (user, role) = (has(&self.users, name), has(&self.roles, role));
        user.plus(new, less).fits(user, whole, percent)
            && role.plus(new, role_less).fits(role, whole, limits.role_percent)
    }

    /// Bytes that are left of the budgets for something of this payer that has `own` bytes already.
    pub(crate) fn room(&self, payer: &Payer, own: usize, whole: usize, limits: &Limits) -> usize {
        let Payer::User { name, role, device } = payer else { return usize::MAX };
        let percent = if *device { limits.device_percent } else { limits.user_percent };
        let left = |map: &Map<Arc<str>, Amount>, who, percent| {
            let has = map.get(who).map_or(0, |has: &Amount| has.bytes);
            part(whole, percent).saturating_sub(has.saturating_sub(own))
        };
        left(&self.users, name, percent).min(left(&self.roles, role, limits.role_percent))
    }
}

/// How much of a bound this payer finds: all but the reserve, unless it is the house.
pub(crate) fn open_to(payer: &Payer, whole: usize, limits: &Limits) -> usize {
    match payer {
        Payer::House => whole,
        Payer::Anyone | Payer::User { .. } => whole - percent_of(whole, limits.gateway_percent),
    }
}

/// How much of a bound this payer may have alone.
pub(crate) fn part_of(payer: &Payer, whole: usize, limits: &Limits) -> usize {
    match payer {
        Payer::House | Payer::Anyone => open_to(payer, whole, limits),
        Payer::User { device: true, .. } => part(whole, limits.device_percent),
        Payer::User { device: false, .. } => part(whole, limits.user_percent),
    }
}

/// What the gateways have to know of this payer to count the zones that it makes.
pub(crate) fn maker(payer: &Payer, limits: &Limits) -> Maker {
    let number = |zones: usize| u32::try_from(zones).unwrap_or(u32::MAX);
    let all = number(open_to(payer, limits.zones, limits));
    let user = number(part_of(payer, limits.zones, limits));
    let (role, account) = match payer {
        Payer::House | Payer::Anyone => (all, None),
        Payer::User { name, role, .. } => {
            let account = Account { role: (&**role).into(), user: (&**name).into() };
            (number(part(limits.zones, limits.role_percent)), Some(account))
        }
    };
    Maker { may: Allowance { user, role, all }, account }
}

/// At least one, or a small whole would be nobody's.
fn part(whole: usize, percent: u32) -> usize {
    percent_of(whole, percent).max(1)
}

fn percent_of(whole: usize, percent: u32) -> usize {
    let percent = usize::try_from(percent.min(100)).unwrap_or(100);
    whole / 100 * percent + whole % 100 * percent / 100
}

/// Forgets whoever has nothing any more.
fn enter(accounts: &mut Map<Arc<str>, Amount>, who: &Arc<str>, more: Amount, less: Amount) {
    let has = accounts.entry(who.clone()).or_default();
    *has = has.plus(more, less);
    if *has == Amount::default() {
        accounts.remove(who);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Amount = Amount { count: 100, bytes: 10_000, filters: 100 };

    fn user(name: &str, role: &str) -> Payer {
        Payer::User { name: name.into(), role: role.into(), device: role == "device" }
    }

    fn sessions(count: usize) -> Amount {
        Amount { count, ..Amount::default() }
    }

    #[test]
    fn each_user_and_each_role_has_a_part_and_gateways_all() {
        let limits = Limits::default();
        let mut shares = Shares::default();
        let admits = |shares: &Shares, who: &Payer, count| {
            shares.admits((who, sessions(count)), None, WHOLE, &limits)
        };
        let (ada, eve, lamp) =
            (user("ada", "person"), user("eve", "person"), user("a/b", "device"));
        assert!(admits(&shares, &ada, 25) && !admits(&shares, &ada, 26));
        assert!(admits(&shares, &lamp, 2) && !admits(&shares, &lamp, 3));
        assert!(admits(&shares, &Payer::House, 100));
        for number in 0..3 {
            let other = user(&format!("person-{number}"), "person");
            shares.change(None, Some((&other, sessions(25))));
        }
        assert!(!admits(&shares, &eve, 1), "the role has its three quarters");
        assert!(admits(&shares, &lamp, 2));
        shares.change(Some((&user("person-0", "person"), sessions(25))), None);
        assert!(admits(&shares, &eve, 25));
        assert_eq!(shares.users.len(), 2, "who has nothing is forgotten");
        assert_eq!(open_to(&eve, 20_000, &limits), 19_000);
        assert_eq!(open_to(&Payer::House, 20_000, &limits), 20_000);
    }

    #[test]
    fn what_is_replaced_makes_room() {
        let limits = Limits::default();
        let mut shares = Shares::default();
        let (ada, eve) = (user("ada", "person"), user("eve", "person"));
        let (large, small) =
            (Amount { bytes: 2_500, ..sessions(1) }, Amount { bytes: 1, ..sessions(1) });
        shares.change(None, Some((&ada, large)));
        assert!(shares.admits((&ada, large), Some((&ada, large)), WHOLE, &limits));
        assert!(!shares.admits((&ada, small), Some((&eve, large)), WHOLE, &limits));
        // Whoever has too much by older settings may still have less.
        assert!(shares.admits((&ada, Amount::default()), None, Amount::default(), &limits));
    }
}
