//! S3: what was put is there again, and refusals in S3's own words.

use std::collections::BTreeMap;

use sre_agent_emulator::{Emulator, Options};

use crate::client::{Reply, SIGNATURE, send, started, started_with};

async fn s3(emulator: &Emulator, method: &str, target: &str, body: &str) -> Reply {
    let signature = SIGNATURE.replace("/x/", "/s3/");
    let headers = [("authorization", signature.as_str()), ("content-type", "text/plain")];
    send(emulator, method, target, &headers, body.as_bytes()).await
}

#[tokio::test]
async fn an_object_that_was_put_is_listed_by_the_beginning_of_its_key_and_read_again() {
    let emulator = started().await;
    for key in ["a/1.txt", "a/2%20x.txt", "b/1.txt"] {
        assert_eq!(
            s3(&emulator, "PUT", &format!("/bucket/{key}?x-id=PutObject"), "hello ü").await.status,
            200
        );
    }
    let read = s3(&emulator, "GET", "/bucket/a/2%20x.txt", "").await;
    assert_eq!((read.status, read.text(), read.header("content-type")), (200, "hello ü", Some("text/plain")));
    let listed = s3(&emulator, "GET", "/bucket/?list-type=2&prefix=a%2F&max-keys=1", "").await;
    assert!(
        listed.text().contains("<Contents><Key>a/1.txt</Key><Size>8</Size></Contents>"),
        "{}",
        listed.text()
    );
    assert!(
        listed.text().contains("<KeyCount>1</KeyCount>")
            && listed.text().contains("<IsTruncated>true</IsTruncated>")
    );
    let objects = emulator.objects();
    let keys: Vec<&str> = objects.iter().map(|object| object.key.as_str()).collect();
    assert_eq!(keys, ["a/1.txt", "a/2 x.txt", "b/1.txt"]);
    let asked = &emulator.requests()[0];
    assert_eq!((asked.service.as_str(), asked.iam_action.as_deref()), ("s3", Some("s3:PutObject")));
    assert_eq!(asked.resource.as_deref(), Some("arn:aws:s3:::bucket/a/1.txt"));
}

#[tokio::test]
async fn what_s3_refuses_is_refused_in_its_words() {
    let emulator = started_with(Options {
        denied: vec!["s3:PutObject".to_owned()],
        buckets: BTreeMap::from([
            ("gone".to_owned(), String::new()),
            ("far".to_owned(), "us-west-2".to_owned()),
        ]),
        ..Options::default()
    })
    .await;
    for (method, target, status, code) in [
        ("GET", "/bucket/no-such-key", 404, "NoSuchKey"),
        ("GET", "/gone/key", 404, "NoSuchBucket"),
        ("GET", "/far/key", 301, "PermanentRedirect"),
        ("PUT", "/bucket/key", 403, "AccessDenied"),
        ("DELETE", "/bucket/key", 400, "EmulatorUnsupported"),
        ("GET", "/bucket/?list-type=2&delimiter=%2F", 400, "EmulatorUnsupported"),
    ] {
        let reply = s3(&emulator, method, target, "").await;
        assert_eq!(reply.status, status, "{target}: {}", reply.text());
        assert!(reply.text().contains(&format!("<Code>{code}</Code>")), "{target}: {}", reply.text());
    }
    assert_eq!(s3(&emulator, "GET", "/far/key", "").await.header("x-amz-bucket-region"), Some("us-west-2"));
    assert_eq!(emulator.unsupported().len(), 2);
}
