//! Randomness from the operating system: nonces, jitter, serial numbers.

use p256::elliptic_curve::Generate as _;

/// `N` bytes from the operating system's generator, and not from aws-lc's: that one first spends 65 ms on gathering
/// entropy of its own, more than all the rest of a signature takes.
///
/// # Panics
/// When the operating system has no randomness to give: no signing tool can go on then.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    <[u8; N]>::generate()
}
