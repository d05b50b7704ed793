// The floor: a signer and verifier for git that does nothing but start, speak git's protocol and end. What gitseal takes
// above it is gitseal's own. Compiled with `rustc -O` by `run`.
use std::io::{Read, Write};

const FINGERPRINT: &str = "9F56549C48914B1F08C5A041CC316FAF2031CD15";

fn main() -> std::io::Result<()> {
    let verify = std::env::args().any(|argument| argument == "--verify");
    std::io::stdin().read_to_end(&mut Vec::new())?;
    if verify {
        print!(
            "[GNUPG:] NEWSIG\n[GNUPG:] GOODSIG {FINGERPRINT} nobody\n\
             [GNUPG:] VALIDSIG {FINGERPRINT} 2026-11-22 1795384616 0 0 0 19 8 00 {FINGERPRINT}\n\
             [GNUPG:] TRUST_FULLY 0 shell\n"
        );
    } else {
        eprint!("\n[GNUPG:] SIG_CREATED D 19 8 00 1795384616 {FINGERPRINT}\n");
        std::io::stdout().write_all(b"-----BEGIN SIGNED MESSAGE-----\nAAAA\n-----END SIGNED MESSAGE-----\n")?;
    }
    std::io::stdout().flush()
}
