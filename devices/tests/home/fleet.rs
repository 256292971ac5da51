//! A fleet and its targets.

use std::time::Duration;

use devices::fleet::{Fleet, Responders, RespondersError, Settings, Until, What};
use link::Retry;
use wire::Site;

use crate::broker;
use crate::owner::Owner;

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn every_request_of_a_fleet_is_counted() {
    let broker = broker::start().await;
    let owner = Owner::start(broker.address()).await;
    let owner = tokio::spawn(owner.agree_to_all());
    let site = Site::new("home").unwrap();
    let targets = Responders::start(broker.address(), &site, 4, 2, PATIENCE).await.unwrap();
    assert_eq!(targets.devices()[3].0.as_str(), "fleet1");
    for what in [What::Set, What::Get] {
        let settings = Settings {
            address: broker.address().clone(),
            site: site.clone(),
            devices: targets.devices().to_vec(),
            clients: 3,
            until: Until::Requests(100),
            what,
            retry: Retry { every: PATIENCE, within: PATIENCE },
        };
        let summary = Fleet::run(settings).await.unwrap();
        assert_eq!((summary.count, summary.errors), (100, 0), "{summary:?}");
        assert!(0 < summary.p50 && summary.p50 <= summary.p99 && summary.p99 <= summary.max);
    }
    targets.stop().await;
    owner.abort();
}

#[tokio::test]
async fn targets_that_nobody_registers_are_an_error() {
    let broker = broker::start().await;
    let site = Site::new("home").unwrap();
    let within = Duration::from_millis(50);
    let error = Responders::start(broker.address(), &site, 2, 2, within).await.unwrap_err();
    assert_eq!(error, RespondersError::Unregistered { registered: 0, of: 2, within });
}
