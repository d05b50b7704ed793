//! The program: everything is in [`gitseal::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    gitseal::cli::main()
}
