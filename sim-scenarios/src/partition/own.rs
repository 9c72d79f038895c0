//! Strategies of a crate of the user's own, linked into a program of the user's own.
//!
//! They are the program's, not a run's: `cli::main_with` registers them before it reads an argument,
//! and then every name of a strategy is looked for among them, in arguments, in scenario files and in
//! the nodes that the program starts from itself.

use std::sync::OnceLock;

use partitioning::{OptionsError, Partitioner, Strategy};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::chosen::TRACE_FILE;

/// Set at most once, at the program's edge.
static OWN: OnceLock<Vec<Registration>> = OnceLock::new();

/// A strategy that a program brings along.
pub trait OwnStrategy: Partitioner + Sized + 'static {
    /// What it is called: 1 to 64 of `a-z`, `0-9`, `-`, `_`, and the name of no other strategy.
    const NAME: &'static str;

    /// What can be changed of it, with a default each: a struct with named fields.
    type Options: Default + Serialize + DeserializeOwned;

    /// Makes it.
    ///
    /// # Errors
    /// Options out of their bounds.
    fn new(options: Self::Options) -> Result<Self, OptionsError>;
}

/// An [`OwnStrategy`] among others.
#[derive(Clone, Copy, Debug)]
pub struct Registration {
    name: &'static str,
    defaults: fn() -> Result<Value, serde_json::Error>,
    build: fn(Value) -> Result<Box<dyn Partitioner>, NotBuilt>,
}

/// Why a strategy was not made.
pub(super) enum NotBuilt {
    /// An option is of the wrong type.
    Type(serde_json::Error),
    /// It is out of its bounds.
    Bounds(OptionsError),
}

/// Strategies that a program cannot bring along.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    /// The name cannot be written where strategies are named.
    #[error("a strategy cannot be called {0:?}: 1 to 64 of a-z, 0-9, - and _")]
    Name(&'static str),
    /// The name is taken.
    #[error("two strategies are called {0:?}")]
    Taken(&'static str),
    /// Others were registered before.
    #[error("strategies were registered before")]
    Again,
}

impl Registration {
    /// Of a strategy.
    #[must_use]
    pub fn of<S: OwnStrategy>() -> Self {
        Self {
            name: S::NAME,
            defaults: || serde_json::to_value(S::Options::default()),
            build: |options| {
                let options = serde_json::from_value(options).map_err(NotBuilt::Type)?;
                Ok(Box::new(S::new(options).map_err(NotBuilt::Bounds)?))
            },
        }
    }

    /// Its options as they are unless changed.
    pub(super) fn defaults(&self) -> Result<Value, serde_json::Error> {
        (self.defaults)()
    }

    /// The strategy.
    pub(super) fn build(&self, options: Value) -> Result<Box<dyn Partitioner>, NotBuilt> {
        (self.build)(options)
    }
}

/// Registers what the program brings along, once.
///
/// # Errors
/// Names that are wrong or taken; a second call.
pub fn register(own: &[Registration]) -> Result<(), RegistrationError> {
    for (index, registration) in own.iter().enumerate() {
        let name = registration.name;
        if !crate::scenario::is_identifier(name) {
            return Err(RegistrationError::Name(name));
        }
        let before = own[..index].iter().map(|other| other.name);
        if Strategy::NAMES.into_iter().chain([TRACE_FILE]).chain(before).any(|taken| taken == name)
        {
            return Err(RegistrationError::Taken(name));
        }
    }
    OWN.set(own.to_vec()).map_err(|_| RegistrationError::Again)
}

/// The strategy of a name.
pub(super) fn registered(name: &str) -> Option<&'static Registration> {
    OWN.get()?.iter().find(|registration| registration.name == name)
}

/// The names of all.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    OWN.get().into_iter().flatten().map(|registration| registration.name)
}

#[cfg(test)]
mod tests {
    use partitioning::{PartitionError, Problem, Proposal};

    use super::*;

    #[derive(Debug)]
    struct Still<const TAKEN: bool>;

    impl<const TAKEN: bool> Partitioner for Still<TAKEN> {
        fn name(&self) -> &'static str {
            Self::NAME
        }

        fn propose(&self, _: &Problem<'_>) -> Result<Proposal, PartitionError> {
            Ok(Proposal::default())
        }
    }

    impl<const TAKEN: bool> OwnStrategy for Still<TAKEN> {
        const NAME: &'static str = if TAKEN { "clpa" } else { "Still!" };
        type Options = std::collections::BTreeMap<String, u32>;

        fn new(_: Self::Options) -> Result<Self, OptionsError> {
            Ok(Self)
        }
    }

    #[test]
    fn names_that_cannot_be_are_refused() {
        let refused = register(&[Registration::of::<Still<true>>()]);
        assert_eq!(refused, Err(RegistrationError::Taken("clpa")));
        let refused = register(&[Registration::of::<Still<false>>()]);
        assert_eq!(refused, Err(RegistrationError::Name("Still!")));
        assert_eq!(names().count(), 0);
    }
}
