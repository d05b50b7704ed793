//! What comes over the wire: frames too long, too slow and without sense, too many clients, and what is never said.

use std::io::{Read as _, Write as _};
use std::time::{Duration, Instant};

use gitseal::agent::protocol::{
    Code, Complaint, Context, Greeting, Held, Hex32, Kind, Logged, Nothing, Response, Signature, State,
};
use serde_json::{Value, json};

use super::{Bed, Talk, code, frame, hello, is_alive, said, scope, sign};

/// Whether the agent still answers a client who behaves.
#[track_caller]
fn is_well(bed: &Bed, pid: u32) {
    assert!(is_alive(pid));
    assert!(Talk::greeted(&bed.socket()).ask(&json!({"list": {}}))["held"]["pid"] == pid);
}

#[test]
fn a_frame_is_bounded_whole_and_in_time() {
    let bed = Bed::new();
    let pid = bed.start();
    let first_answer = |bytes: &[u8]| {
        let mut talk = Talk::to(&bed.socket());
        talk.0.write_all(bytes).unwrap();
        let answer = talk.hear();
        assert_eq!(talk.hear(), None, "the connection ends");
        answer.unwrap_or_default()
    };
    for length in [0_u32, (1 << 20) + 1, u32::MAX] {
        let answer = first_answer(&length.to_be_bytes());
        assert_eq!(code(&answer), "malformed", "{length}");
        assert!(answer["error"]["message"].as_str().unwrap().contains("1 to 1048576"), "{answer}");
    }
    // The longest is read, and is no request.
    assert_eq!(code(&first_answer(&frame(&vec![b' '; 1 << 20]))), "malformed");

    // A byte now and then: each would be in time, all of them are not.
    let mut slow = Talk::to(&bed.socket());
    let began = Instant::now();
    let mut trickle = slow.0.try_clone().unwrap();
    let trickling = std::thread::spawn(move || {
        for byte in frame(hello().to_string().as_bytes()) {
            std::thread::sleep(Duration::from_millis(400));
            if trickle.write_all(&[byte]).is_err() {
                break;
            }
        }
    });
    assert_eq!(code(&slow.hear().unwrap_or_default()), "malformed");
    assert!(began.elapsed() >= Duration::from_secs(5) && began.elapsed() < Duration::from_secs(9));
    drop(slow);
    trickling.join().unwrap();
    is_well(&bed, pid);
}

