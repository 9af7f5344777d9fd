//! Between the model and the messages of the admin API. Generated types are known in here and in the two ends of the API, and
//! stand in no public signature.
//!
//! What comes in is checked in here: behind this border there are only model types.

mod fault;
mod report;
mod spec;
mod status;

pub(crate) use fault::{fault_of, status_of, unreachable_agent};

use model::{Class, Fault, codes};
use proto::admin;

/// A model type that the API has a message for.
pub(crate) trait Wire: Sized {
    /// The generated type; a number where the model type is an enum.
    type Message;

    fn to_wire(&self) -> Self::Message;

    fn from_wire(message: Self::Message) -> Result<Self, Malformed>;
}

/// A message that breaks the API's rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// A field that must be there is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// An enum's number that this version has no name for.
    #[error("{0} has the unknown value {1}")]
    Unknown(&'static str, i32),
    /// A text that is no valid name.
    #[error(transparent)]
    Name(#[from] model::ids::InvalidName),
}

impl Malformed {
    /// As the agent tells it to whoever sent the request.
    pub(crate) fn in_request(&self) -> Fault {
        let hint = "correct the request; deploy/docs/operating.md describes a job's keys";
        Fault::new(
            codes::CONFIG_INVALID,
            Class::Permanent,
            format!("the request is not valid: {self}"),
            hint,
        )
    }

    /// As the client tells it of an answer.
    pub(crate) fn in_answer(&self) -> Fault {
        let hint = "use the command of the same version as the agent";
        let message = format!("the agent's answer is not understood: {self}");
        Fault::new(codes::PROTOCOL_VIOLATION, Class::Permanent, message, hint)
    }
}

/// Takes a field that must be there.
pub(crate) fn required<T: Wire>(
    field: &'static str,
    message: Option<T::Message>,
) -> Result<T, Malformed> {
    T::from_wire(message.ok_or(Malformed::Missing(field))?)
}

/// Takes every element of a list.
pub(crate) fn each<T: Wire>(messages: Vec<T::Message>) -> Result<Vec<T>, Malformed> {
    messages.into_iter().map(T::from_wire).collect()
}

/// Gives every element of a list.
pub(crate) fn all<T: Wire>(values: &[T]) -> Vec<T::Message> {
    values.iter().map(T::to_wire).collect()
}

/// Joins an enum of the model with that of the API, variant by variant. `unspecified` names what 0 means, where it means something.
macro_rules! wire_enum {
    ($model:ty, $message:ty, $field:literal $(, unspecified = $default:ident)?; $($variant:ident),+ $(,)?) => {
        impl crate::wire::Wire for $model {
            type Message = i32;

            fn to_wire(&self) -> i32 {
                match self {
                    $(Self::$variant => <$message>::$variant as i32,)+
                }
            }

            fn from_wire(message: i32) -> Result<Self, crate::wire::Malformed> {
                match <$message>::try_from(message) {
                    $(Ok(<$message>::$variant) => Ok(Self::$variant),)+
                    $(Ok(<$message>::Unspecified) => Ok(Self::$default),)?
                    _ => Err(crate::wire::Malformed::Unknown($field, message)),
                }
            }
        }
    };
}
use wire_enum;

impl Wire for model::CollectionName {
    type Message = admin::CollectionName;

    fn to_wire(&self) -> Self::Message {
        admin::CollectionName {
            database: self.database.clone(),
            collection: self.collection.clone(),
        }
    }

    fn from_wire(message: Self::Message) -> Result<Self, Malformed> {
        Ok(Self::new(message.database, message.collection))
    }
}
