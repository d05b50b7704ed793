//! The locked agent: it answers nothing but what ends it, and guessing takes longer each time.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Bed, Talk, code, hello, said, scope, sign};
use crate::lab::{gitseal, run};
use crate::terminal::Person;

fn ask(bed: &Bed, request: &Value) -> Value {
    Talk::greeted(&bed.socket()).ask(request)
}

fn lock(bed: &Bed, passphrase: &str) -> Value {
    ask(bed, &json!({"lock": {"passphrase": passphrase}}))
}

fn unlock(bed: &Bed, passphrase: &str) -> Value {
    ask(bed, &json!({"unlock": {"passphrase": passphrase}}))
}

#[test]
fn it_answers_only_what_takes_something_away() {
    let bed = Bed::new();
    bed.lab.allow_forwarding("public");
    bed.signs();
    let login = json!({"login": {"scope": scope(), "token": bed.token}});
    let everything = [sign(), login, json!({"list": {}}), json!({"log": {}}), json!({"lock": {"passphrase": "x"}})];
    assert_eq!(code(&unlock(&bed, "opensesame")), "not-locked");
    assert!(Talk::greeted(&bed.forward_socket()).ask(&sign()).get("signed").is_some());
    assert!(lock(&bed, "opensesame").get("done").is_some());
    for request in &everything {
        assert_eq!(code(&ask(&bed, request)), "locked", "{request}");
    }
    assert_eq!(code(&Talk::greeted(&bed.forward_socket()).ask(&sign())), "locked");
    assert_eq!(
        code(&Talk::greeted(&bed.forward_socket()).ask(&json!({"unlock": {"passphrase": "opensesame"}}))),
        "forbidden"
    );

    // Signing goes on without it, and says so; or it does not, if it must not.
    let output = bed.sign();
    assert!(
        output.status.success() && said(&output).contains("signing without the agent: the agent is locked"),
        "{}",
        said(&output)
    );
    let mut command = bed.command(gitseal());
    command.env("GITSEAL_AGENT", "require");
    let output = run(bed.signer(command));
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(said(&output).contains("gitseal: error: the agent is locked"), "{}", said(&output));

    assert!(unlock(&bed, "opensesame").get("done").is_some());
    assert_eq!(
        ask(&bed, &json!({"list": {}}))["held"]["credentials"].as_array().unwrap().len(),
        1,
        "it was not forgotten"
    );
    // What takes something away is never refused.
    lock(&bed, "again");
    assert_eq!(ask(&bed, &json!({"forget": {}})), json!({"forgotten": 1}));
    assert!(bed.gitseal(&["agent", "stop"]).status.success());
}

#[test]
fn each_wrong_passphrase_takes_longer_also_from_many_at_once() {
    let bed = Bed::new();
    bed.start();
    lock(&bed, "opensesame");
    let guess = |text: &str| {
        let began = Instant::now();
        assert_eq!(code(&unlock(&bed, text)), "passphrase");
        began.elapsed()
    };
    // A tenth of a second, two, four: beside the time that hashing takes.
    let took = [guess("a"), guess("b"), guess("c")];
    assert!(took[0] >= Duration::from_millis(100) && took[1] >= Duration::from_millis(200), "{took:?}");
    assert!(took[2] >= Duration::from_millis(400), "{took:?}");
    // Eight, and sixteen, one after the other.
    let began = Instant::now();
    std::thread::scope(|scope| [scope.spawn(|| guess("d")), scope.spawn(|| guess("e"))].map(|one| one.join().unwrap()));
    assert!(began.elapsed() >= Duration::from_millis(2400));
    // Meanwhile others are answered.
    assert!(Talk::to(&bed.socket()).ask(&hello()).get("hello").is_some());
    assert!(unlock(&bed, "opensesame").get("done").is_some());
    // And then it begins anew.
    lock(&bed, "opensesame");
    let took = guess("a");
    assert!(took < Duration::from_millis(1600), "{took:?}");
}

#[test]
fn a_person_locks_and_unlocks_it_at_the_terminal() {
    let bed = Bed::new();
    bed.signs();
    let env = bed.lab.sandbox().join("env");
    let played = |text: &str, answers: &[(&str, &str)]| {
        let mut person = Person::watching(&bed.lab, &format!(". '{}'; {text}", env.display()));
        for (prompt, keys) in answers {
            person.sees(prompt);
            person.types(format!("{keys}\n").as_bytes());
        }
        person.leaves()
    };
    let (first, second) = ("Passphrase to unlock the agent with: ", "The same once more: ");
    let (screen, status) = played("gitseal agent lock", &[(first, "one"), (second, "two")]);
    assert!(!status.success() && screen.contains("the agent is not locked"), "{screen}");
    assert!(bed.gitseal(&["agent", "status"]).status.success());

    let (screen, status) = played("gitseal agent lock", &[(first, "opensesame"), (second, "opensesame")]);
    assert!(status.success() && screen.contains("the agent is locked"), "{screen}");
    assert!(!screen.contains("opensesame"), "{screen}");
    assert!(said(&bed.gitseal(&["agent", "list"])).contains("the agent is locked"));
    let (screen, status) = played("gitseal agent unlock", &[("Passphrase: ", "wrong")]);
    assert!(!status.success() && screen.contains("this is not the passphrase"), "{screen}");
    let (screen, status) = played("gitseal agent unlock", &[("Passphrase: ", "opensesame")]);
    assert!(status.success() && screen.contains("the agent is unlocked"), "{screen}");
    assert!(said(&bed.gitseal(&["agent", "list"])).contains("alice@example.com"));
}
