//! The full report: as a page, as JSON that can be shown again, and fitted to who reads it.

use std::path::Path;

use serde_json::Value;

use crate::program::{assert_code, assert_no_secret, run, sre_agent, stderr, stdout};

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_report_is_written_as_one_page_and_shown_again_from_its_json() {
    let folder = tempfile::tempdir().unwrap();
    let (out, page) = (folder.path().join("out"), folder.path().join("new/page.html"));
    let output = run(&["demo", "-q", "--out", out.to_str().unwrap(), "--html", page.to_str().unwrap()]);
    assert_code(&output, 0);
    let written = read(&page);
    assert!(written.contains("CAUSE SHOWN") && written.contains("taxRate"));
    assert_no_secret(&written, "the page");
    let json = out.join("report.json");
    assert_no_secret(&read(&json), "the JSON");
    for (format, file) in
        [("html", "report.html"), ("markdown", "report.md"), ("json", "report.json"), ("card", "card.txt")]
    {
        let shown = run(&["show", json.to_str().unwrap(), "--format", format]);
        assert_code(&shown, 0);
        assert_eq!(stdout(&shown).trim_end(), read(&out.join(file)).trim_end(), "{format}");
    }
    let plain = run(&["show", json.to_str().unwrap(), "--format", "plain"]);
    assert!(stdout(&plain).contains("Evidence, and how to see it again"), "{}", stdout(&plain));
}

#[test]
fn what_json_prints_is_shown_as_well_and_what_is_no_report_is_refused() {
    let printed = run(&["demo", "rds-cpu", "--depth", "facts", "-q", "--json"]);
    assert_code(&printed, 0);
    let shown = sre_agent(&["show", "-"]).write_stdin(printed.stdout).output().unwrap();
    assert_code(&shown, 0);
    assert!(stdout(&shown).contains("FACTS ONLY"), "{}", stdout(&shown));
    for (text, reason) in [
        ("no json", "holds no report"),
        ("{}", "it has no format"),
        (r#"{"format": 2}"#, "format 2"),
        (r#"{"format": 1}"#, "holds no report"),
    ] {
        let refused = sre_agent(&["show", "-"]).write_stdin(text).output().unwrap();
        assert_code(&refused, 2);
        assert!(stderr(&refused).contains(reason), "{text}: {}", stderr(&refused));
    }
    assert_code(&run(&["show", "no-such-file.json"]), 2);
}

#[test]
fn links_go_through_the_portal_and_cards_withhold_the_words_of_logs() {
    let folder = tempfile::tempdir().unwrap();
    let document = folder.path().join("agent.toml");
    let portal =
        "https://example.awsapps.com/start/#/console?account_id={account}&role_name=ReadOnly&destination=";
    let settings =
        format!("format = 1\n[report]\nlog_quotes = \"none\"\nconsole_link = \"{portal}{{destination}}\"\n");
    std::fs::write(&document, settings).unwrap();
    let out = folder.path().join("out");
    let arguments = [
        "investigate",
        "invoice-render-errors",
        "--scenario",
        "lambda-bad-deploy",
        "--depth",
        "facts",
        "-q",
        "--out",
        out.to_str().unwrap(),
    ];
    let output = sre_agent(&arguments).env("SRE_AGENT_CONFIG", &document).output().unwrap();
    assert_code(&output, 0);
    let report: Value = serde_json::from_str(&read(&out.join("report.json"))).unwrap();
    let evidence = report["data"]["evidence"].as_array().unwrap();
    let through = portal.replace("{account}", "123456789012");
    for item in evidence {
        let link = item["console"].as_str().unwrap_or_else(|| panic!("no link: {item}"));
        assert!(link.starts_with(&through), "{link}");
    }
    for file in ["report.html", "report.md", "slack.json", "sns.txt"] {
        let text = read(&out.join(file));
        assert!(text.contains("example.awsapps.com"), "{file}");
        assert!(!text.contains("https://us-east-1.console"), "{file}");
    }
    for file in ["card.txt", "slack.json", "sns.txt"] {
        let text = read(&out.join(file));
        assert!(!text.contains("taxRate") && text.contains("(log text"), "{file}: {text}");
    }
    assert!(!stdout(&output).contains("taxRate"), "{}", stdout(&output));
    assert!(read(&out.join("report.html")).contains("taxRate"));
}
