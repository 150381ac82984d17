//! The store in one DynamoDB table: leases and records that every container sees.
//!
//! One item an event (`event#…`: lease, stage, record), one a series (`series#…`: the last change to ALARM that was dealt
//! with), and the small items of `store` by their own keys (`incident#…`, `day#…`, `pace#…`): a version and JSON. A lease is
//! one conditional write. Every item has `expires`, by which DynamoDB deletes it, and from which on it is not read.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::{UpdateItemError, UpdateItemOutput};
use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::{
    AttributeValue, KeysAndAttributes, Put, ReturnValue, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem,
};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::client::{Later, later};
use super::error::words;
use crate::clock::Clock;
use crate::id::{EventKey, Seed, SeriesKey};
use crate::run::{RunRecord, Stage};
use crate::store::{Begin, Change, Item, Store, StoreError};

/// The table's only key attribute, a text.
const KEY: &str = "key";

/// How long an item is kept: an incident is looked up by its next alarm, not by next month's.
const KEPT: Duration = Duration::from_hours(14 * 24);

/// Time for one call with its tries: the report waits for a lease, and goes out without one.
const CALL_TIME: Duration = Duration::from_secs(4);

/// Time for one try.
const ATTEMPT_TIME: Duration = Duration::from_millis(1_500);

/// Most keys of one `BatchGetItem`.
const MOST_READ: usize = 100;

/// An item holds 400 KB; the rest is for the other attributes.
const MOST_BYTES: usize = 390_000;

/// Most bytes of an unpacked record: nobody but this program writes them, and a broken one must not fill the memory.
const MOST_UNPACKED: u64 = 64 * 1024 * 1024;

/// Keeps leases and records in a table.
pub struct DynamoDbStore {
    client: Later<Client>,
    table: String,
    /// Tells the leases of this process from those of others.
    owner: String,
}

impl std::fmt::Debug for DynamoDbStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DynamoDbStore({})", self.table)
    }
}

