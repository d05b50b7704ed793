//! What `gitseal ci` knows of the platforms it runs on: which commits a job is about, and the forms in which each wants
//! to be told.
//!
//! A platform tells the range in its environment ([`occasion`]). The findings are kept short ([`entry`]) and said in a
//! log, in annotations, in a summary, and in files; each form is a file of this folder and a plain function from the
//! [`Outcome`] to text. Names, refs and messages are strangers' text: [`entry::shown`] takes out what a terminal or a
//! log would act on, and each form escapes what it acts on itself.

pub mod annotations;
pub mod code_quality;
pub mod entry;
pub mod event;
pub mod junit;
pub mod log;
pub mod occasion;
pub mod platform;
pub mod sarif;
pub mod summary;

pub use entry::{Entry, Outcome, Tally};
pub use occasion::{Base, Occasion, OccasionError};
pub use platform::Platform;
