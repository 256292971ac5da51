//! What connections do: they carry, they are slow, they stand still, and they end.

use super::lane::{Conn, Down, Up, Who};
use super::links::SILENCE;
use super::world::{Event, MS, World};

impl World {
    /// A new connection; gives its number.
    pub(crate) fn connect(&mut self, conn: Conn) -> u64 {
        self.last_conn += 1;
        self.conns.insert(self.last_conn, conn);
        self.last_conn
    }

    fn transit(&mut self) -> u64 {
        let net = &self.plan.net;
        let (delay, stall) = (net.delay, net.stall);
        let mut time = self.now + self.dice.between(1, delay);
        if !self.calm && self.dice.chance(stall) {
            time += self.dice.tail(1000, 1_000_000);
        }
        time
    }

    pub(crate) fn send_up(&mut self, number: u64, item: Up) {
        let time = self.transit();
        let Some(conn) = self.conns.get_mut(&number) else { return };
        if conn.broker_has_it {
            conn.up.push(time, item);
            self.plan_up(number);
        }
    }

    pub(crate) fn send_down(&mut self, number: u64, item: Down) {
        let time = self.transit();
        let Some(conn) = self.conns.get_mut(&number) else { return };
        if conn.client_has_it {
            conn.down.push(time, item);
            self.plan_down(number);
        }
    }

    /// Nothing that the client says arrives before this time.
    pub(crate) fn hold_up(&mut self, number: u64, time: u64) {
        if let Some(conn) = self.conns.get_mut(&number) {
            conn.up.hold_up(time);
        }
    }

    /// Until when a CONNECT that is sent now is on its way.
    pub(crate) fn lateness_of_a_connect(&mut self) -> u64 {
        let late = !self.calm && self.dice.chance(self.plan.net.late_connects);
        if late { self.dice.between(5, 1500) * MS } else { 0 }
    }

    pub(crate) fn plan_up(&mut self, number: u64) {
        let now = self.now;
        let Some(conn) = self.conns.get_mut(&number) else { return };
        if conn.up.held || conn.up.due || conn.unread.is_some() || !conn.broker_has_it {
            return;
        }
        if let Some(time) = conn.up.next() {
            conn.up.due = true;
            self.at(time.max(now), Event::Up(number));
        }
    }

    pub(crate) fn plan_down(&mut self, number: u64) {
        let now = self.now;
        let Some(conn) = self.conns.get_mut(&number) else { return };
        if conn.down.held || conn.down.due || !conn.client_has_it {
            return;
        }
        if let Some(time) = conn.down.next() {
            conn.down.due = true;
            self.at(time.max(now), Event::Down(number));
        }
    }

    /// The client reads what has arrived, as far as it takes it.
    pub(crate) fn down(&mut self, number: u64) {
        let now = self.now;
        if let Some(conn) = self.conns.get_mut(&number) {
            conn.down.due = false;
        }
        loop {
            let Some(conn) = self.conns.get(&number) else { return };
            if conn.down.held || !conn.client_has_it || !self.client_takes(&conn.who.clone()) {
                return;
            }
            let Some(conn) = self.conns.get_mut(&number) else { return };
            let Some(item) = conn.down.take(now) else { break };
            let (who, ends) = (conn.who.clone(), matches!(item, Down::Gone));
            if ends {
                conn.client_has_it = false;
                self.forget_if_over(number);
            }
            match who {
                Who::Link(life, link) => self.link_hears(life, link, number, item),
                Who::Client(client) => self.client_hears(client, number, item),
            }
        }
        let behind = self.conns.get(&number).is_some_and(|conn| {
            conn.behind && conn.down.len() < self.plan.bounds.pipe && conn.broker_has_it
        });
        if behind {
            let broker = self.conns[&number].broker;
            if !self.brokers[&broker].paused {
                self.pull(number);
                self.settle(broker);
            }
        }
        self.plan_down(number);
    }

    /// Whether the client's end reads.
    fn client_takes(&self, who: &Who) -> bool {
        let Who::Link(life, link) = who else { return true };
        let process = &self.processes[&life.0];
        let link = process.links.get(link);
        process.is(*life)
            && !process.paused
            && link.is_some_and(|link| link.arrivals.len() < self.plan.bounds.arrivals)
    }

    /// The client's end is over: its process has closed it, or died. The broker hears all that was said, or nothing of
    /// what is still on its way.
    pub(crate) fn client_leaves(&mut self, number: u64) {
        let reset = self.dice.chance(40);
        let Some(conn) = self.conns.get_mut(&number) else { return };
        conn.client_has_it = false;
        conn.down.clear();
        if reset {
            conn.up.clear();
        }
        self.send_up(number, Up::Gone);
        self.forget_if_over(number);
    }

