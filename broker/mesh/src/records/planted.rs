//! Mistakes about records between nodes.

use crate::planted::planted;

planted! {
    /// Whether a record is the word of the node that owns it, or nobody knows better.
    AnybodySpeaksForANode: fn is_owners_word(word: bool) => true;
}
