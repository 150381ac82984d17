//! Service Quotas on the wire.

use serde_json::{Value, json};
use sre_agent_emulator::{Account, BedrockOptions, Emulator, Options, Paging, Quota};

use crate::client::{Reply, aws_json, started, started_with};

const SONNET: &str = "Cross-Region model inference requests per minute for Anthropic Claude Sonnet 4.6";

async fn list(emulator: &Emulator, input: Value) -> Reply {
    aws_json(emulator, "ServiceQuotasV20190624.ListServiceQuotas", &input).await
}

fn names(reply: &Reply) -> Vec<String> {
    let reply = reply.json();
    reply["Quotas"]
        .as_array()
        .unwrap()
        .iter()
        .map(|quota| quota["QuotaName"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn quotas_are_listed_page_by_page() {
    let emulator = started().await;
    let whole = names(&list(&emulator, json!({"ServiceCode": "bedrock"})).await);
    assert!(whole.iter().any(|name| name.starts_with("Cross-region ")), "{whole:?}");
    assert!(whole.iter().any(|name| name.starts_with("Cross-Region ")), "{whole:?}");
    let mut paged = Vec::new();
    let mut input = json!({"ServiceCode": "bedrock", "MaxResults": 5});
    loop {
        let page = list(&emulator, input.clone()).await;
        paged.extend(names(&page));
        let Some(token) = page.json()["NextToken"].as_str().map(str::to_owned) else { break };
        input["NextToken"] = json!(token);
    }
    assert_eq!(paged, whole);
    let paging = Paging { quotas: 3, ..Paging::default() };
    let small = started_with(Options { paging: Some(paging), ..Options::default() }).await;
    assert_eq!(names(&list(&small, json!({"ServiceCode": "bedrock"})).await).len(), 3);
}

#[tokio::test]
async fn a_quota_of_the_account_is_changed_by_its_name_in_any_case() {
    let quota = Quota {
        name: SONNET.to_lowercase(),
        value: Some(2.0),
        adjustable: Some(false),
        code: Some("L-0A1B2C3D".to_owned()),
    };
    let account = Account { quotas: vec![quota], ..Account::default() };
    let bedrock = BedrockOptions { account, ..BedrockOptions::default() };
    let emulator = started_with(Options { bedrock, ..Options::default() }).await;
    let found = list(&emulator, json!({"ServiceCode": "bedrock", "QuotaCode": "L-0A1B2C3D"})).await.json();
    let quota = json!({
        "ServiceCode": "bedrock",
        "ServiceName": "Amazon Bedrock",
        "QuotaArn": "arn:aws:servicequotas:eu-west-1:123456789012:bedrock/L-0A1B2C3D",
        "QuotaCode": "L-0A1B2C3D",
        "QuotaName": SONNET.to_lowercase(),
        "Value": 2.0,
        "Unit": "None",
        "Adjustable": false,
        "GlobalQuota": false,
        "QuotaAppliedAtLevel": "ACCOUNT",
    });
    assert_eq!(found, json!({"Quotas": [quota]}));
}

#[tokio::test]
async fn what_cannot_be_answered_is_an_error_or_a_refusal() {
    let emulator = started().await;
    for (input, code) in [
        (json!({"ServiceCode": "bedrock", "MaxResults": 101}), "IllegalArgumentException"),
        (json!({"ServiceCode": "bedrock", "NextToken": "nonsense"}), "InvalidPaginationTokenException"),
        (json!({}), "SerializationException"),
    ] {
        let reply = list(&emulator, input).await;
        assert_eq!((reply.status, reply.json()["__type"].as_str().unwrap()), (400, code));
    }
    assert_eq!(emulator.unsupported(), Vec::<String>::new());
    list(&emulator, json!({"ServiceCode": "lambda"})).await;
    aws_json(&emulator, "ServiceQuotasV20190624.GetServiceQuota", &json!({})).await;
    assert_eq!(
        emulator.unsupported(),
        [
            "emulator: unsupported quotas of the service lambda",
            "emulator: unsupported operation servicequotas:GetServiceQuota",
        ]
    );
    let denied = vec!["servicequotas:ListServiceQuotas".to_owned()];
    let emulator = started_with(Options { denied, ..Options::default() }).await;
    let reply = list(&emulator, json!({"ServiceCode": "bedrock"})).await;
    assert_eq!((reply.status, &reply.json()["__type"]), (400, &json!("AccessDeniedException")));
}
