//! What one check of a signature costs in this process: a Fulcio chain asks for two on P-384, and a log entry, a
//! timestamp and the signature itself for some on P-256. `cargo bench --bench signatures`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use gitseal::crypto::{KeyKind, Keypair as _, ServiceKey};

/// How long each kind of key is measured.
const WINDOW: Duration = Duration::from_millis(500);
const MESSAGE: &[u8] = &[0x31; 107];

fn main() {
    println!("one check of a signature over {} bytes, gitseal::crypto (aws-lc)", MESSAGE.len());
    for kind in [KeyKind::EcdsaP256, KeyKind::EcdsaP384, KeyKind::Ed25519] {
        let key = ServiceKey::generate(kind).expect("a key of a supported kind");
        let signature = key.sign(MESSAGE);
        let mut times = Vec::new();
        let began = Instant::now();
        while began.elapsed() < WINDOW {
            let one = Instant::now();
            key.public_key().verify(key.scheme(), black_box(MESSAGE), &signature).expect("its own signature");
            times.push(one.elapsed());
        }
        times.sort();
        let ms = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1e3;
        println!("  {:<12} {:>8.3} ms median, {:.3} ms least, of {}", format!("{kind:?}"), ms(50), ms(0), times.len());
    }
}
