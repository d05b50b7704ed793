// Times whole processes, from spawn to wait4, one sample of each in turn, so that whatever else the machine does falls on
// all alike. Compiled with `rustc -O` by `run`.
//
//   driver SAMPLES SECONDS < specification
//
// A line of the specification is `# TITLE`, or tab-separated: name, name of the row it is compared with or `-`, folder,
// file for standard input or `-`, then the words of the command. A sample starts when the machine is quiet, and one
// during which the kernel counted a stall for want of a processor is thrown away. It is written in Rust because the peak
// memory that wait4 tells of a child is at least that of its parent, and Python alone has more than gitseal.
use std::fs::File;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Rounds before the first that counts: caches and agents warm up.
const WARM_UP: usize = 2;
/// A sample is thrown away when processes waited for a processor during more than this share of it.
const STALLED: f64 = 0.2;
/// With fewer clean samples than this, all are used and the row is marked.
const ENOUGH: usize = 5;

/// `struct timeval` and `struct rusage` of Linux on 64 bits.
#[repr(C)]
#[derive(Default)]
struct TimeVal {
    seconds: i64,
    microseconds: i64,
}

#[repr(C)]
#[derive(Default)]
struct ResourceUsage {
    user: TimeVal,
    system: TimeVal,
    peak_kib: i64,
    rest: [i64; 13],
}

unsafe extern "C" {
    fn wait4(pid: i32, status: *mut i32, options: i32, usage: *mut ResourceUsage) -> i32;
}

struct Operation {
    name: String,
    compared_with: String,
    folder: String,
    stdin: String,
    words: Vec<String>,
    clean: Vec<Sample>,
    stalled: Vec<Sample>,
}

#[derive(Clone, Copy)]
struct Sample {
    wall_ms: f64,
    cpu_ms: f64,
    peak_kib: i64,
}

enum Line {
    Title(String),
    Row(usize),
}

/// Milliseconds for which some process has waited for a processor since boot, where the kernel counts that.
fn stall_ms() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/pressure/cpu").ok()?;
    let total: f64 = text.lines().next()?.rsplit("total=").next()?.trim().parse().ok()?;
    Some(total / 1e3)
}

/// How many tasks want a processor now, this one included.
fn runnable() -> u32 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').nth(3).and_then(|pair| pair.split('/').next()?.parse().ok()).unwrap_or(1)
}

fn wait_for_quiet(deadline: Instant) {
    let mut quiet = 0;
    while Instant::now() < deadline && quiet < 2 {
        if runnable() <= 2 {
            quiet += 1;
            std::thread::sleep(Duration::from_millis(1));
        } else {
            quiet = 0;
            std::thread::sleep(Duration::from_millis(15));
        }
    }
}

fn run(operation: &Operation) -> (Sample, bool) {
    let stdin = match operation.stdin.as_str() {
        "-" => Stdio::null(),
        file => Stdio::from(File::open(file).expect("the file for standard input opens")),
    };
    let mut command = Command::new(&operation.words[0]);
    command.args(&operation.words[1..]).current_dir(&operation.folder);
    command.stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null());
    let before = stall_ms();
    let (mut status, mut usage) = (0, ResourceUsage::default());
    let began = Instant::now();
    let child = command.spawn().expect("the command starts");
    // SAFETY: the child is ours and waited for nowhere else; both pointers are to live values of the right layout.
    let waited = unsafe { wait4(child.id() as i32, &mut status, 0, &mut usage) };
    let wall_ms = began.elapsed().as_secs_f64() * 1e3;
    let stalled = before.zip(stall_ms()).is_some_and(|(before, after)| after - before > STALLED * wall_ms);
    if waited != child.id() as i32 || status != 0 {
        eprintln!("driver: {} failed (wait status {status}): {}", operation.name, operation.words.join(" "));
        std::process::exit(1);
    }
    let ms = |time: &TimeVal| time.seconds as f64 * 1e3 + time.microseconds as f64 / 1e3;
    (Sample { wall_ms, cpu_ms: ms(&usage.user) + ms(&usage.system), peak_kib: usage.peak_kib }, stalled)
}

