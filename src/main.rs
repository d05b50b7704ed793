//! The program: everything is in [`gitseal::cli`].

use std::alloc::System;
use std::process::ExitCode;

use zeroizing_alloc::ZeroAlloc;

/// Memory is wiped when it is given back. A token passes through the buffers of a JSON parser, an HTTP client and a TLS
/// library, and a key through those of arithmetic; none of them wipes what it grows out of.
#[global_allocator]
static WIPING: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    gitseal::cli::main()
}
