//! What is a model's id and what is not, and the escapes of logs.

use super::*;

#[test]
fn an_id_is_found_by_its_shape_whoever_made_the_model() {
    for id in [
        "anthropic.claude-sonnet-4-6",
        "anthropic.claude-v2:1",
        "anthropic.claude-instant-v1",
        "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "us-gov.anthropic.claude-sonnet-4-5-20250929-v1:0",
        "apac.amazon.nova-pro-v1:0",
        "amazon.nova-lite-v1:0:24k",
        "cohere.embed-english-v3:0:512",
        "ai21.jamba-1-5-large-v1:0",
        "meta.llama3-1-8b-instruct-v1:0",
        "mistral.mistral-7b-instruct-v0:2",
        "deepseek.r1-v1:0",
        "deepseek.v3.2",
        "zai.glm-4.7-flash",
        "moonshotai.kimi-k2.5",
        "openai.gpt-oss-120b-1:0",
        "qwen.qwen3-vl-235b-a22b",
        // Makers and geographies to come.
        "mars.anthropic.claude-sonnet-9",
        "acme.orion-2",
        "acme.gpt4.5-mini",
        "acme.v7",
        "eu.newcomer.thinker-3b-v1:0",
    ] {
        for text in [
            id.to_owned(),
            format!("calling {id}."),
            format!("calling \"{id}\": failed"),
            format!("(model={id}, region=us-east-1)"),
            format!("litellm: bedrock/{id} refused"),
            format!("bedrock:{id} refused"),
            format!("{id}.Try another"),
            format!("POST https://bedrock-runtime.us-east-1.amazonaws.com/model/{id}/converse"),
        ] {
            assert_eq!(model(&text), Some(ModelId::from(id)), "{text}");
        }
    }
}

#[test]
fn hosts_files_classes_versions_and_sentences_are_no_models() {
    for text in [
        "https://bedrock-runtime.us-east-1.amazonaws.com/",
        "bedrock-runtime.us-east-1.amazonaws.com",
        "bedrock.us-east-1.amazonaws.com",
        "bedrock.us-gov-west-1",
        "lambda.ap-southeast-2",
        "vpce-0a1b2c3d-4e5f.bedrock-runtime.us-east-1.vpce.amazonaws.com",
        "ip-10-0-0-1.ec2.internal",
        "10.0.17.3",
        "botocore.exceptions.ClientError: An error occurred",
        "botocore.errorfactory.ThrottlingException: An error occurred",
        "software.amazon.awssdk.services.bedrockruntime.model.ThrottlingException",
        "software.amazon.awssdk:bedrockruntime:2.29.1",
        "com.amazonaws.services.s3.model.AmazonS3Exception",
        "sre_agent.model2.caller-x1",
        "urllib3.connectionpool",
        "app.py:42",
        "main2.rs:23:5",
        "report-2026.json",
        "server.log-2026-11-24",
        "./logs/server.log-3",
        "/var/task/handler.mjs-1",
        "python3.12-slim",
        "5.10.226-214.880.amzn2.x86_64",
        "langchain-aws 0.2.32",
        "admin@mail.example-1",
        "the request failed.see section 4-2",
        "retry in 1.5s e.g. twice",
        "The provided model identifier is invalid.",
        "model ID or ARN of an inference profile",
        "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3",
        "",
        ".",
        "..:..",
    ] {
        assert_eq!(model(text), None, "{text}");
    }
}

#[test]
fn the_place_of_an_id_outweighs_the_shape_of_other_words() {
    for (text, id) in [
        ("host db1.prod-2: Invocation of model ID acme.orion with on-demand throughput", "acme.orion"),
        ("db1.prod-2 {\"modelId\":\"acme.orion\"}", "acme.orion"),
        ("db1.prod-2 arn:aws:bedrock:us-east-2::foundation-model/acme.orion because", "acme.orion"),
        ("arn:aws:bedrock:us-east-1:123456789012:inference-profile/eu.acme.orion-2.", "eu.acme.orion-2"),
        (
            "The provided model identifier is invalid: us.anthropic.claude-sonet-4-6",
            "us.anthropic.claude-sonet-4-6",
        ),
    ] {
        assert_eq!(model(text), Some(ModelId::from(id)), "{text}");
    }
}

#[test]
fn the_escapes_of_logs_are_read_however_often_they_were_applied() {
    for (logged, plain) in [
        (r"isn\u2019t", "isn\u{2019}t"),
        (r"isn\\u2019t", "isn\u{2019}t"),
        (r#"{\"model\":\"x\"}"#, r#"{"model":"x"}"#),
        (r#"{\\\"model\\\"}"#, r#"{"model"}"#),
        (r"inference-profile\/us.a", "inference-profile/us.a"),
        (r"a\nb\tc", "a b c"),
        ("nova-pro-v1%3A0", "nova-pro-v1:0"),
        // Half of a surrogate pair, an escape that is cut off, and a path.
        (r"\ud83d", r"\ud83d"),
        (r"\u20", r"\u20"),
        (r"C:\dir", r"C:\dir"),
        ("", ""),
    ] {
        assert_eq!(unescaped(logged), plain, "{logged}");
    }
}

#[test]
fn a_denial_names_its_policy_and_no_control_character_is_taken_over() {
    let said = "User: arn:aws:iam::123456789012:user/m is not authorized to perform: iam:GetPolicy on resource: \
                \"arn:aws:iam::123456789012:policy/wanted\" with an explicit deny in a service control policy: \
                arn:aws:organizations::123456789012:policy/o-abc/service_control_policy/p-2kgnabcd.";
    assert_eq!(resource(said).as_deref(), Some("arn:aws:iam::123456789012:policy/wanted"));
    assert_eq!(action(said).as_deref(), Some("iam:GetPolicy"));
    assert_eq!(
        policy(said).as_deref(),
        Some("arn:aws:organizations::123456789012:policy/o-abc/service_control_policy/p-2kgnabcd")
    );
    assert_eq!(resource("on resource: arn:aws:x:::y\u{1b}[31m").as_deref(), Some("arn:aws:x:::y"));
    assert_eq!((resource("nothing"), action("nothing"), policy("nothing")), (None, None, None));
}
