//! Who opens an incident, who belongs to it, and who tells.

use futures::FutureExt;
use futures::future::BoxFuture;

use super::*;
use crate::id::Seed;
use crate::run::RunRecord;
use crate::store::Begin;
use crate::store::memory::MemoryStore;

const MINUTE: SignedDuration = SignedDuration::from_mins(1);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn key(name: &str) -> Key {
    let key = SeriesKey::of_resource("123456789012", "us-east-1", "x", name);
    Key { key, because: format!("by {name}") }
}

/// An alarm that went off at a second, on a resource and with neighbours; its metric breached first two minutes before.
fn arrival(alarm: &str, second: i64, own: &str, near: &[&str]) -> Arrival {
    let series = SeriesKey::new(alarm, None);
    Arrival {
        first: First {
            event: EventKey::new(&series, "ALARM", at(second)),
            alarm: alarm.to_owned(),
            run_id: RunId::mint(Seed(1)),
            went_off: at(second),
            first_breach: at(second - 120),
        },
        series,
        breached_by: at(second - 60),
        own: vec![key(own)],
        near: near.iter().map(|name| key(name)).collect(),
        pause: MINUTE,
        now: at(second),
    }
}

fn names(members: &[Member]) -> Vec<&str> {
    members.iter().map(|member| member.alarm.as_str()).collect()
}

async fn reported(store: &dyn Store, arrival: &Arrival) {
    let reported = Reported { outcome: "cause_shown".into(), receipts: Vec::new(), recovered: false };
    report(store, &arrival.first.event, reported).await.unwrap();
}

/// The recovery of an alarm at a second.
async fn recover_at(store: &dyn Store, arrival: &Arrival, second: i64) -> Recovery {
    let ok = EventKey::new(&arrival.series, "OK", at(second));
    recover(store, &arrival.series, &ok, at(second), at(second)).await.unwrap()
}

