//! The agent: a resident signer. It holds credentials for as long as their certificates are valid and signs with them;
//! keys never leave it.
//!
//! Asking is a frame of JSON on a Unix socket ([`protocol`], described for other programs in gitseal-protocol(7)).
//! [`place`] makes sure that nobody else has laid the socket there, [`server`] answers, [`store`] holds what is held,
//! [`client`] asks. The agent never runs a command, opens no browser, and talks to no address that a caller names: a
//! caller names an instance, and [`server::Resolve`] says what its user's own settings mean by that.

pub mod client;
pub mod frame;
pub mod hardening;
pub mod peer;
pub mod place;
pub mod protocol;
pub mod server;
pub mod store;

pub use client::{Client, ClientError};
pub use place::{Place, PlaceError};
pub use protocol::{Request, Response, Scope};
pub use server::{Definition, Door, Server};
