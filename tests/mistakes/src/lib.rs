//! Lists of deliberate mistakes, to see whether tests find them.
//!
//! [`list!`](crate::list) makes an enum `Mutant` of them and a switch for each thread. A crate that has such a list
//! depends on this one only with its feature `mutants`, and has a macro `mutant!(Name)` of its own, which is the
//! constant `false` without the feature.
#![no_std]

/// Makes `Mutant` of mistakes, each with what it is in words and the number of the kind of mistake it belongs to;
/// `set_active` and `is_active`. Whoever uses it needs `std` for the threads.
///
/// ```
/// mistakes::list! {
///     /// an answer is given twice
///     AnsweredTwice = 1,
/// }
///
/// set_active(Some(Mutant::AnsweredTwice));
/// assert!(is_active(Mutant::AnsweredTwice));
/// assert_eq!(Mutant::ALL[0].words(), "an answer is given twice");
/// ```
#[macro_export]
macro_rules! list {
    ($($(#[doc = $doc:literal])+ $name:ident = $item:literal,)+) => {
        /// A deliberate mistake.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mutant {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Mutant {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The mistake in words.
            #[must_use]
            pub const fn words(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+).trim_ascii(),)+
                }
            }

            /// Which of the known ways to get it wrong it is, as the list beside the simulator numbers them.
            #[must_use]
            pub const fn item(self) -> u8 {
                match self {
                    $(Self::$name => $item,)+
                }
            }
        }

        ::std::thread_local! {
            static ACTIVE: ::core::cell::Cell<Option<Mutant>> = const { ::core::cell::Cell::new(None) };
        }

        /// Switches one mistake on in this thread, and all others off.
        pub fn set_active(mutant: Option<Mutant>) {
            ACTIVE.set(mutant);
        }

        /// Whether this mistake is on in this thread.
        #[must_use]
        pub fn is_active(mutant: Mutant) -> bool {
            ACTIVE.get() == Some(mutant)
        }
    };
}
