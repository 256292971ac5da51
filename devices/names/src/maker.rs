//! Whose a zone is that somebody makes, and how many there may be: what Hearth's own broker adds to a first report and
//! to a registration.

use core::fmt;
use core::str::FromStr;

/// User property that carries a [`Maker`].
pub const MAKER_PROPERTY: &str = "hearth-maker";

/// User property that carries the [`Stamp`](crate::Stamp) up to which an announced zone's reports may be refused.
pub const UP_TO_PROPERTY: &str = "hearth-up-to";

/// Who makes a zone: `<of the user> <of the role> <of all> [<role> <user>]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Maker {
    /// How many zones there may be for this one to be made.
    pub may: Allowance,
    /// On whose account it goes; none where there are no users, and for gateways.
    pub account: Option<Account>,
}

/// How many zones there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Allowance {
    /// Of one user.
    pub user: u32,
    /// Of all users of a role.
    pub role: u32,
    /// In all.
    pub all: u32,
}

/// A user with the role that it has.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Account {
    /// The role, which has no space in its name.
    pub role: String,
    /// The user.
    pub user: String,
}

/// The text is no maker, or no account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a maker is three numbers, a role and a user")]
pub struct MakerError;

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.role, self.user)
    }
}

impl fmt::Display for Maker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Allowance { user, role, all } = self.may;
        write!(f, "{user} {role} {all}")?;
        self.account.iter().try_for_each(|account| write!(f, " {account}"))
    }
}

impl FromStr for Account {
    type Err = MakerError;

    fn from_str(text: &str) -> Result<Self, MakerError> {
        let (role, user) = text.split_once(' ').ok_or(MakerError)?;
        Ok(Self { role: role.to_owned(), user: user.to_owned() })
    }
}

impl FromStr for Maker {
    type Err = MakerError;

    fn from_str(text: &str) -> Result<Self, MakerError> {
        let mut parts = text.splitn(4, ' ');
        let mut number = || parts.next().and_then(|part| part.parse().ok()).ok_or(MakerError);
        let may = Allowance { user: number()?, role: number()?, all: number()? };
        Ok(Self { may, account: parts.next().map(str::parse).transpose()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_maker_survives_its_text() {
        let may = Allowance { user: 250, role: 750, all: 950 };
        let account = Account { role: "device".to_owned(), user: "living room/lamp".to_owned() };
        for account in [None, Some(account)] {
            let maker = Maker { may, account };
            assert_eq!(maker.to_string().parse(), Ok(maker));
        }
        for bad in ["", "1 2", "1 2 x", "1 2 3 person"] {
            assert_eq!(bad.parse::<Maker>(), Err(MakerError), "{bad}");
        }
    }
}
