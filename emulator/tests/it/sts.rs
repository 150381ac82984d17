//! STS on the wire.

use sre_agent_emulator::Options;

use crate::client::{sns, started_with};

#[tokio::test]
async fn everybody_is_told_who_he_is_also_where_all_is_denied() {
    let options =
        Options { denied: vec!["sts:*".to_owned()], allowed: Some(Vec::new()), ..Options::default() };
    let emulator = started_with(options).await;
    let reply = sns(&emulator, &[("Action", "GetCallerIdentity"), ("Version", "2011-06-15")]).await;
    let begin = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
                 <GetCallerIdentityResult>\
                 <Arn>arn:aws:sts::123456789012:assumed-role/sre-agent/sre-agent</Arn>\
                 <UserId>AROAEXAMPLEROLEID0000:sre-agent</UserId><Account>123456789012</Account>\
                 </GetCallerIdentityResult><ResponseMetadata><RequestId>";
    assert_eq!(reply.status, 200);
    assert!(reply.text().starts_with(begin), "{}", reply.text());
    let kept = &emulator.requests()[0];
    assert_eq!((kept.service.as_str(), kept.iam_action.as_deref()), ("sts", Some("sts:GetCallerIdentity")));
    let reply = sns(&emulator, &[("Action", "AssumeRole"), ("Version", "2011-06-15")]).await;
    assert!(reply.status == 403 && reply.text().contains("https://sts.amazonaws.com/"), "{}", reply.text());
}

#[tokio::test]
async fn other_operations_and_members_are_refused() {
    let emulator = started_with(Options::default()).await;
    sns(&emulator, &[("Action", "AssumeRole"), ("Version", "2011-06-15")]).await;
    sns(&emulator, &[("Action", "GetCallerIdentity"), ("Version", "2011-06-15"), ("X", "1")]).await;
    assert_eq!(
        emulator.unsupported(),
        [
            "emulator: unsupported operation sts:AssumeRole",
            "emulator: unsupported member X of GetCallerIdentity",
        ]
    );
}
