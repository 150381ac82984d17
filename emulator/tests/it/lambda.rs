//! Lambda's reads.

use serde_json::{Value, json};
use sre_agent_emulator::{Options, Paging};

use crate::client::{lambda, started, started_with};

fn numbers(output: &Value) -> Vec<&str> {
    output["Versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|version| version["Version"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn versions_are_listed_latest_first_and_then_by_number() {
    let emulator = started().await;
    let output = lambda(&emulator, "/2015-03-31/functions/sorter/versions").await.json();
    assert_eq!(
        numbers(&output),
        ["$LATEST", "8", "10"],
        "version 11 is published after the scenario's instant"
    );
    assert_eq!(
        output["Versions"][1]["FunctionArn"],
        "arn:aws:lambda:eu-west-1:123456789012:function:sorter:8"
    );
    assert_eq!(output["Versions"][1]["Environment"]["Variables"]["MODE"], "fast");
    assert_eq!(output["Versions"][1]["LastModified"], "2026-05-04T11:50:00.000+0000");
}

#[tokio::test]
async fn versions_come_in_pages() {
    let paging = Paging { versions: 2, ..Paging::default() };
    let emulator = started_with(Options { paging: Some(paging), ..Options::default() }).await;
    let first = lambda(&emulator, "/2015-03-31/functions/sorter/versions?MaxItems=100").await.json();
    assert_eq!(numbers(&first), ["$LATEST", "8"]);
    let marker = first["NextMarker"].as_str().unwrap();
    let second =
        lambda(&emulator, &format!("/2015-03-31/functions/sorter/versions?Marker={marker}")).await.json();
    assert_eq!(numbers(&second), ["10"]);
    assert_eq!(second.get("NextMarker"), None);
    assert_eq!(lambda(&emulator, "/2015-03-31/functions/sorter/versions?Marker=x").await.status, 400);
    assert_eq!(lambda(&emulator, "/2015-03-31/functions/sorter/versions?MaxItems=0").await.status, 400);
}

#[tokio::test]
async fn a_configuration_is_read_by_version_by_alias_and_without_either() {
    let emulator = started().await;
    let arn = "arn:aws:lambda:eu-west-1:123456789012:function:sorter";
    for (target, version, arn) in [
        ("sorter/configuration", "$LATEST", arn.to_owned()),
        ("sorter/configuration?Qualifier=8", "8", format!("{arn}:8")),
        ("sorter/configuration?Qualifier=%24LATEST", "$LATEST", format!("{arn}:$LATEST")),
        ("sorter/configuration?Qualifier=live", "8", format!("{arn}:live")),
        ("sorter%3Acanary/configuration", "10", format!("{arn}:canary")),
        (
            "arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Asorter/configuration",
            "$LATEST",
            arn.to_owned(),
        ),
    ] {
        let reply = lambda(&emulator, &format!("/2015-03-31/functions/{target}")).await;
        assert_eq!(reply.status, 200, "{target}: {}", reply.text());
        let found = reply.json();
        assert_eq!((&found["Version"], &found["FunctionArn"]), (&json!(version), &json!(arn)), "{target}");
        assert_eq!(found["FunctionName"], "sorter");
    }
}

#[tokio::test]
async fn aliases_are_listed_filtered_and_read_one_by_one() {
    let emulator = started().await;
    let names = async |target: &str| {
        let output = lambda(&emulator, target).await.json();
        let aliases = output["Aliases"].as_array().unwrap().clone();
        aliases.iter().map(|alias| alias["Name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("/2015-03-31/functions/sorter/aliases").await, ["canary", "live"]);
    assert_eq!(names("/2015-03-31/functions/sorter/aliases?FunctionVersion=8").await, ["live"]);
    assert_eq!(names("/2015-03-31/functions/sorter/aliases?FunctionVersion=10").await, ["canary", "live"]);
    let live = lambda(&emulator, "/2015-03-31/functions/sorter/aliases/live").await.json();
    assert_eq!(live["RoutingConfig"]["AdditionalVersionWeights"], json!({"10": 0.25}));
    assert_eq!(live["AliasArn"], "arn:aws:lambda:eu-west-1:123456789012:function:sorter:live");
}

#[tokio::test]
async fn what_does_not_exist_is_said_in_lambdas_words() {
    let emulator = started().await;
    let function = "arn:aws:lambda:eu-west-1:123456789012:function";
    for (target, message) in [
        ("none/configuration", format!("Function not found: {function}:none")),
        ("none/versions", format!("Function not found: {function}:none")),
        ("sorter/configuration?Qualifier=99", format!("Function not found: {function}:sorter:99")),
        ("sorter/configuration?Qualifier=11", format!("Function not found: {function}:sorter:11")),
        ("sorter/aliases/none", format!("Cannot find alias arn: {function}:sorter:none")),
    ] {
        let reply = lambda(&emulator, &format!("/2015-03-31/functions/{target}")).await;
        assert_eq!(reply.status, 404, "{target}");
        assert_eq!(reply.header("x-amzn-errortype"), Some("ResourceNotFoundException"));
        assert_eq!(reply.json(), json!({"Type": "User", "message": message}));
    }
    assert_eq!(emulator.unsupported(), Vec::<String>::new());
}

#[tokio::test]
async fn other_operations_and_parameters_are_refused() {
    let emulator = started().await;
    for target in [
        "/2015-03-31/functions/sorter",
        "/2015-03-31/functions/",
        "/2019-09-30/functions/sorter/concurrency",
        "/2015-03-31/functions/sorter/versions?FunctionVersion=8",
    ] {
        let reply = lambda(&emulator, target).await;
        assert_eq!(reply.status, 400, "{target}");
        assert!(reply.json()["message"].as_str().unwrap().starts_with("emulator: unsupported "));
    }
    assert_eq!(emulator.unsupported().len(), 4);
}
