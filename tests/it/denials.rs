//! What is said about a denied call: which kind of policy refused, and who has to change it.

use sre_agent::diagnosis::{Retry, of_text};
use sre_agent::model::ErrorClass::AccessDenied;

#[test]
fn a_denial_names_the_kind_of_policy_and_who_has_to_change_it() {
    let model = "arn:aws:bedrock:us-west-2::foundation-model/anthropic.claude-sonnet-4-6";
    let topic = "arn:aws:sns:us-east-1:123456789012:findings";
    // Action and resource; IAM's words; the signature, a part of its cause, and a part of the first remedy.
    for (action, resource, words, name, cause, remedy) in [
        (
            "bedrock:InvokeModel",
            model,
            "because no identity-based policy allows the bedrock:InvokeModel action",
            "not_granted_on_model",
            "No policy attached to the caller allows",
            "iam-policy prints",
        ),
        (
            "bedrock:InvokeModel",
            model,
            "with an explicit deny in an identity-based policy",
            "denied_by_role",
            "denies bedrock:InvokeModel",
            "Take the Deny statement out",
        ),
        (
            "bedrock:InvokeModel",
            model,
            "with an explicit deny in a service control policy",
            "denied_by_scp",
            "service control policy of the organization denies",
            "the role's own policy cannot mend it",
        ),
        (
            "bedrock:InvokeModel",
            model,
            "because no service control policy allows the bedrock:InvokeModel action",
            "denied_by_scp",
            "does not allow bedrock:InvokeModel",
            "management account",
        ),
        (
            "bedrock:InvokeModel",
            model,
            "with an explicit deny in a resource control policy",
            "denied_by_rcp",
            "resource control policy",
            "management account",
        ),
        (
            "bedrock:InvokeModel",
            model,
            "with an explicit deny in a permissions boundary",
            "denied_by_boundary",
            "boundary of the caller denies",
            "Whoever set the boundary",
        ),
        (
            "bedrock:InvokeModel",
            model,
            "because no permissions boundary allows the bedrock:InvokeModel action",
            "denied_by_boundary",
            "boundary of the caller does not allow",
            "Whoever set the boundary",
        ),
        (
            "bedrock:InvokeModel",
            model,
            "with an explicit deny in a session policy",
            "denied_by_session_policy",
            "session was opened with a policy",
            "Whoever opens the session",
        ),
        (
            "bedrock:InvokeModel",
            model,
            "because no session policy allows the bedrock:InvokeModel action",
            "denied_by_session_policy",
            "does not allow",
            "Whoever opens the session",
        ),
        (
            "bedrock:InvokeModel",
            model,
            "with an explicit deny in a VPC endpoint policy",
            "denied_by_vpc_endpoint",
            "VPC endpoint whose policy denies",
            "Whoever owns the VPC",
        ),
        (
            "bedrock:InvokeModel",
            model,
            "because no VPC endpoint policy allows the bedrock:InvokeModel action",
            "denied_by_vpc_endpoint",
            "does not allow",
            "Whoever owns the VPC",
        ),
        (
            "bedrock:InvokeModel",
            model,
            "with an explicit deny",
            "denied_explicitly",
            "does not say of which kind",
            "Look for the Deny",
        ),
        (
            "bedrock:InvokeModel",
            model,
            "",
            "denied_on_model",
            "does not say which policy",
            "iam-policy prints",
        ),
        (
            "sns:Publish",
            topic,
            "because no resource-based policy allows the sns:Publish action",
            "denied_by_resource_policy",
            "does not allow sns:Publish",
            "Whoever owns the resource",
        ),
        (
            "sns:Publish",
            topic,
            "with an explicit deny in a resource-based policy",
            "denied_by_resource_policy",
            "itself denies sns:Publish",
            "Whoever owns the resource",
        ),
        (
            "sns:Publish",
            topic,
            "because no identity-based policy allows the sns:Publish action",
            "not_granted",
            "allows sns:Publish",
            "Grant it",
        ),
        ("sns:Publish", topic, "", "denied", "may not use sns:Publish", "Grant it"),
        (
            "sts:AssumeRole",
            "arn:aws:iam::123456789012:role/r",
            "because no role trust policy allows the sts:AssumeRole action",
            "denied_by_trust_policy",
            "does not allow the caller",
            "trust policy",
        ),
    ] {
        let text = format!(
            "AccessDeniedException: User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: {action} \
             on resource: {resource} {words}"
        );
        let found = of_text(&text, None);
        assert_eq!(
            (found.name.as_str(), found.class, found.retry),
            (name, AccessDenied, Retry::No),
            "{text}"
        );
        assert!(
            found.cause.contains(cause) && found.cause.contains(resource),
            "{cause} is not in {}",
            found.cause
        );
        assert!(found.remedies[0].contains(remedy), "{remedy} is not in {:?}", found.remedies);
    }
}

#[test]
fn the_policy_that_refused_is_named_where_the_text_names_it() {
    let policy = "arn:aws:organizations::123456789012:policy/o-qv5af4abcd/service_control_policy/p-2kgnabcd";
    let found = of_text(
        &format!(
            "User: arn:aws:iam::123456789012:user/m is not authorized to perform: bedrock:InvokeModel on resource: \
             arn:aws:bedrock:us-east-2::foundation-model/anthropic.claude-sonnet-4-6 with an explicit deny in a service \
             control policy: {policy}"
        ),
        None,
    );
    assert!(found.cause.contains(&format!("The policy is {policy}.")), "{}", found.cause);
    assert_eq!(found.next, "sre-agent iam-policy --model anthropic.claude-sonnet-4-6");
}

#[test]
fn a_denial_pasted_from_a_json_log_names_resource_and_model() {
    let found = of_text(
        r#"{"level":"ERROR","error":"AccessDeniedException: User: \"arn:aws:sts::123456789012:assumed-role\/r\/s\" is not authorized to perform: bedrock:InvokeModel on resource: \"arn:aws:bedrock:us-east-2::foundation-model\/acme.orion-2\" because no identity-based policy allows the bedrock:InvokeModel action"}"#,
        None,
    );
    assert_eq!(found.name, "not_granted_on_model");
    assert!(
        found.cause.contains("on arn:aws:bedrock:us-east-2::foundation-model/acme.orion-2."),
        "{}",
        found.cause
    );
    assert_eq!(found.next, "sre-agent iam-policy --model acme.orion-2");
}