async fn turn(store: &dyn Store, arrival: &Arrival) -> Turn {
    match join(store, arrival).await.unwrap() {
        Joined::Linked(_, turn) => turn,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_comes_while_the_first_is_investigated_is_told_by_the_report_or_by_one_line_a_minute() {
    let store = MemoryStore::default();
    let first = arrival("a", 0, "fn", &[]);
    assert_eq!(join(&store, &first).await, Ok(Joined::Opened));
    // The first to come waits for its turn, the others leave it to that one.
    let [b, c, d, e] =
        [("b", 10), ("c", 20), ("d", 65), ("e", 70)].map(|(name, at)| arrival(name, at, "fn", &[]));
    assert_eq!(turn(&store, &b).await, Turn::After(Duration::from_secs(50)));
    assert_eq!(turn(&store, &c).await, Turn::Others);
    let (_, told) = take_turn(&store, &first.first.event, &b.first.event, at(60)).await.unwrap();
    assert_eq!(names(&told), ["b", "c"]);
    assert_eq!(turn(&store, &d).await, Turn::After(Duration::from_secs(55)));
    assert_eq!(turn(&store, &e).await, Turn::Others);
    // The report comes before the turn and names all; nothing is left to tell.
    assert_eq!(names(&take_members(&store, &first.first.event).await.unwrap()), ["b", "c", "d", "e"]);
    reported(&store, &first).await;
    let (_, told) = take_turn(&store, &first.first.event, &d.first.event, at(120)).await.unwrap();
    assert_eq!(told, Vec::new());
    // From then on a line goes at once, where none went within a minute.
    let Turn::Now(told) = turn(&store, &arrival("f", 200, "fn", &[])).await else { panic!("not told") };
    assert_eq!((names(&told), told[0].because.as_str()), (vec!["f"], "by fn"));
}

#[tokio::test]
async fn a_teller_that_is_gone_is_replaced_and_a_member_that_comes_again_tells_itself_again() {
    let store = MemoryStore::default();
    let first = arrival("a", 0, "fn", &[]);
    join(&store, &first).await.unwrap();
    reported(&store, &first).await;
    let b = arrival("b", 10, "fn", &[]);
    let Turn::Now(told) = turn(&store, &b).await else { panic!("not told") };
    assert_eq!(names(&told), ["b"]);
    // Its process died before the line was posted: the event comes again.
    let Turn::Now(told) = turn(&store, &Arrival { now: at(90), ..b }).await else { panic!("not told") };
    assert_eq!(names(&told), ["b"]);
    let c = arrival("c", 30, "fn", &[]);
    assert_eq!(turn(&store, &c).await, Turn::After(Duration::from_secs(40)));
    // It never came to its turn.
    let d = arrival("d", 200, "fn", &[]);
    let Turn::Now(told) = turn(&store, &d).await else { panic!("not told") };
    assert_eq!(names(&told), ["c", "d"]);
}

#[tokio::test]
async fn neighbours_belong_together_from_either_side_and_two_that_share_one_do_not() {
    for (one, other, because) in [
        (arrival("fn", 0, "fn", &["queue"]), arrival("queue", 5, "queue", &[]), "by queue"),
        (arrival("queue", 0, "queue", &[]), arrival("fn", 5, "fn", &["queue"]), "by queue"),
    ] {
        let store = MemoryStore::default();
        join(&store, &one).await.unwrap();
        let Joined::Linked(incident, _) = join(&store, &other).await.unwrap() else { panic!("not linked") };
        assert_eq!(incident.members[0].because, because);
        assert_eq!(incident.first.unwrap().alarm, one.first.alarm);
    }
    let store = MemoryStore::default();
    join(&store, &arrival("one", 0, "fn-1", &["table"])).await.unwrap();
    assert_eq!(join(&store, &arrival("two", 5, "fn-2", &["table"])).await, Ok(Joined::Opened));
}

#[tokio::test]
async fn another_resource_a_later_alarm_and_what_comes_after_the_recovery_open_an_incident_of_their_own() {
    let store = MemoryStore::default();
    let first = arrival("a", 0, "fn", &[]);
    join(&store, &first).await.unwrap();
    // The same try again is the same incident.
    assert_eq!(join(&store, &first).await, Ok(Joined::Opened));
    assert_eq!(join(&store, &arrival("b", 5, "other", &[])).await, Ok(Joined::Opened));
    assert!(matches!(join(&store, &arrival("c", 900, "fn", &[])).await, Ok(Joined::Linked(..))));
    let late = arrival("d", 901, "fn", &[]);
    assert_eq!(join(&store, &late).await, Ok(Joined::Opened));
    assert!(matches!(recover_at(&store, &late, 5_000).await, Recovery::Ends(_)));
    assert_eq!(join(&store, &arrival("e", 950, "fn", &[])).await, Ok(Joined::Opened));
}

#[tokio::test]
async fn only_the_first_alarm_whose_metric_moved_before_has_the_incident_looked_at_again() {
    let store = MemoryStore::default();
    join(&store, &arrival("a", 0, "fn", &[])).await.unwrap();
    let moved = |name, breached: i64| {
        let mut arrival = arrival(name, 30, "fn", &[]);
        arrival.first.first_breach = at(breached);
        arrival.breached_by = at(breached + 60);
        arrival
    };
    // Its first breaching minute overlaps the other's: nothing says that it began before.
    assert!(matches!(join(&store, &moved("overlaps", -150)).await, Ok(Joined::Linked(..))));
    let early = moved("early", -180);
    assert!(matches!(join(&store, &early).await, Ok(Joined::SecondLook(_))));
    assert!(matches!(join(&store, &early).await, Ok(Joined::SecondLook(_))), "the same event again");
    assert!(matches!(join(&store, &moved("earlier", -600)).await, Ok(Joined::Linked(..))));
}

#[tokio::test]
async fn the_recovery_of_the_first_alarm_ends_the_incident_once_and_a_members_is_silent() {
    let store = MemoryStore::default();
    let (first, member) = (arrival("a", 0, "fn", &[]), arrival("b", 5, "fn", &[]));
    join(&store, &first).await.unwrap();
    join(&store, &member).await.unwrap();
    assert!(matches!(recover_at(&store, &member, 5_000).await, Recovery::Member(_)));
    let Recovery::Ends(ended) = recover_at(&store, &first, 5_000).await else { panic!("not ended") };
    assert_eq!(names(&ended.members), ["b"]);
    // Delivered again it ends it again; another recovery, and one of an earlier firing, end nothing.
    assert!(matches!(recover_at(&store, &first, 5_000).await, Recovery::Ends(_)));
    assert_eq!(recover_at(&store, &first, 6_000).await, Recovery::Reported);
    assert_eq!(recover_at(&store, &first, -60).await, Recovery::Unknown);
    assert_eq!(recover_at(&store, &arrival("stranger", 0, "fn", &[]), 5_000).await, Recovery::Unknown);
}

#[tokio::test]
async fn an_incident_of_a_thousand_alarms_names_the_first_and_counts_the_rest() {
    let store = MemoryStore::default();
    let first = arrival("a", 0, "fn", &[]);
    join(&store, &first).await.unwrap();
    reported(&store, &first).await;
    let mut told = Vec::new();
    for number in 0..1_000 {
        let member = Arrival { now: at(100 * number), ..arrival(&format!("m{number}"), 5, "fn", &[]) };
        let Turn::Now(members) = turn(&store, &member).await else { panic!("{number} is not told") };
        told.extend(members);
    }
    assert_eq!(told.len(), 1_000);
    assert_eq!(names(&told[149..151]), ["m149", "1 alarms more"]);
    assert_eq!(told[999].alarm, "850 alarms more");
    let incident = store.read(&[incident_item(&first.first.event)]).await.unwrap().remove(0).unwrap();
    assert!(incident.value.to_string().len() < 100_000, "{}", incident.value.to_string().len());
}

#[tokio::test]
async fn a_recovery_that_the_report_tells_is_not_told_again() {
    for (told, later, ends) in
        [(None, 100, false), (None, 1_000, true), (Some(true), 100, false), (Some(false), 100, true)]
    {
        let store = MemoryStore::default();
        let first = arrival("a", 0, "fn", &[]);
        join(&store, &first).await.unwrap();
        if let Some(recovered) = told {
            let reported = Reported { outcome: "cause_shown".into(), receipts: Vec::new(), recovered };
            report(&store, &first.first.event, reported).await.unwrap();
        }
        let recovery = recover_at(&store, &first, later).await;
        assert_eq!(matches!(recovery, Recovery::Ends(_)), ends, "{told:?} {later} {recovery:?}");
        // Either way it is over.
        assert_eq!(join(&store, &arrival("b", 20, "fn", &[])).await, Ok(Joined::Opened));
    }
}

#[tokio::test]
async fn a_recovery_while_the_report_is_made_is_handed_to_it_and_the_last_members_can_end_the_incident() {
    let reported = |recovered| Reported { outcome: "x".into(), receipts: Vec::new(), recovered };
    for (tells, handed) in [(true, None), (false, Some(at(30)))] {
        let store = MemoryStore::default();
        let first = arrival("a", 0, "fn", &[]);
        join(&store, &first).await.unwrap();
        assert_eq!(recover_at(&store, &first, 30).await, Recovery::Reported);
        assert_eq!(report(&store, &first.first.event, reported(tells)).await, Ok(handed));
        assert_eq!(report(&store, &first.first.event, reported(false)).await, Ok(None), "once");
    }
    let store = MemoryStore::default();
    let (first, member) = (arrival("a", 0, "fn", &[]), arrival("b", 5, "fn", &[]));
    join(&store, &first).await.unwrap();
    join(&store, &member).await.unwrap();
    report(&store, &first.first.event, reported(false)).await.unwrap();
    let ok = EventKey::new(&member.series, "OK", at(60));
    assert_eq!(end(&store, &first.first.event, &ok, at(60)).await, Ok(true));
    assert_eq!(
        end(&store, &first.first.event, &EventKey::new(&first.series, "OK", at(61)), at(61)).await,
        Ok(false)
    );
    assert_eq!(recover_at(&store, &first, 61).await, Recovery::Reported);
}

#[tokio::test]
async fn a_teller_that_is_tried_again_tells_all_whom_it_was_to_tell() {
    let store = MemoryStore::default();
    let first = arrival("a", 0, "fn", &[]);
    join(&store, &first).await.unwrap();
    let (b, c) = (arrival("b", 10, "fn", &[]), arrival("c", 20, "fn", &[]));
    turn(&store, &b).await;
    turn(&store, &c).await;
    take_turn(&store, &first.first.event, &b.first.event, at(60)).await.unwrap();
    // It died before it posted.
    let Turn::Now(told) = turn(&store, &Arrival { now: at(90), ..b }).await else { panic!("not told") };
    assert_eq!(names(&told), ["b", "c"]);
}

#[tokio::test]
async fn a_member_that_flaps_is_told_once_and_the_first_alarm_that_does_is_an_incident_of_its_own() {
    let store = MemoryStore::default();
    let first = arrival("a", 0, "fn", &[]);
    join(&store, &first).await.unwrap();
    reported(&store, &first).await;
    assert!(matches!(turn(&store, &arrival("b", 5, "fn", &[])).await, Turn::Now(_)));
    assert_eq!(turn(&store, &arrival("b", 300, "fn", &[])).await, Turn::Others);
    let again = arrival("a", 400, "fn", &[]);
    assert_eq!(join(&store, &again).await, Ok(Joined::Opened));
    // From then on the newer one is open.
    let Ok(Joined::Linked(open, _)) = join(&store, &arrival("c", 401, "fn", &[])).await else {
        panic!("not linked")
    };
    assert_eq!(open.first, Some(again.first));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_two_incidents_share_leads_to_both() {
    let store = MemoryStore::default();
    // Two functions that one queue feeds.
    let (one, other) = (arrival("a", 0, "fn-1", &["queue"]), arrival("b", 1, "fn-2", &["queue"]));
    assert_eq!(join(&store, &one).await, Ok(Joined::Opened));
    assert_eq!(join(&store, &other).await, Ok(Joined::Opened));
    // Of the queue's two incidents it is the first one's; had the newer one taken the key, it would be lost to the first.
    let Ok(Joined::Linked(incident, _)) = join(&store, &arrival("c", 2, "queue", &[])).await else {
        panic!()
    };
    assert_eq!(incident.first.unwrap().alarm, one.first.alarm);
}

#[tokio::test(start_paused = true)]
async fn an_alarm_of_the_same_event_is_a_member_that_was_told_and_its_recovery_is_waited_for() {
    let store = MemoryStore::default();
    let (lead, other) = (arrival("a", 0, "fn", &[]), arrival("b", 1, "fn", &[]));
    join(&store, &lead).await.unwrap();
    let member = Member::told(other.first.event.clone(), "b", "came in the same event");
    add_told(&store, &lead.first.event, member.clone(), &other.series).await.unwrap();
    add_told(&store, &lead.first.event, member, &other.series).await.unwrap();
    let known = take_members(&store, &lead.first.event).await.unwrap();
    assert_eq!(known.iter().map(|member| member.alarm.as_str()).collect::<Vec<_>>(), ["b"]);
    let ok = EventKey::new(&other.series, "OK", other.first.went_off);
    let at = other.first.went_off;
    let recovered = recover(&store, &other.series, &ok, at, at).await.unwrap();
    assert!(matches!(recovered, Recovery::Member(_)), "{recovered:?}");
    // Of an incident that nobody opened there is no member.
    let (nobody, lost) = (arrival("c", 0, "x", &[]), arrival("d", 0, "x", &[]));
    let member = Member::told(lost.first.event.clone(), "d", "came in the same event");
    add_told(&store, &nobody.first.event, member, &lost.series).await.unwrap();
    assert_eq!(recover(&store, &lost.series, &ok, at, at).await, Ok(Recovery::Unknown));
}

#[tokio::test]
async fn where_others_still_fired_at_the_recovery_the_last_of_them_tells_that_it_is_over() {
    let store = MemoryStore::default();
    let (first, other) = (arrival("a", 0, "fn", &[]), arrival("b", 5, "fn", &[]));
    join(&store, &first).await.unwrap();
    turn(&store, &other).await;
    reported(&store, &first).await;
    assert!(matches!(recover_at(&store, &first, 1_000).await, Recovery::Ends(_)));
    let ok = |second| EventKey::new(&other.series, "OK", at(second));
    assert_eq!(end(&store, &first.first.event, &ok(1_100), at(1_100)).await, Ok(false), "told already");
    still_fires(&store, &first.first.event).await.unwrap();
    assert_eq!(end(&store, &first.first.event, &ok(1_200), at(1_200)).await, Ok(true));
    assert_eq!(end(&store, &first.first.event, &ok(1_300), at(1_300)).await, Ok(false), "and once");
}

/// Lets others go before each answer.
#[derive(Default)]
struct Slow(MemoryStore);

impl Store for Slow {
    fn begin<'a>(&'a self, event: &'a EventKey, lease: Duration) -> BoxFuture<'a, Result<Begin, StoreError>> {
        self.0.begin(event, lease)
    }

    fn renew<'a>(&'a self, event: &'a EventKey, lease: Duration) -> BoxFuture<'a, Result<(), StoreError>> {
        self.0.renew(event, lease)
    }

    fn save<'a>(&'a self, record: &'a RunRecord) -> BoxFuture<'a, Result<(), StoreError>> {
        self.0.save(record)
    }

    fn release<'a>(&'a self, event: &'a EventKey) -> BoxFuture<'a, Result<(), StoreError>> {
        self.0.release(event)
    }

    fn latest<'a>(&'a self, series: &'a SeriesKey) -> BoxFuture<'a, Result<Option<RunRecord>, StoreError>> {
        self.0.latest(series)
    }

    fn read<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<Vec<Option<Item>>, StoreError>> {
        async move {
            tokio::task::yield_now().await;
            self.0.read(keys).await
        }
        .boxed()
    }

    fn write<'a>(&'a self, changes: &'a [Change]) -> BoxFuture<'a, Result<bool, StoreError>> {
        async move {
            tokio::task::yield_now().await;
            self.0.write(changes).await
        }
        .boxed()
    }
}

#[tokio::test]
async fn of_fifty_neighbours_at_once_one_opens_and_every_other_one_is_a_member() {
    let store = Slow::default();
    // Half of them are on the function, half on the queue before it.
    let arrivals: Vec<Arrival> = (0..50)
        .map(|number| {
            let near: &[&str] = if number % 2 == 0 { &["queue"] } else { &[] };
            arrival(&format!("a{number}"), number % 5, if number % 2 == 0 { "fn" } else { "queue" }, near)
        })
        .collect();
    let joined = futures::future::join_all(arrivals.iter().map(|arrival| join(&store, arrival))).await;
    let opened = joined.iter().filter(|joined| **joined == Ok(Joined::Opened)).count();
    let linked = joined.iter().filter(|joined| matches!(joined, Ok(Joined::Linked(..)))).count();
    assert_eq!((opened, linked), (1, 49));
    let waiting =
        |joined: &Result<Joined, StoreError>| matches!(joined, Ok(Joined::Linked(_, Turn::After(_))));
    assert_eq!(joined.iter().filter(|joined| waiting(joined)).count(), 1, "one line for all of them");
}
