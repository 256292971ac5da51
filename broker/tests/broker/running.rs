//! A broker in this process. Used by both test programs.

#![allow(clippy::unwrap_used, reason = "a failed expectation is the test's result")]

use std::net::SocketAddr;
use std::thread::JoinHandle;

use broker::{Broker, BrokerError, Reloader, Settings};
use tokio::sync::oneshot;

pub(crate) struct Running {
    pub(crate) addr: SocketAddr,
    #[allow(dead_code, reason = "the conformance cases change no rights")]
    pub(crate) reloader: Reloader,
    /// Every port, with what is spoken there.
    #[allow(dead_code, reason = "the conformance cases use the first")]
    pub(crate) ports: Vec<(SocketAddr, &'static str)>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), BrokerError>>>,
}

pub(crate) fn settings() -> Settings {
    Settings { bind: "127.0.0.1:0".to_owned(), incarnation: 7, ..Settings::default() }
}

pub(crate) fn start_with(settings: Settings) -> Running {
    let (stop, stopped) = oneshot::channel::<()>();
    let (tell, told) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let broker = Broker::bind(settings).await.unwrap();
            let ports: Vec<_> = broker.addresses().collect();
            tell.send((ports, broker.reloader())).unwrap();
            broker.run(async { _ = stopped.await }).await
        })
    });
    let (ports, reloader) = told.recv().unwrap();
    Running { addr: ports[0].0, reloader, ports, stop: Some(stop), thread: Some(thread) }
}

impl Running {
    pub(crate) fn stop(&mut self) -> Result<(), BrokerError> {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
    }
}
