//! The one HTTP client: every request that gitseal makes to a server goes through [`Client`]. ([`grpc`] calls agents of
//! this machine, over their own sockets.)
//!
//! It bounds what a server may cost us: one attempt, all attempts together, and the answer each have a limit. It repeats
//! a request after connection faults, 429 and 5xx (every request made here may be repeated: a second certificate or
//! time stamp harms nobody, and a log knows what it already has). It follows no redirect, speaks plain HTTP to this
//! machine and to the metadata server of its cloud only, and reads neither the environment (save the proxies, which
//! reqwest finds) nor any setting.

pub mod address;
pub mod client;
pub mod error;
#[cfg(unix)]
pub mod grpc;
pub mod message;
pub mod retry;
#[cfg(test)]
pub(crate) mod test_only_server;
pub mod tls;

pub use address::Url;
pub use client::{Client, Deadline, Limits};
pub use error::NetError;
pub use message::{Authorization, Request, Response};
pub use tls::Roots;