impl DynamoDbStore {
    /// Names the table; nothing is asked yet.
    pub fn new(config: &SdkConfig, table: &str) -> Self {
        let times = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIME)
            .operation_timeout(CALL_TIME)
            .build();
        let config = config
            .to_builder()
            .retry_config(RetryConfig::standard().with_max_attempts(3))
            .timeout_config(times)
            .build();
        let owner = Seed::random().for_purpose("lease").hex(16);
        DynamoDbStore { client: later(move || Client::new(&config)), table: table.to_owned(), owner }
    }

    /// Returns how the table answers a question that changes nothing; the error is the reason.
    pub async fn probe(&self) -> Result<(), StoreError> {
        let asked = self.client.get_item().table_name(&self.table).key(KEY, text("probe")).send().await;
        asked.map_err(|error| failed("probe", &words(&error, 200)))?;
        self.items(&["probe".to_owned()]).await.map(drop)
    }

    async fn lease(&self, event: &EventKey, lease: Duration) -> Result<Begin, StoreError> {
        let now = millis_now();
        let until = now.saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX));
        let answer = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(KEY, text(&event_key(event)))
            .update_expression("SET lease_until = :until, lease_owner = :owner, expires = :expires")
            .condition_expression(
                "(attribute_not_exists(lease_until) OR lease_until < :now) \
                 AND (attribute_not_exists(stage) OR stage <> :delivered)",
            )
            .expression_attribute_values(":until", number(until))
            .expression_attribute_values(":now", number(now))
            .expression_attribute_values(":owner", text(&self.owner))
            .expression_attribute_values(":expires", expires())
            .expression_attribute_values(":delivered", text(DELIVERED))
            .return_values(ReturnValue::AllNew)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        match answer {
            Ok(answer) => {
                let record = answer.attributes.as_ref().and_then(|item| item.get("record"));
                // A record that cannot be read is of another version: the event is investigated anew.
                Ok(Begin::Fresh(record.and_then(unpacked).map(Box::new)))
            }
            Err(error) => match refused(&error) {
                Some(item) => {
                    let delivered = item.get("stage").and_then(|stage| stage.as_s().ok());
                    match item.get("record").and_then(unpacked) {
                        Some(record) if delivered.is_some_and(|stage| stage == DELIVERED) => {
                            Ok(Begin::Done(Box::new(record)))
                        }
                        _ => Ok(Begin::InProgress),
                    }
                }
                None => Err(failed("begin", &words(&error, 200))),
            },
        }
    }

    async fn extend(&self, event: &EventKey, lease: Duration) -> Result<(), StoreError> {
        let until = millis_now().saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX));
        let asked = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(KEY, text(&event_key(event)))
            .update_expression("SET lease_until = :until")
            .condition_expression("lease_owner = :owner")
            .expression_attribute_values(":until", number(until))
            .expression_attribute_values(":owner", text(&self.owner))
            .send()
            .await;
        if_mine("renew", asked)
    }

    async fn put(&self, record: &RunRecord) -> Result<(), StoreError> {
        let packed = packed(record)?;
        let stage = if record.stage == Stage::Delivery { DELIVERED } else { "under way" };
        self.set(event_key(&record.event), stage, packed.clone()).await?;
        if record.stage != Stage::Delivery {
            return Ok(());
        }
        match record.event.series_of_alarm() {
            Some(series) => self.set(format!("series#{series}"), stage, packed).await,
            None => Ok(()),
        }
    }

    async fn set(&self, key: String, stage: &str, record: AttributeValue) -> Result<(), StoreError> {
        let asked = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(KEY, AttributeValue::S(key))
            .update_expression("SET stage = :stage, #record = :record, expires = :expires")
            .expression_attribute_names("#record", "record")
            .expression_attribute_values(":stage", text(stage))
            .expression_attribute_values(":record", record)
            .expression_attribute_values(":expires", expires())
            .send()
            .await;
        asked.map(drop).map_err(|error| failed("save", &words(&error, 200)))
    }

    async fn give_back(&self, event: &EventKey) -> Result<(), StoreError> {
        let asked = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(KEY, text(&event_key(event)))
            .update_expression("REMOVE lease_until, lease_owner")
            .condition_expression("lease_owner = :owner")
            .expression_attribute_values(":owner", text(&self.owner))
            .send()
            .await;
        if_mine("release", asked)
    }

    async fn last_of(&self, series: &SeriesKey) -> Result<Option<RunRecord>, StoreError> {
        let key = format!("series#{series}");
        let question = self.client.get_item().table_name(&self.table).key(KEY, text(&key));
        let asked = question.consistent_read(true).send().await;
        let answer = asked.map_err(|error| failed("latest", &words(&error, 200)))?;
        Ok(answer.item.as_ref().and_then(|item| item.get("record")).and_then(unpacked))
    }

    async fn items(&self, keys: &[String]) -> Result<Vec<Option<Item>>, StoreError> {
        let mut found: HashMap<&str, Item> = HashMap::new();
        let now = Clock::Wall.now().as_second();
        let mut unique: Vec<&String> = keys.iter().collect();
        unique.sort_unstable();
        unique.dedup();
        let key = |key: &&String| HashMap::from([(KEY.to_owned(), text(key))]);
        let wanted: Vec<_> = unique.iter().map(key).collect();
        let broken = |reason: String| failed("read", &reason);
        for wanted in wanted.chunks(MOST_READ) {
            let wanted = KeysAndAttributes::builder().set_keys(Some(wanted.to_vec())).consistent_read(true);
            let wanted = wanted.build().map_err(|error| broken(error.to_string()))?;
            let asked = self.client.batch_get_item().request_items(&self.table, wanted).send().await;
            let answer = asked.map_err(|error| broken(words(&error, 200)))?;
            // Throttled in part: what would be taken for missing must not be written over.
            if answer.unprocessed_keys().is_some_and(|left| !left.is_empty()) {
                return Err(broken("the table answered in part only".to_owned()));
            }
            for row in answer.responses.into_iter().flat_map(HashMap::into_values).flatten() {
                let name = row.get(KEY).and_then(|name| name.as_s().ok());
                let known = name.and_then(|name| keys.iter().find(|key| *key == name));
                let number = |name: &str| row.get(name)?.as_n().ok()?.parse::<u64>().ok();
                let is_fresh =
                    number("expires").and_then(|at| i64::try_from(at).ok()).is_none_or(|at| at > now);
                let value = row.get("value").and_then(|value| value.as_s().ok());
                let value = value.and_then(|value| serde_json::from_str(value).ok());
                if let (Some(name), Some(version), Some(value), true) =
                    (known, number("version"), value, is_fresh)
                {
                    found.insert(name, Item { version, value });
                }
            }
        }
        Ok(keys.iter().map(|key| found.get(key.as_str()).cloned()).collect())
    }

    async fn change(&self, changes: &[Change]) -> Result<bool, StoreError> {
        let mut writes = Vec::new();
        for change in changes {
            let put = self.put_of(change).map_err(|error| failed("write", &error.to_string()))?;
            writes.push(TransactWriteItem::builder().put(put).build());
        }
        match self.client.transact_write_items().set_transact_items(Some(writes)).send().await {
            Ok(_) => Ok(true),
            Err(error) if was_faster(&error) => Ok(false),
            Err(error) => Err(failed("write", &words(&error, 200))),
        }
    }

    /// One write is a transaction of one: the same permission, the same errors, and twice the price of next to nothing.
    fn put_of(&self, change: &Change) -> Result<Put, aws_sdk_dynamodb::error::BuildError> {
        let put = Put::builder()
            .table_name(&self.table)
            .item(KEY, text(&change.key))
            .item("version", AttributeValue::N((change.seen.unwrap_or_default() + 1).to_string()))
            .item("value", text(&change.value.to_string()))
            .item("expires", expires_after(change.kept));
        match change.seen {
            Some(seen) => put
                .condition_expression("version = :seen")
                .expression_attribute_values(":seen", AttributeValue::N(seen.to_string())),
            // DynamoDB deletes within days of the time that it was told.
            None => put
                .condition_expression("attribute_not_exists(version) OR expires <= :now")
                .expression_attribute_values(":now", number(Clock::Wall.now().as_second())),
        }
        .build()
    }
}

