//! The deliberate mistakes that a simulator can make.

use crate::fleet::What;
use crate::group::planted;

/// A mistake, of the core or of the driver around it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    /// In the agreement itself.
    Agreement(paxos::planted::Mutant),
    /// In the simulated shell around a replica.
    Driver(planted::Mutant),
    /// In what a gateway does around the agreement.
    Gateway(gateway_core::mutant::Mutant),
}

impl Mistake {
    /// All that a simulator can make.
    #[must_use]
    pub fn all(what: What) -> Vec<Self> {
        let agreement = paxos::planted::Mutant::ALL.iter().copied().map(Self::Agreement);
        let driver = planted::Mutant::ALL.iter().copied().map(Self::Driver);
        let gateway = gateway_core::mutant::Mutant::ALL.iter().copied().map(Self::Gateway);
        match what {
            What::Group => agreement.chain(driver).collect(),
            What::Home => gateway.collect(),
            What::System => Vec::new(),
        }
    }

    /// The mistake in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Agreement(mutant) => mutant.words(),
            Self::Driver(mutant) => mutant.words(),
            Self::Gateway(mutant) => mutant.words(),
        }
    }

    /// Which of the known ways to get it wrong it is; `MUTANTS.md` lists them.
    #[must_use]
    pub const fn item(self) -> u8 {
        match self {
            Self::Agreement(mutant) => mutant.item(),
            Self::Driver(mutant) => mutant.item(),
            Self::Gateway(mutant) => mutant.item(),
        }
    }

    /// Makes this mistake in this thread from now on, and no other.
    pub(crate) fn make(mistake: Option<Self>) {
        let (mut agreement, mut driver, mut gateway) = (None, None, None);
        match mistake {
            Some(Self::Agreement(mutant)) => agreement = Some(mutant),
            Some(Self::Driver(mutant)) => driver = Some(mutant),
            Some(Self::Gateway(mutant)) => gateway = Some(mutant),
            None => {}
        }
        paxos::planted::set_active(agreement);
        planted::set_active(driver);
        gateway_core::mutant::set_active(gateway);
    }
}

impl std::fmt::Debug for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Agreement(mutant) => mutant.fmt(f),
            Self::Driver(mutant) => mutant.fmt(f),
            Self::Gateway(mutant) => mutant.fmt(f),
        }
    }
}
