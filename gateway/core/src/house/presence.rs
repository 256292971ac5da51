//! Whether someone is at home, as the order of events tells.

use super::note::Note;

/// What the rules remember of the order of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Presence {
    /// Someone came in and has not left.
    pub inside: bool,
    /// The door was opened, with a presence sensor, and no motion came since.
    pub door_opened: bool,
    /// The last motion report was "inactive".
    pub quiet: bool,
}

impl Presence {
    /// The door was opened; `seen` is what a presence sensor at the door saw.
    pub(super) fn door(&mut self, seen: bool) -> Option<Note> {
        if seen && self.inside && self.quiet {
            self.inside = false;
            self.door_opened = false;
            return Some(Note::UserExit);
        }
        self.door_opened = seen;
        None
    }

    pub(super) fn motion(&mut self) -> Option<Note> {
        self.quiet = false;
        let came_in = core::mem::take(&mut self.door_opened);
        if self.inside {
            return None;
        }
        self.inside = came_in;
        Some(if came_in { Note::UserEntered } else { Note::UnknownEntry })
    }
}
