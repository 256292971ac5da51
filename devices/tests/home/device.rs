//! A device in a home, with a broker in between.

use std::sync::Arc;

use devices::device::{self, Note, Settings};
use devices::user::User;
use link::{Address, Requester};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use wire::{Device, Kind, OrderNumber, Site, State, Zone};

use crate::broker;
use crate::owner::Owner;

struct Running {
    notes: mpsc::UnboundedReceiver<Note>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), device::Error>>,
}

fn site() -> Site {
    Site::new("home").unwrap()
}

fn bulb() -> (Zone, Device) {
    (Zone::new("bedroom").unwrap(), Device::new("smartBulb").unwrap())
}

fn start(address: &Address) -> Running {
    start_on(&Handle::current(), address)
}

fn start_on(runtime: &Handle, address: &Address) -> Running {
    let (zone, name) = bulb();
    let (tell, notes) = mpsc::unbounded_channel();
    let mut settings = Settings::new(address.clone(), site(), zone, name, Kind::Bulb);
    settings.story = Some(Arc::new(move |note: &Note| drop(tell.send(note.clone()))));
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async move { drop(stopped.await) };
    Running { notes, stop, task: runtime.spawn(device::run(settings, shutdown)) }
}

impl Running {
    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.task.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_device_registers_and_says_whether_it_is_there() {
    let broker = broker::start().await;
    let mut owner = Owner::start(broker.address()).await;
    let mut bulb = start(broker.address());
    assert_eq!(&owner.hear("/status").await.payload[..], b"online");
    let first = owner.agree().await;
    assert_eq!((first.kind, first.state), (Some(Kind::Bulb), spoken("off")));
    assert_eq!(bulb.notes.recv().await, Some(Note::Registered { node: 2, owner: 1 }));
    bulb.stop().await;
    assert_eq!(&owner.hear("/status").await.payload[..], b"offline");
}

#[tokio::test]
async fn a_device_that_crashes_is_offline_too() {
    let broker = broker::start().await;
    let mut owner = Owner::start(broker.address()).await;
    // Tasks of a runtime that is shut down are not run to any end, like those of a killed process.
    let process = Runtime::new().unwrap();
    let _bulb = start_on(process.handle(), broker.address());
    assert_eq!(&owner.hear("/status").await.payload[..], b"online");
    process.shutdown_background();
    // Its will says so.
    assert_eq!(&owner.hear("/status").await.payload[..], b"offline");
}

#[tokio::test]
async fn an_order_waits_for_a_device_that_is_away() {
    let broker = broker::start().await;
    let mut owner = Owner::start(broker.address()).await;
    let bulb = start(broker.address());
    owner.agree().await;
    bulb.stop().await;
    owner.publish("home/bedroom/smartBulb/command", r#"{"order":4,"state":1,"clock":9}"#).await;
    let _bulb = start(broker.address());
    assert_eq!(owner.agree().await.order, None, "it registers first");
    let obeyed = owner.agree().await;
    assert_eq!((obeyed.order, obeyed.state), (Some(OrderNumber(4)), spoken("on")));
    assert!(obeyed.clock.0 > 9);
}

#[tokio::test]
async fn a_report_whose_answer_is_lost_comes_again_as_the_same() {
    let broker = broker::start().await;
    let mut owner = Owner::start(broker.address()).await;
    let mut bulb = start(broker.address());
    let (lost, _) = owner.report().await;
    let again = owner.agree().await;
    assert_eq!(lost, again);
    assert_eq!(bulb.notes.recv().await, Some(Note::Registered { node: 2, owner: 1 }));
}

#[tokio::test]
async fn the_user_hears_the_owner_when_the_change_is_agreed() {
    let broker = broker::start().await;
    let mut owner = Owner::start(broker.address()).await;
    let _bulb = start(broker.address());
    owner.agree().await;
    let requester = Requester::connect(broker.address().clone(), "user").await.unwrap();
    let mut user = User::new(requester, site());
    let (zone, name) = bulb();
    let on = spoken("on");
    let acting = user.act(&zone, &name, &on, Some(true));
    let (answer, report) = tokio::join!(acting, owner.agree());
    assert_eq!((report.state, report.presence), (spoken("on"), Some(true)));
    assert_eq!(answer.unwrap().get("seq"), 2);
    assert!(user.clock() > report.clock, "what the user learns is later than what it tells of");
}

fn spoken(text: &str) -> State {
    State::new(text).expect("a short text")
}
