//! The deliberate mistakes that a simulator can make.

use broker_core::mutant::Mutant as AtBroker;
use gateway_core::mutant::Mutant as AtGateway;

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
    /// In the broker.
    Broker(broker_core::mutant::Mutant),
}

/// The item of mistakes with time.
const TIME: u8 = 25;

/// Those between broker, gateways and clients, which a whole system has to find.
const SEAMS: &[Mistake] = &[
    Mistake::Gateway(AtGateway::RefusedAsSuccess),
    Mistake::Gateway(AtGateway::AcknowledgedBeforeAgreed),
    Mistake::Gateway(AtGateway::AcknowledgedBeforeWritten),
    Mistake::Gateway(AtGateway::StampIgnored),
    Mistake::Gateway(AtGateway::SeenForgotten),
    Mistake::Gateway(AtGateway::GapLeftOpen),
    Mistake::Gateway(AtGateway::OrdersNotSentAgain),
    Mistake::Gateway(AtGateway::StatesNotPublishedAgain),
    Mistake::Gateway(AtGateway::EpochKept),
    Mistake::Broker(AtBroker::AcknowledgedAtOnce),
    Mistake::Broker(AtBroker::ReportsLost),
    Mistake::Broker(AtBroker::AcknowledgedElsewhere),
    Mistake::Broker(AtBroker::PacketIdIsTheMessage),
    Mistake::Broker(AtBroker::ReportTwice),
    Mistake::Broker(AtBroker::CleanStartIgnored),
    Mistake::Broker(AtBroker::OldConnectionActs),
    Mistake::Broker(AtBroker::EarlierOwner),
    Mistake::Broker(AtBroker::RetainedForNewOnly),
    Mistake::Broker(AtBroker::RepetitionUnseen),
    Mistake::Broker(AtBroker::BehindTheNewer),
    Mistake::Broker(AtBroker::PromisedDropped),
    Mistake::Broker(AtBroker::NotReadOn),
    Mistake::Broker(AtBroker::NewestFirst),
    Mistake::Broker(AtBroker::AnnouncedOnce),
    Mistake::Gateway(AtGateway::VotesUnproven),
    Mistake::Gateway(AtGateway::KnownZoneRefused),
    Mistake::Gateway(AtGateway::PublishedBeforeWritten),
];

impl Mistake {
    /// All that a simulator can make.
    #[must_use]
    pub fn all(what: What) -> Vec<Self> {
        let agreement = paxos::planted::Mutant::ALL.iter().copied().map(Self::Agreement);
        let driver = planted::Mutant::ALL.iter().copied().map(Self::Driver);
        let gateway = gateway_core::mutant::Mutant::ALL.iter().copied().map(Self::Gateway);
        match what {
            What::Group => agreement.chain(driver).collect(),
            What::Home => gateway.filter(|mistake| !mistake.needs_a_system()).collect(),
            What::System => {
                let time = gateway.filter(|mistake| mistake.item() == TIME);
                SEAMS.iter().copied().chain(time).collect()
            }
        }
    }

    /// Only a whole system has the client that is told, the devices that wait and the wall clocks that are wrong.
    fn needs_a_system(self) -> bool {
        self == Self::Gateway(AtGateway::RefusedAsSuccess) || self.item() == TIME
    }

    /// The mistake in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Agreement(mutant) => mutant.words(),
            Self::Driver(mutant) => mutant.words(),
            Self::Gateway(mutant) => mutant.words(),
            Self::Broker(mutant) => mutant.words(),
        }
    }

    /// Which of the known ways to get it wrong it is; `MUTANTS.md` lists them.
    #[must_use]
    pub const fn item(self) -> u8 {
        match self {
            Self::Agreement(mutant) => mutant.item(),
            Self::Driver(mutant) => mutant.item(),
            Self::Gateway(mutant) => mutant.item(),
            Self::Broker(mutant) => mutant.item(),
        }
    }

    /// Makes this mistake in this thread from now on, and no other.
    pub(crate) fn make(mistake: Option<Self>) {
        let (mut agreement, mut driver, mut gateway, mut broker) = (None, None, None, None);
        match mistake {
            Some(Self::Agreement(mutant)) => agreement = Some(mutant),
            Some(Self::Driver(mutant)) => driver = Some(mutant),
            Some(Self::Gateway(mutant)) => gateway = Some(mutant),
            Some(Self::Broker(mutant)) => broker = Some(mutant),
            None => {}
        }
        paxos::planted::set_active(agreement);
        planted::set_active(driver);
        gateway_core::mutant::set_active(gateway);
        broker_core::mutant::set_active(broker);
    }
}

impl std::fmt::Debug for Mistake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Agreement(mutant) => mutant.fmt(f),
            Self::Driver(mutant) => mutant.fmt(f),
            Self::Gateway(mutant) => mutant.fmt(f),
            Self::Broker(mutant) => mutant.fmt(f),
        }
    }
}
