//! Messages per second: publishers that never wait longer than they must, and subscribers that check everything.
//!
//! All clients share one thread, so that on few cores the broker has the others. A publisher may be only so far
//! ahead of the slowest subscriber; no broker's queue fills, and what is lost is lost by the broker.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, timeout};

use super::candidate::processor_time;
use super::ledger::Ledger;
use super::packets::{self, PUBACK, PUBCOMP, PUBREC, PUBREL, Packet, Template};
use super::session::Session;
use crate::failure::{Failure, Outcome};

/// Messages under way, of all publishers together. 4,000: the shortest queue among the brokers' defaults that
/// cannot be raised is longer, and a larger one makes none of them faster.
const UNDER_WAY: u64 = 4000;
/// Handshakes that one publisher has open. 1,000: Hearth's receive maximum; the others allow more.
const HANDSHAKES: usize = 1000;
/// Time before the measurement begins, so that it sees a steady stream.
const WARM_UP: Duration = Duration::from_millis(300);
/// Time without any message after which none will come. 3 s: no broker pauses for so long.
const SILENCE: Duration = Duration::from_secs(3);
/// Time for the last messages to arrive, come what may.
const LAST: Duration = Duration::from_secs(60);
/// Bytes read or written at a time.
const CHUNK: usize = 64 * 1024;
const TOPIC: &str = "bench/throughput";

/// How many clients, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) publishers: usize,
    pub(super) subscribers: usize,
    pub(super) qos: u8,
}

/// What a run gave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Throughput {
    /// Deliveries a second.
    pub(super) rate: f64,
    /// Processor time of the broker per delivery.
    pub(super) cost: Duration,
    pub(super) lost: u64,
    pub(super) doubled: u64,
}

/// Runs for `span`, on this thread.
pub(super) fn measure(
    broker: SocketAddr,
    pid: u32,
    shape: Shape,
    payload: usize,
    span: Duration,
) -> Outcome<Throughput> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let clients = LocalSet::new();
    clients.block_on(&runtime, run(broker, pid, shape, payload, span))
}

/// What the clients of one run share.
#[derive(Debug)]
struct Run {
    ledger: RefCell<Ledger>,
    /// A publisher that waits for subscribers.
    brakes: Vec<Notify>,
    stopped: RefCell<bool>,
    failure: RefCell<Option<String>>,
    share: u64,
}

async fn run(
    broker: SocketAddr,
    pid: u32,
    shape: Shape,
    payload: usize,
    span: Duration,
) -> Outcome<Throughput> {
    let run = Rc::new(Run {
        ledger: RefCell::new(Ledger::new(shape.publishers, shape.subscribers)),
        brakes: (0..shape.publishers).map(|_| Notify::new()).collect(),
        stopped: RefCell::new(false),
        failure: RefCell::new(None),
        share: UNDER_WAY / shape.publishers as u64,
    });
    for me in 0..shape.subscribers {
        let mut session = Session::open(broker, &format!("bench-sub-{me}"))?;
        for publisher in 0..shape.publishers {
            session.subscribe(&format!("{TOPIC}/{publisher}"), shape.qos)?;
        }
        start(&run, subscribe(run.clone(), session.into_stream()?, me));
    }
    for me in 0..shape.publishers {
        let stream = Session::open(broker, &format!("bench-pub-{me}"))?.into_stream()?;
        let template = Template::new(&format!("{TOPIC}/{me}"), shape.qos, payload);
        start(&run, publish(run.clone(), stream, me, template));
    }
    sleep(WARM_UP).await;
    let reading = || -> Outcome<(Instant, u64, Duration)> {
        Ok((Instant::now(), run.ledger.borrow().delivered, processor_time(pid)?))
    };
    let (began, before, work_before) = reading()?;
    sleep(span).await;
    let (ended, after, work_after) = reading()?;
    *run.stopped.borrow_mut() = true;
    let _ = timeout(LAST, run.last()).await;
    if let Some(failure) = run.failure.borrow().clone() {
        return Err(Failure::failed(failure));
    }
    let mut ledger = run.ledger.borrow_mut();
    ledger.close();
    let delivered = after - before;
    Ok(Throughput {
        rate: delivered as f64 / (ended - began).as_secs_f64(),
        cost: (work_after - work_before).div_f64(delivered.max(1) as f64),
        lost: ledger.lost,
        doubled: ledger.doubled,
    })
}