#[test]
fn what_means_nothing_ends_the_connection() {
    let bed = Bed::new();
    let pid = bed.start();
    let digits = "0".repeat(63);
    for text in [
        r#"{"export":{}}"#,
        r#"{"list":{"all":true}}"#,
        r#"{"list":{}} {"list":{}}"#,
        r#"{"list":{},"log":{}}"#,
        r#"{"list":null}"#,
        r#"["list"]"#,
        "\u{feff}{\"list\":{}}",
        r#"{"forget":{"identity":"a","identity":"b"}}"#,
        r#"{"sign":{"scope":{"instance":"../x","settings":"00"},"payloads":[],"context":{"kind":"commit"}}}"#,
        &format!(r#"{{"login":{{"scope":{{"instance":"public","settings":"{digits}A"}},"token":"x"}}}}"#),
        &format!(r#"{{"list":{}{}}}"#, "[".repeat(2000), "]".repeat(2000)),
    ] {
        let mut talk = Talk::greeted(&bed.socket());
        talk.0.write_all(&frame(text.as_bytes())).unwrap();
        let answer = talk.hear().unwrap_or_default();
        assert_eq!(code(&answer), "malformed", "{text}: {answer}");
        assert_eq!(talk.hear(), None, "{text}");
    }
    // Bytes that are no text at all.
    let mut talk = Talk::greeted(&bed.socket());
    talk.0.write_all(&frame(b"\xff\xfe\0{}")).unwrap();
    assert_eq!(code(&talk.hear().unwrap_or_default()), "malformed");
    // Nothing is asked before hello, and hello is of this version.
    for (first, expected) in [
        (json!({"list": {}}), "malformed"),
        (json!({"hello": {"version": 2}}), "version"),
        (json!({"hello": {"version": 0}}), "version"),
        (json!({"hello": {"version": -1}}), "malformed"),
        (json!({"hello": {"version": 1, "constraints": []}}), "malformed"),
    ] {
        let mut talk = Talk::to(&bed.socket());
        assert_eq!(code(&talk.ask(&first)), expected, "{first}");
        assert_eq!(talk.hear(), None, "{first}");
    }
    is_well(&bed, pid);
}

#[test]
fn counts_and_lengths_have_bounds_that_are_said() {
    let bed = Bed::new();
    bed.start();
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut request = sign();
        change(&mut request["sign"]);
        let answer = Talk::greeted(&bed.socket()).ask(&request);
        (code(&answer).to_owned(), answer["error"]["message"].as_str().unwrap().to_owned())
    };
    let payload = sign()["sign"]["payloads"][0].clone();
    for count in [0, 65] {
        let (code, message) = refused(&|sign| sign["payloads"] = vec![payload.clone(); count].into());
        assert_eq!(code, "malformed");
        assert!(message.contains(&format!("{count} payloads")), "{message}");
    }
    let long = |length| move |sign: &mut Value| sign["context"]["repository"] = "x".repeat(length).into();
    assert_eq!(refused(&long(4097)).0, "malformed");
    assert_eq!(refused(&|sign| sign["rekor_version"] = 3.into()).0, "malformed");
    // As far as these go all is well: 64 of them, and a path as long as paths are.
    assert_eq!(refused(&|sign| sign["payloads"] = vec![payload.clone(); 64].into()).0, "other-settings");
    assert_eq!(refused(&long(4096)).0, "other-settings");
    assert_eq!(refused(&|sign| sign["rekor_version"] = 1.into()).0, "other-settings");
    let passphrase = |length| json!({"lock": {"passphrase": "x".repeat(length)}});
    for length in [0, 1025] {
        assert_eq!(code(&Talk::greeted(&bed.socket()).ask(&passphrase(length))), "passphrase");
    }
}

#[test]
fn requests_may_follow_each_other_and_are_answered_in_order() {
    let bed = Bed::new();
    bed.start();
    let mut talk = Talk::to(&bed.socket());
    let asked = [hello(), json!({"forget": {}}), json!({"log": {}}), json!({"list": {}}), hello()];
    let together: Vec<u8> = asked.iter().flat_map(|message| frame(message.to_string().as_bytes())).collect();
    talk.0.write_all(&together).unwrap();
    for verb in ["hello", "forgotten", "log", "held", "hello"] {
        let answer = talk.hear().unwrap();
        assert!(answer.get(verb).is_some(), "{verb}: {answer}");
    }
}

#[test]
fn the_65th_client_at_once_is_told_to_come_back() {
    let bed = Bed::new();
    bed.start();
    let crowd: Vec<Talk> = (0..64).map(|_| Talk::greeted(&bed.socket())).collect();
    for _ in 0..136 {
        let mut late = Talk::to(&bed.socket());
        // A client who sends first must still hear why.
        let _ = late.0.write_all(&frame(hello().to_string().as_bytes()));
        assert_eq!(code(&late.hear().expect("a word")), "busy");
        assert_eq!(late.hear(), None);
    }
    // gitseal itself reads it as such, and signs alone.
    let output = bed.sign();
    assert!(output.status.success(), "{}", said(&output));
    assert!(
        said(&output).contains("signing without the agent: the agent has too many clients at once"),
        "{}",
        said(&output)
    );
    drop(crowd);
    super::until("there is room again", || code(&Talk::to(&bed.socket()).ask(&hello())) != "busy");
    assert!(!said(&bed.sign()).contains("without the agent"));
}

#[test]
fn broken_requests_break_nothing() {
    let bed = Bed::new();
    let pid = bed.start();
    let requests = [
        hello(),
        sign(),
        json!({"login": {"scope": scope(), "token": "a.b.c"}}),
        json!({"list": {}}),
        json!({"forget": {"identity": "nobody"}}),
        json!({"unlock": {"passphrase": "x"}}),
        json!({"log": {}}),
    ];
    let conversation: Vec<u8> = requests.iter().flat_map(|request| frame(request.to_string().as_bytes())).collect();
    // Xorshift, so that a failure can be had again.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    for round in 0..600 {
        let mut bytes = conversation.clone();
        for _ in 0..=random(3) {
            let at = random(bytes.len());
            match random(5) {
                0 => bytes[at] ^= 1 << random(8),
                1 => bytes[at] = u8::try_from(random(256)).unwrap(),
                2 => bytes.truncate(at.max(1)),
                3 => drop(bytes.remove(at)),
                _ => bytes.insert(at, *b"{}[]\",:0\0\\\xff".get(random(11)).unwrap()),
            }
        }
        // A number read as a length may ask for more: then the end of what is sent is the end.
        let mut talk = Talk::to(&bed.socket());
        let _ = talk.0.write_all(&bytes);
        let _ = talk.0.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        if let Err(error) = talk.0.read_to_end(&mut answer) {
            assert_ne!(
                error.kind(),
                std::io::ErrorKind::WouldBlock,
                "round {round}: neither answer nor end: {bytes:?}"
            );
        }
    }
    is_well(&bed, pid);
}

