//! Mistakes on the way to subscribers.

use crate::planted::planted;

planted! {
    /// Whether nothing inside the router is for a session.
    RoutedLost: fn nothing_inside(nothing: bool) => true;
}