impl Run {
    /// Waits until everything has arrived, or nothing more does.
    async fn last(&self) {
        let (mut seen, mut at) = (0, Instant::now());
        while !self.ledger.borrow().all_arrived() && at.elapsed() < SILENCE {
            sleep(Duration::from_millis(5)).await;
            let delivered = self.ledger.borrow().delivered;
            if delivered > seen {
                (seen, at) = (delivered, Instant::now());
            }
        }
    }
}

fn start(run: &Rc<Run>, client: impl Future<Output = io::Result<()>> + 'static) {
    let run = run.clone();
    tokio::task::spawn_local(async move {
        if let Err(error) = client.await {
            run.failure.borrow_mut().get_or_insert(format!("a client lost its broker: {error}"));
        }
    });
}

/// A stream with what is on its way in and out.
struct Pipe {
    stream: TcpStream,
    input: Vec<u8>,
    /// Bytes of `input` that hold something.
    filled: usize,
    output: Vec<u8>,
    written: usize,
}

impl Pipe {
    fn new(stream: TcpStream) -> Self {
        let (input, output) = (vec![0; CHUNK], Vec::with_capacity(2 * CHUNK));
        Self { stream, input, filled: 0, output, written: 0 }
    }

    /// Reads what is there and gives every whole packet to `take`, with the output at hand.
    fn read(&mut self, mut take: impl FnMut(Packet<'_>, &mut Vec<u8>)) -> io::Result<()> {
        match self.stream.try_read(&mut self.input[self.filled..]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => self.filled += read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
        let mut at = 0;
        while let Some((packet, used)) = packets::next(&self.input[at..self.filled]) {
            take(packet, &mut self.output);
            at += used;
        }
        self.input.copy_within(at..self.filled, 0);
        self.filled -= at;
        Ok(())
    }

    /// Writes as much as the system takes.
    fn write(&mut self) -> io::Result<()> {
        while self.written < self.output.len() {
            match self.stream.try_write(&self.output[self.written..]) {
                Ok(written) => self.written += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        self.output.clear();
        self.written = 0;
        Ok(())
    }

    fn interest(&self) -> Interest {
        if self.output.is_empty() {
            Interest::READABLE
        } else {
            Interest::READABLE | Interest::WRITABLE
        }
    }
}

async fn subscribe(run: Rc<Run>, stream: TcpStream, me: usize) -> io::Result<()> {
    let mut pipe = Pipe::new(stream);
    loop {
        pipe.stream.ready(pipe.interest()).await?;
        let mut ledger = run.ledger.borrow_mut();
        pipe.read(|packet, output| match packet {
            Packet::Publish { qos, pid, payload } => {
                let numbers = packets::number(payload).map(split);
                if let Some((publisher, number)) = numbers.filter(|(p, _)| *p < run.brakes.len()) {
                    ledger.arrived(me, publisher, number);
                }
                match qos {
                    0 => {}
                    1 => packets::step(output, PUBACK, pid),
                    _ => packets::step(output, PUBREC, pid),
                }
            }
            Packet::Step(PUBREL, pid) => packets::step(output, PUBCOMP, pid),
            _ => {}
        })?;
        drop(ledger);
        pipe.write()?;
        for brake in &run.brakes {
            brake.notify_one();
        }
    }
}

async fn publish(
    run: Rc<Run>,
    stream: TcpStream,
    me: usize,
    mut template: Template,
) -> io::Result<()> {
    let mut pipe = Pipe::new(stream);
    let mut packet_ids: VecDeque<u16> = (1..=HANDSHAKES as u16).collect();
    let with_id = template.has_id();
    loop {
        if !*run.stopped.borrow() {
            let mut ledger = run.ledger.borrow_mut();
            let mut room = run.share.saturating_sub(ledger.under_way(me));
            while room > 0 && pipe.output.len() < CHUNK {
                let pid = if with_id { packet_ids.pop_front() } else { Some(0) };
                let Some(pid) = pid else { break };
                template.put(&mut pipe.output, pid, join(me, ledger.send(me)));
                room -= 1;
            }
        }
        pipe.write()?;
        tokio::select! {
            ready = pipe.stream.ready(pipe.interest()) => { ready?; }
            () = run.brakes[me].notified() => {}
        }
        pipe.read(|packet, output| match packet {
            Packet::Step(PUBACK | PUBCOMP, pid) => packet_ids.push_back(pid),
            Packet::Step(PUBREC, pid) => packets::step(output, PUBREL, pid),
            _ => {}
        })?;
    }
}

/// A message's number carries its publisher's, so that a subscriber need not look at topics.
fn join(publisher: usize, number: u64) -> u64 {
    ((publisher as u64) << 48) | number
}

fn split(number: u64) -> (usize, u64) {
    ((number >> 48) as usize, number & ((1 << 48) - 1))
}
