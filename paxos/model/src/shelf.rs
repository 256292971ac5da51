//! Things that many states share, each kept once under a number; and what was worked out before.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, PoisonError, RwLock};

/// Numbers things by what they say of themselves. A number never changes.
pub(crate) struct Shelf<T>(RwLock<Places<T>>);

struct Places<T> {
    things: Vec<Arc<T>>,
    numbers: HashMap<String, u32>,
}

impl<T> Shelf<T> {
    pub(crate) fn new() -> Self {
        Self(RwLock::new(Places { things: Vec::new(), numbers: HashMap::new() }))
    }

    /// The number of the thing with this name, which is `thing` if there was none.
    pub(crate) fn keep(&self, name: String, thing: T) -> u32 {
        let mut places = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let next = places.things.len() as u32;
        let number = *places.numbers.entry(name).or_insert(next);
        if number == next {
            places.things.push(Arc::new(thing));
        }
        number
    }

    pub(crate) fn get(&self, number: u32) -> Arc<T> {
        let places = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&places.things[number as usize])
    }

    /// Looks at several things at once.
    pub(crate) fn read<R>(&self, look: impl FnOnce(&[Arc<T>]) -> R) -> R {
        look(&self.0.read().unwrap_or_else(PoisonError::into_inner).things)
    }
}

/// What followed from what. Working something out twice at a time is harmless: both get the same.
pub(crate) struct Memo<K, V>(RwLock<HashMap<K, V>>);

impl<K: Eq + Hash, V: Clone> Memo<K, V> {
    pub(crate) fn new() -> Self {
        Self(RwLock::new(HashMap::new()))
    }

    pub(crate) fn get_or(&self, key: K, work_out: impl FnOnce(&K) -> V) -> V {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        known.unwrap_or_else(|| {
            let value = work_out(&key);
            let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
            known.entry(key).or_insert(value).clone()
        })
    }
}
