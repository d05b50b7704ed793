//! A secret on a page of memory of its own, which the operating system is asked not to write to disk (mlock, POSIX.1).
//!
//! A value that is moved leaves a copy behind where it was. In here it stays where it is until it is dropped, and whoever
//! made it wipes the stack that it was made on ([`wipe_stack`]).

use std::hint::black_box;

use zeroize::{Zeroize as _, ZeroizeOnDrop};

/// Where the value lies: nothing else is on its page, so that locking it and releasing the lock touch nobody. 16 KiB is
/// the largest page of the platforms in use (arm64 macOS).
#[repr(C, align(16384))]
struct Page<T>(T);

/// A value that wipes itself, on a page of its own.
pub(super) struct LockedPage<T: ZeroizeOnDrop> {
    // Dropped in this order: wiped while it is still locked. Always there: the page is made before its value, for a value
    // that is put on a page on the stack is moved with all of it, and what it leaves lies deeper than anybody wipes.
    page: Box<Page<Option<T>>>,
    lock: Option<region::LockGuard>,
}

impl<T: ZeroizeOnDrop> LockedPage<T> {
    /// Put what `make` makes there. A system that locks no more pages (`ulimit -l`) does not keep us from signing.
    pub(super) fn new(make: impl FnOnce() -> T) -> Self {
        let mut page = Box::new(Page(None));
        let lock = region::lock(&raw const *page, size_of::<Page<Option<T>>>()).ok();
        put(&mut page.0, make);
        wipe_stack();
        LockedPage { page, lock }
    }

    /// The value.
    pub(super) fn get(&self) -> &T {
        self.page.0.as_ref().expect("it was put there when the page was made")
    }

    /// Whether the system has promised to keep it in memory.
    pub(super) fn is_locked(&self) -> bool {
        self.lock.is_some()
    }
}

/// A call of its own, so that all it leaves lies below its caller, where the stack is wiped.
#[inline(never)]
fn put<T>(place: &mut Option<T>, make: impl FnOnce() -> T) {
    *place = Some(make());
}

/// How much of the stack below its caller [`wipe_stack`] overwrites: more than making a key and signing reach down.
const WIPED: usize = 64 * 1024;

/// Overwrite what functions that have returned left on the stack below their caller: numbers that a private key can be
/// computed from among it.
#[inline(never)]
pub(super) fn wipe_stack() {
    let mut stack = [0_u8; WIPED];
    stack.zeroize();
    black_box(&stack);
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    #[test]
    fn a_value_has_its_page_for_itself() {
        let pages: Vec<_> = (0..4_u8).map(|n| LockedPage::new(|| Zeroizing::new([n; 32]))).collect();
        for (n, page) in pages.iter().enumerate() {
            assert_eq!(**page.get(), [u8::try_from(n).unwrap(); 32]);
            assert_eq!((&raw const *page.page).addr() % size_of::<Page<Option<Zeroizing<[u8; 32]>>>>(), 0);
        }
    }
}