impl Store for DynamoDbStore {
    fn begin<'a>(&'a self, event: &'a EventKey, lease: Duration) -> BoxFuture<'a, Result<Begin, StoreError>> {
        self.lease(event, lease).boxed()
    }

    fn renew<'a>(&'a self, event: &'a EventKey, lease: Duration) -> BoxFuture<'a, Result<(), StoreError>> {
        self.extend(event, lease).boxed()
    }

    fn save<'a>(&'a self, record: &'a RunRecord) -> BoxFuture<'a, Result<(), StoreError>> {
        self.put(record).boxed()
    }

    fn release<'a>(&'a self, event: &'a EventKey) -> BoxFuture<'a, Result<(), StoreError>> {
        self.give_back(event).boxed()
    }

    fn latest<'a>(&'a self, series: &'a SeriesKey) -> BoxFuture<'a, Result<Option<RunRecord>, StoreError>> {
        self.last_of(series).boxed()
    }

    fn read<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Item>>, StoreError>> {
        self.items(keys).boxed()
    }

    fn write<'a>(&'a self, changes: &'a [Change]) -> BoxFuture<'a, Result<bool, StoreError>> {
        self.change(changes).boxed()
    }
}

/// The stage of an event that was dealt with.
const DELIVERED: &str = "delivered";

type Row = HashMap<String, AttributeValue>;

/// Returns the item that a condition refused to change, where that is why the call failed.
fn refused(error: &SdkError<UpdateItemError>) -> Option<&Row> {
    match error.as_service_error()? {
        UpdateItemError::ConditionalCheckFailedException(refused) => refused.item(),
        _ => None,
    }
}

/// Takes the answer to a change of a lease under the condition that it is ours.
fn if_mine(
    operation: &'static str,
    asked: Result<UpdateItemOutput, SdkError<UpdateItemError>>,
) -> Result<(), StoreError> {
    match asked {
        Ok(_) => Ok(()),
        // Another container has taken over since: it is its lease now.
        Err(error)
            if error
                .as_service_error()
                .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
        {
            Ok(())
        }
        Err(error) => Err(failed(operation, &words(&error, 200))),
    }
}