fn parse(text: &str) -> (Vec<Line>, Vec<Operation>) {
    let (mut lines, mut operations) = (Vec::new(), Vec::new());
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        if let Some(title) = line.strip_prefix("# ") {
            lines.push(Line::Title(title.to_owned()));
            continue;
        }
        let mut fields = line.split('\t').map(str::to_owned);
        let mut field = || fields.next().expect("a row has four fields and a command");
        let (name, compared_with, folder, stdin) = (field(), field(), field(), field());
        lines.push(Line::Row(operations.len()));
        let words = fields.collect();
        let (clean, stalled) = (Vec::new(), Vec::new());
        operations.push(Operation { name, compared_with, folder, stdin, words, clean, stalled });
    }
    (lines, operations)
}

/// The samples a row speaks from, and whether they are clean.
fn samples(operation: &Operation) -> (Vec<Sample>, bool) {
    if operation.clean.len() >= ENOUGH {
        return (operation.clean.clone(), true);
    }
    (operation.clean.iter().chain(&operation.stalled).copied().collect(), false)
}

fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}

fn main() {
    let number = |index| std::env::args().nth(index).and_then(|word| word.parse::<u64>().ok());
    let (Some(wanted), Some(seconds)) = (number(1), number(2)) else {
        eprintln!("usage: driver SAMPLES SECONDS < specification");
        std::process::exit(2);
    };
    let deadline = Instant::now() + Duration::from_secs(seconds);
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).expect("the specification is text");
    let (lines, mut operations) = parse(&text);

    for round in 0.. {
        let done = operations.iter().all(|operation| operation.clean.len() as u64 >= wanted);
        if done || (round > WARM_UP && Instant::now() >= deadline) {
            break;
        }
        for operation in &mut operations {
            if operation.clean.len() as u64 >= wanted {
                continue;
            }
            wait_for_quiet(deadline);
            let (sample, stalled) = run(operation);
            match (round < WARM_UP, stalled) {
                (true, _) => {}
                (false, true) => operation.stalled.push(sample),
                (false, false) => operation.clean.push(sample),
            }
        }
    }

    let medians: Vec<(String, f64)> = operations
        .iter()
        .map(|operation| {
            (operation.name.clone(), quantile(samples(operation).0.iter().map(|sample| sample.wall_ms).collect(), 0.5))
        })
        .collect();
    println!(
        "{:<50}{:>5}{:>9}{:>9}{:>9}{:>9}{:>10}  {}",
        "whole process, wall ms", "n", "median", "min", "p90", "cpu", "peak MiB", "against"
    );
    for line in lines {
        let operation = match line {
            Line::Title(title) => {
                println!("\n{title}");
                continue;
            }
            Line::Row(index) => &operations[index],
        };
        let (kept, clean) = samples(operation);
        let of = |value: fn(&Sample) -> f64, share| quantile(kept.iter().map(value).collect(), share);
        let median = of(|sample| sample.wall_ms, 0.5);
        let against = match medians.iter().find(|(name, _)| *name == operation.compared_with && *name != operation.name)
        {
            Some((name, other)) => format!("{:+.2} ms, x{:.2} {name}", median - other, median / other),
            None => String::new(),
        };
        println!(
            "{:<50}{:>5}{:>9.2}{:>9.2}{:>9.2}{:>9.2}{:>10.1}  {against}{}",
            operation.name,
            kept.len(),
            median,
            of(|sample| sample.wall_ms, 0.0),
            of(|sample| sample.wall_ms, 0.9),
            of(|sample| sample.cpu_ms, 0.5),
            of(|sample| sample.peak_kib as f64 / 1024.0, 1.0),
            if clean { "" } else { "  (too few quiet samples: all are counted)" },
        );
    }
}
