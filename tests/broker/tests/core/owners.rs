//! A zone's session is taken over by later owners only.

use broker_core::access::Guest;
use broker_core::mutant::{Mutant, set_active};
use broker_core::protocol::{Connect, Reason};
use broker_core::{ConnId, Ended};

use super::{START, bench, connect};

fn owner(epoch: u64) -> Connect {
    Connect { epoch, ..connect("hearth-home-zone-hall") }
}

/// What becomes of gateways that come one after another for a zone, each while the one before is connected.
fn come(epochs: &[u64]) -> Vec<Result<(), Reason>> {
    let mut bench = bench(|_| {});
    let come = |(number, epoch): (u64, &u64)| {
        let connected = bench.core.connect(START, ConnId(number), owner(*epoch), Guest::Anyone);
        connected.map(|_| ())
    };
    (1..).zip(epochs).map(come).collect()
}

#[test]
fn a_gateway_that_stood_still_does_not_take_its_zone_from_the_new_owner() {
    let refused = Err(Reason::NotAuthorized);
    assert_eq!(come(&[7, 9, 7, 9, 10]), [Ok(()), Ok(()), refused, Ok(()), Ok(())]);
    // An older program does not say since when it owns the zone.
    assert_eq!(come(&[7, 0, 3]), [Ok(()), Ok(()), Ok(())]);
}

#[test]
fn where_no_owner_is_connected_anyone_may_come() {
    let mut bench = bench(|_| {});
    let (conn, _) = bench.open(owner(9));
    bench.core.closed(bench.now, conn, Ended::Lost);
    bench.open(owner(7));
}

#[test]
fn the_scenario_sees_a_broker_that_lets_an_earlier_owner_in() {
    set_active(Some(Mutant::EarlierOwner));
    let come = come(&[9, 7]);
    set_active(None);
    assert_eq!(come, [Ok(()), Ok(())]);
}
