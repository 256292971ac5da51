//! Hash maps for what every message looks up.

use std::collections::HashMap;

/// A map with a hash that is fast for short keys. It is seeded anew in every process, so that nobody can prepare keys
/// that collide; and what strangers name, such as topics, is bounded in number.
pub type Map<K, V> = HashMap<K, V, foldhash::fast::RandomState>;
