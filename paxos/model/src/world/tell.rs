//! A path through the states, in words.

use paxos::ReplicaId;
use stateright::Path;

use super::moves::index;
use super::{Action, State, Stimulus, World};

impl World {
    /// What happens on a path, an event a line.
    pub(crate) fn story(&self, path: Path<State, Action>) -> Vec<String> {
        let steps = path.into_vec().into_iter();
        let told = steps.filter_map(|(state, action)| Some(self.tell(&state, action?)));
        told.zip(1..).map(|(line, number)| format!("{number:>3}. {line}")).collect()
    }

    fn tell(&self, state: &State, action: Action) -> String {
        match action {
            Action::Write(at) => format!("{at} has written its oldest step"),
            Action::Crash(at) => format!("{at} crashes and starts again"),
            Action::Input(at, stimulus) => self.tell_input(state, at, stimulus),
            Action::LastInput(at, stimulus) => {
                self.tell_input(state, at, stimulus) + "; crashes before the write"
            }
        }
    }

    fn tell_input(&self, state: &State, at: ReplicaId, stimulus: Stimulus) -> String {
        let input = match stimulus {
            Stimulus::Campaign => "'s election timer fires".to_owned(),
            Stimulus::Propose => "'s client asks".to_owned(),
            Stimulus::Wish => format!(" is to get {} as voters", self.bounds.wished()),
            Stimulus::Receive(number) => format!(" receives {}", self.envelopes.get(number)),
        };
        let outcome = self.outcome(state.nodes[index(at)].replica, stimulus);
        let events = outcome.events.iter().chain(&outcome.stopped);
        events.fold(format!("{at}{input}"), |line, event| format!("{line}; {event}"))
    }
}
