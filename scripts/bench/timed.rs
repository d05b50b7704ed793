// Runs a command and appends to a file when it began and when it ended, in microseconds since 1970, the clock of the
// sandbox's request log: `timed FILE COMMAND...`. Ends as the command did. Compiled with `rustc -O` by `rebase`.
use std::fs::OpenOptions;
use std::io::Write;
use std::process::{Command, exit};
use std::time::{SystemTime, UNIX_EPOCH};

fn now() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is after 1970").as_micros()
}

fn main() {
    let mut words = std::env::args_os().skip(1);
    let (Some(file), Some(program)) = (words.next(), words.next()) else {
        eprintln!("usage: timed FILE COMMAND...");
        exit(2);
    };
    let mut command = Command::new(program);
    command.args(words);
    let began = now();
    let status = command.status().expect("the command starts");
    let ended = now();
    let mut file = OpenOptions::new().create(true).append(true).open(file).expect("the file opens");
    file.write_all(format!("{began} {ended}\n").as_bytes()).expect("the line is written");
    exit(status.code().unwrap_or(1));
}
