//! How many connections there are, overall and of each address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use broker_core::Limits;
use broker_core::protocol::Reason;

/// The places for connections.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    of: HashMap<IpAddr, usize>,
}

/// One connection's place, free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    address: IpAddr,
}

impl Places {
    /// A place for a connection from this address.
    ///
    /// # Errors
    /// There is none: the reason for a CONNACK.
    pub(crate) fn take(&self, address: IpAddr, limits: &Limits) -> Result<Place, Reason> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= limits.connections {
            return Err(Reason::Busy);
        }
        let of_address = taken.of.entry(address).or_default();
        if *of_address >= limits.connections_per_address {
            return Err(Reason::Quota);
        }
        *of_address += 1;
        taken.all += 1;
        Ok(Place { places: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        if let Some(count) = taken.of.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.of.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_after_its_connection() {
        let limits = Limits { connections: 3, connections_per_address: 2, ..Limits::default() };
        let (one, other) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let places = Places::default();
        let first = places.take(one, &limits).unwrap();
        let _second = places.take(one, &limits).unwrap();
        assert_eq!(places.take(one, &limits).unwrap_err(), Reason::Quota);
        let _third = places.take(other, &limits).unwrap();
        assert_eq!(places.take(other, &limits).unwrap_err(), Reason::Busy);
        drop(first);
        drop(places.take(one, &limits).unwrap());
        assert_eq!(places.0.lock().unwrap().of.len(), 2);
    }
}
