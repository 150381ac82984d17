//! SSM parameters.

use serde_json::json;

use crate::client::{aws_json, ssm, started};

#[tokio::test]
async fn a_secure_string_is_plain_only_when_decryption_is_asked_for() {
    let emulator = started().await;
    let plain =
        ssm(&emulator, json!({"Name": "/sre-agent/slack-webhook", "WithDecryption": true})).await.json();
    assert_eq!(plain["Parameter"]["Value"], emulator.webhook_url());
    assert_eq!(
        emulator.webhook_url(),
        format!("{}/services/T11111111/B22222222/abcdefgh", emulator.endpoint())
    );
    assert_eq!(
        plain["Parameter"]["ARN"],
        "arn:aws:ssm:eu-west-1:123456789012:parameter/sre-agent/slack-webhook"
    );
    for more in [json!({}), json!({"WithDecryption": false})] {
        let mut input = json!({"Name": "/sre-agent/slack-webhook"});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let sealed = ssm(&emulator, input).await.json();
        assert_eq!(sealed["Parameter"]["Type"], "SecureString");
        assert!(!sealed["Parameter"]["Value"].as_str().unwrap().contains("services"));
    }
}

#[tokio::test]
async fn plain_parameters_are_found_by_name_version_and_arn() {
    let emulator = started().await;
    for name in ["colour", "colour:1", "arn:aws:ssm:eu-west-1:123456789012:parameter/colour"] {
        let found = ssm(&emulator, json!({"Name": name})).await.json();
        assert_eq!(found["Parameter"]["Value"], "green", "{name}");
        assert_eq!(found["Parameter"]["Name"], "colour");
    }
    let by_arn = "arn:aws:ssm:eu-west-1:123456789012:parameter/sre-agent/slack-webhook";
    assert_eq!(
        ssm(&emulator, json!({"Name": by_arn})).await.json()["Parameter"]["Name"],
        "/sre-agent/slack-webhook"
    );
}

#[tokio::test]
async fn a_missing_parameter_is_an_error_without_words_and_other_operations_are_refused() {
    let emulator = started().await;
    let reply = ssm(&emulator, json!({"Name": "/none"})).await;
    assert_eq!((reply.status, reply.json()), (400, json!({"__type": "ParameterNotFound"})));
    assert_eq!(emulator.unsupported(), Vec::<String>::new());
    let reply = ssm(&emulator, json!({"Name": "colour:7"})).await;
    assert_eq!((reply.status, reply.json()), (400, json!({"__type": "ParameterVersionNotFound"})));
    let reply = ssm(&emulator, json!({"Name": "colour:blue"})).await;
    assert!(reply.json()["message"].as_str().unwrap().starts_with("emulator: unsupported "));
    let reply = aws_json(&emulator, "AmazonSSM.PutParameter", &json!({})).await;
    assert_eq!(reply.json()["message"], "emulator: unsupported operation ssm:PutParameter");
    assert_eq!(emulator.unsupported().len(), 2);
}

#[tokio::test]
async fn the_history_of_a_parameter_holds_its_versions_page_by_page() {
    let emulator = started().await;
    let ask = async |input: serde_json::Value| {
        aws_json(&emulator, "AmazonSSM.GetParameterHistory", &input).await.json()
    };
    let first = ask(json!({"Name": "/document", "MaxResults": 2})).await;
    let token = first["NextToken"].clone();
    let second = ask(json!({"Name": "/document", "MaxResults": 2, "NextToken": token})).await;
    let values = |page: &serde_json::Value| {
        let versions = page["Parameters"].as_array().unwrap().iter();
        versions
            .map(|one| format!("{} {}", one["Version"], one["Value"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (values(&first), values(&second)),
        (vec!["1 one".into(), "2 two".into()], vec!["3 three".into()])
    );
    assert_eq!(second.get("NextToken"), None);
    for (name, value) in [("/document", "three"), ("/document:1", "one"), ("/document:3", "three")] {
        assert_eq!(ssm(&emulator, json!({"Name": name})).await.json()["Parameter"]["Value"], value);
    }
    assert_eq!(ask(json!({"Name": "/none"})).await, json!({"__type": "ParameterNotFound"}));
}
