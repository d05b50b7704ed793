//! JUnit's XML, as Jenkins and GitLab read it: each commit is a test (jenkinsci/xunit-plugin: junit-10.xsd).

use std::fmt::Write as _;

use super::entry::{Entry, Outcome};
use crate::verify::Verdict;

/// The document.
#[must_use]
pub fn document(outcome: &Outcome) -> String {
    let mut tally = super::Tally::default();
    outcome.entries.iter().for_each(|entry| tally.count(entry.verdict));
    let counts = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\"",
        tally.total(),
        tally.bad + tally.unsigned,
        tally.undecided
    );
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let _ =
        writeln!(xml, "<testsuites {counts}>\n  <testsuite name=\"gitseal\" {counts} skipped=\"0\">\n    <properties>");
    for (name, value) in [("range", &outcome.range), ("ref", &outcome.reference)] {
        let _ = writeln!(xml, "      <property name=\"{name}\" value=\"{}\"/>", escaped(value));
    }
    xml.push_str("    </properties>\n");
    outcome.entries.iter().for_each(|entry| case(&mut xml, entry));
    let more = outcome.tally.total() - tally.total();
    if more > 0 {
        let _ = writeln!(xml, "    <system-out>{more} more are not listed here</system-out>");
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

fn case(xml: &mut String, entry: &Entry) {
    let _ = write!(xml, "    <testcase classname=\"gitseal\" name=\"{}\"", escaped(&entry.heading()));
    let element = match entry.verdict {
        Verdict::Good => {
            xml.push_str("/>\n");
            return;
        }
        Verdict::Bad | Verdict::Unsigned => "failure",
        Verdict::Undecided => "error",
    };
    let code = entry.reason.map_or("", |reason| reason.code());
    let mut text = vec![format!("{} {}", entry.verdict, entry.object)];
    text.extend(entry.advice.iter().cloned());
    let _ = writeln!(
        xml,
        ">\n      <{element} type=\"{code}\" message=\"{}\">{}</{element}>\n    </testcase>",
        escaped(&entry.why()),
        escaped(&text.join("\n"))
    );
}

/// Escaped for an attribute and for text. What XML has no way to write at all has been spelled out before.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            _ => safe.push(character),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::super::entry::tests::{good, outcome, refused};
    use super::*;

    #[test]
    fn each_commit_is_a_test() {
        assert_eq!(
            document(&outcome([good(1), refused(2, "a <b> ]]> \"c\" & d")])),
            concat!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
                "<testsuites tests=\"2\" failures=\"1\" errors=\"0\">\n",
                "  <testsuite name=\"gitseal\" tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"0\">\n",
                "    <properties>\n",
                "      <property name=\"range\" value=\"1a2b3c4..5d6e7f8\"/>\n",
                "      <property name=\"ref\" value=\"refs/heads/main\"/>\n",
                "    </properties>\n",
                "    <testcase classname=\"gitseal\" name=\"000000000000 fine\"/>\n",
                "    <testcase classname=\"gitseal\" name=\"000000000000 a &lt;b&gt; ]]&gt; &quot;c&quot; &amp; d\">\n",
                "      <failure type=\"right-missing\" message=\"a &lt;b&gt; ]]&gt; &quot;c&quot; &amp; d (right-missing)\">",
                "bad 0000000000000000000000000000000000000002\n",
                "  rule: a &lt;b&gt; ]]&gt; &quot;c&quot; &amp; d, line 12 of the policy, version 3\n",
                "  who may: alice, a &lt;b&gt; ]]&gt; &quot;c&quot; &amp; d\n",
                "  mend: git a &lt;b&gt; ]]&gt; &quot;c&quot; &amp; d</failure>\n",
                "    </testcase>\n",
                "  </testsuite>\n",
                "</testsuites>\n",
            )
        );
    }
}
