//! Old messages, to be delivered long after.

use crate::dice::Dice;

/// How many are remembered. Few, so that the same ones come again and again.
const MOST: usize = 24;

#[derive(Debug)]
pub(crate) struct Attic<T> {
    messages: Vec<T>,
    /// Percent of the messages that take the place of another one once it is full.
    replaced: u64,
}

impl<T: Clone> Attic<T> {
    pub(crate) const fn new(replaced: u64) -> Self {
        Self { messages: Vec::new(), replaced }
    }

    pub(crate) fn remember(&mut self, message: &T, dice: &mut Dice) {
        if self.messages.len() < MOST {
            self.messages.push(message.clone());
        } else if dice.chance(self.replaced) {
            let place = dice.below(MOST);
            self.messages[place] = message.clone();
        }
    }

    pub(crate) fn forget(&mut self, which: impl Fn(&T) -> bool) {
        self.messages.retain(|message| !which(message));
    }

    /// Any of them, again and again.
    pub(crate) fn draw(&self, dice: &mut Dice) -> Option<T> {
        (!self.messages.is_empty()).then(|| self.messages[dice.below(self.messages.len())].clone())
    }
}