/// Every name of a member that the agent may send. None of them is a place for a private key, and a new one needs a look.
const MEMBERS: &str = "agent armour client_id code context credential credentials digest done error expires forgotten \
    forwarded held hello hint identity instance issuer kind log log_indices message pid repository signatures signed \
    signing_time started time version weaknesses";

#[test]
fn no_response_has_a_place_for_a_key() {
    let time = jiff::Timestamp::UNIX_EPOCH;
    let instance = gitseal::trust::InstanceName::public();
    let held = || Held {
        identity: String::new(),
        issuer: String::new(),
        instance: instance.clone(),
        client_id: String::new(),
        expires: time,
        signatures: 0,
    };
    let logged = || Logged {
        time,
        identity: String::new(),
        instance: instance.clone(),
        digest: Hex32([0; 32]),
        context: Context { kind: Kind::Commit, repository: Some(String::new()) },
        log_indices: vec![0],
        forwarded: true,
    };
    let every = [
        Response::Hello(Greeting { version: 1, agent: String::new(), pid: 1 }),
        Response::Signed(vec![Signature { armour: String::new(), signing_time: time, log_indices: vec![0] }]),
        Response::Credential(held()),
        Response::Held(State { pid: 1, started: time, weaknesses: vec![String::new()], credentials: vec![held()] }),
        Response::Log(vec![logged()]),
        Response::Forgotten(0),
        Response::Done(Nothing {}),
        Response::Error(Complaint::new(Code::Sign, "", "")),
    ];
    for response in &every {
        // No arm for the rest: a new response does not compile before it stands above as well.
        match response {
            Response::Hello(_) | Response::Signed(_) | Response::Credential(_) | Response::Held(_) => {}
            Response::Log(_) | Response::Forgotten(_) | Response::Done(_) | Response::Error(_) => {}
        }
    }
    let mut found = std::collections::BTreeSet::new();
    for response in &every {
        names(&serde_json::to_value(response).unwrap(), &mut found);
    }
    assert_eq!(
        found.into_iter().collect::<Vec<_>>().join(" "),
        MEMBERS.split_whitespace().collect::<Vec<_>>().join(" ")
    );
}

fn names(value: &Value, found: &mut std::collections::BTreeSet<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            found.insert(name.clone());
            names(value, found);
        }),
        Value::Array(values) => values.iter().for_each(|value| names(value, found)),
        _ => {}
    }
}
