//! Randomness from the operating system: nonces, jitter, serial numbers.

/// `N` bytes from the operating system's generator.
///
/// # Panics
/// When the operating system has no randomness to give: no signing tool can go on then.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut out = [0; N];
    aws_lc_rs::rand::fill(&mut out).expect("the operating system provides randomness");
    out
}