    pub(crate) fn forget_if_over(&mut self, number: u64) {
        if self.conns.get(&number).is_some_and(|conn| !conn.broker_has_it && !conn.client_has_it) {
            self.conns.remove(&number);
        }
    }

    /// A connection stands still in one direction or both. Who hears nothing gives it up after a while.
    pub(crate) fn hold(&mut self, number: u64, (up, down): (bool, bool), length: u64) {
        let now = self.now;
        let Some(conn) = self.conns.get_mut(&number).filter(|conn| conn.cut == 0) else { return };
        conn.cut = now.max(1);
        (conn.up.held, conn.down.held) = (up, down);
        let (cut, patience) = (conn.cut, conn.patience);
        let silence = if matches!(conn.who, Who::Link(..)) { SILENCE } else { 3 * SILENCE };
        if up && length > patience {
            self.after(patience, Event::Silent(number, cut));
        }
        if down && length > silence {
            self.after(silence, Event::Unheard(number, cut));
        }
        self.after(length, Event::Release(number, cut));
    }

    pub(crate) fn release(&mut self, number: u64, cut: u64) {
        let Some(conn) = self.conns.get_mut(&number).filter(|conn| conn.cut == cut) else { return };
        conn.cut = 0;
        (conn.up.held, conn.down.held) = (false, false);
        self.plan_up(number);
        self.plan_down(number);
    }

    /// The broker has heard nothing for too long.
    pub(crate) fn silent(&mut self, number: u64, cut: u64) {
        if self.conns.get(&number).is_some_and(|conn| conn.cut == cut) {
            self.lose_at_broker(number);
        }
    }

    /// The client has heard nothing for too long.
    pub(crate) fn unheard(&mut self, number: u64, cut: u64) {
        if self.conns.get(&number).is_some_and(|conn| conn.cut == cut && conn.client_has_it) {
            self.client_gives_up(number);
        }
    }

    /// A CONNECT is not answered.
    pub(crate) fn given_up(&mut self, number: u64) {
        let Some(conn) = self.conns.get(&number) else { return };
        // Whether the answer has arrived is what the client knows.
        if conn.client_has_it && !self.was_welcome(number) {
            self.client_gives_up(number);
        }
    }

    fn was_welcome(&self, number: u64) -> bool {
        match &self.conns[&number].who {
            Who::Link(life, link) => {
                let link = self.processes[&life.0].links.get(link);
                link.is_none_or(|link| link.conn != Some(number) || link.is_welcome())
            }
            Who::Client(client) => {
                let client = &self.clients[*client];
                client.conn != Some(number) || client.up
            }
        }
    }

    fn client_gives_up(&mut self, number: u64) {
        let who = self.conns[&number].who.clone();
        if let Who::Link(life, _) = &who
            && self.processes[&life.0].is(*life)
            && self.processes[&life.0].paused
        {
            // It notices when it goes on.
            let cut = self.conns[&number].cut;
            return self.after(20 * MS, Event::Unheard(number, cut));
        }
        self.client_leaves(number);
        match who {
            Who::Link(life, link) => self.link_hears(life, link, number, Down::Gone),
            Who::Client(client) => self.client_hears(client, number, Down::Gone),
        }
    }

    /// A connection breaks: each end finds out by itself, soon or when it has heard nothing for too long.
    pub(crate) fn break_conn(&mut self, number: u64) {
        let (first, second) = (self.dice.tail(100, 2_000_000), self.dice.tail(100, 2_000_000));
        let now = self.now;
        let Some(conn) = self.conns.get_mut(&number).filter(|conn| conn.cut == 0) else { return };
        conn.up.clear();
        conn.down.clear();
        conn.cut = now.max(1);
        (conn.up.held, conn.down.held) = (true, true);
        let cut = conn.cut;
        self.after(first, Event::Silent(number, cut));
        self.after(second, Event::Unheard(number, cut));
    }

    /// Nothing is slow any more, and nothing stands still.
    pub(crate) fn release_all(&mut self) {
        let now = self.now;
        for number in self.conns.keys().copied().collect::<Vec<_>>() {
            let Some(conn) = self.conns.get_mut(&number) else { continue };
            let was_broken = conn.cut > 0 && conn.up.held && conn.down.held;
            conn.up.hurry(now);
            conn.down.hurry(now);
            if was_broken {
                // What was lost on it does not come back.
                self.lose_at_broker(number);
                // If the broker had ended it before, its last word may have been lost too.
                self.send_down(number, Down::Gone);
            }
            let Some(conn) = self.conns.get_mut(&number) else { continue };
            let cut = conn.cut;
            (conn.up.due, conn.down.due) = (false, false);
            self.release(number, cut);
        }
    }
}