/// Tells whether a transaction failed because another process changed one of its items first.
fn was_faster(error: &SdkError<TransactWriteItemsError>) -> bool {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            let reasons = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code());
            let mut causes = reasons.filter(|code| *code != "None").peekable();
            causes.peek().is_some()
                && causes.all(|code| {
                    // One that was refused for load is as good as lost: whoever lost waits and tries again.
                    matches!(
                        code,
                        "ConditionalCheckFailed"
                            | "TransactionConflict"
                            | "ThrottlingError"
                            | "ProvisionedThroughputExceeded"
                    )
                })
        }
        Some(error) => error.is_transaction_in_progress_exception(),
        None => false,
    }
}

/// Keys hold up to 2,048 bytes; an alarm's ARN with its contributor is far below.
fn event_key(event: &EventKey) -> String {
    format!("event#{event}")
}

fn text(text: &str) -> AttributeValue {
    AttributeValue::S(text.to_owned())
}

fn number(number: i64) -> AttributeValue {
    AttributeValue::N(number.to_string())
}

fn millis_now() -> i64 {
    Clock::Wall.now().as_millisecond()
}

/// DynamoDB deletes by seconds since the epoch.
fn expires() -> AttributeValue {
    expires_after(KEPT)
}

fn expires_after(kept: Duration) -> AttributeValue {
    let kept = i64::try_from(kept.as_secs()).unwrap_or(i64::MAX);
    number(Clock::Wall.now().as_second().saturating_add(kept))
}

/// A record with its report is a megabyte of JSON at most, and a tenth of it packed.
fn packed(record: &RunRecord) -> Result<AttributeValue, StoreError> {
    let unfit = |reason: String| failed("save", &reason);
    let json = serde_json::to_vec(record).map_err(|error| unfit(error.to_string()))?;
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    let bytes = packer.write_all(&json).and_then(|()| packer.finish());
    let bytes = bytes.map_err(|error| unfit(error.to_string()))?;
    if bytes.len() > MOST_BYTES {
        return Err(unfit(format!("the record has {} bytes, an item holds {MOST_BYTES}", bytes.len())));
    }
    Ok(AttributeValue::B(Blob::new(bytes)))
}

fn unpacked(value: &AttributeValue) -> Option<RunRecord> {
    let bytes = value.as_b().ok()?;
    let mut json = Vec::new();
    GzDecoder::new(bytes.as_ref()).take(MOST_UNPACKED).read_to_end(&mut json).ok()?;
    serde_json::from_slice(&json).ok()
}

fn failed(operation: &'static str, reason: &str) -> StoreError {
    StoreError { operation, reason: format!("DynamoDB: {reason}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::id::RunId;
    use crate::run::RECORD_FORMAT;

    fn record(document: serde_json::Value) -> RunRecord {
        RunRecord {
            format: RECORD_FORMAT,
            run_id: RunId::mint(Seed(1)),
            event: EventKey::new(&SeriesKey::new("arn", None), "ALARM", Timestamp::UNIX_EPOCH),
            stage: Stage::Report,
            outcome: Some("cause_shown".into()),
            document: Some(document),
            receipts: Vec::new(),
            below: Vec::new(),
            undelivered: Vec::new(),
        }
    }

    #[test]
    fn a_record_comes_back_as_it_was_packed_and_rubbish_is_none() {
        let whole = record(serde_json::json!({"text": "x".repeat(1_000_000)}));
        let packed = packed(&whole).unwrap();
        assert!(packed.as_b().unwrap().as_ref().len() < 10_000);
        assert_eq!(unpacked(&packed), Some(whole));
        for rubbish in [AttributeValue::B(Blob::new([1, 2, 3])), AttributeValue::S("x".into())] {
            assert_eq!(unpacked(&rubbish), None);
        }
    }

    #[test]
    fn a_record_that_no_item_holds_is_refused_with_its_size() {
        // Text that does not pack.
        let mut generator = Seed(7).generator();
        let noise: String = (0..900_000).map(|_| char::from(generator.u8(33..127))).collect();
        let error = packed(&record(serde_json::json!({"text": noise}))).unwrap_err().to_string();
        assert!(error.contains("an item holds 390000"), "{error}");
    }
}
