//! One stream of randomness per seed.

pub(crate) use hearth_random::Random as Dice;
