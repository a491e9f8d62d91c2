//! Two sessions that are linked without a router.

use std::net::TcpListener;
use std::time::Instant;

use super::*;
use crate::dds::Distribution;
use crate::ros::Incoming;

const STRING: &str = "std_msgs/msg/String";
const TRIGGER: &str = "std_srvs/srv/Trigger";

/// Two sessions, of which the second connects to the first, with a node each.
fn linked(domains: [u16; 2]) -> [Member; 2] {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("bound").port();
    drop(listener);
    let endpoint = format!("[\"tcp/127.0.0.1:{port}\"]");
    let join = |domain, listen: &str, connect: &str| {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        let options = Options {
            domain,
            distribution: Distribution::Jazzy,
            config: None,
            overrides: vec![
                pair("listen/endpoints", listen),
                pair("connect/endpoints", connect),
            ],
            router_attempts: 0,
        };
        let mut member = Member::join(&options).expect("joins");
        member.add_node("/", "tester").expect("a name");
        member
    };
    [
        join(domains[0], &endpoint, "[]"),
        join(domains[1], "[]", &endpoint),
    ]
}

fn text(number: u8) -> Vec<u8> {
    vec![0, 1, 0, 0, 2, 0, 0, 0, b'0' + number, 0]
}

fn until<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "not: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn next(from: &mut dyn Receive) -> Incoming {
    until("a message", || from.take()).expect("one that can be read")
}

/// Whether nothing comes for a while.
fn silent(from: &mut dyn Receive) -> bool {
    std::thread::sleep(Duration::from_millis(500));
    from.take().is_none()
}

#[test]
fn others_hear_what_is_published_and_nodes_here_do_not() {
    let [mut here, mut there] = linked([1, 1]);
    let publisher = here.publisher(0, "/a/b", STRING, Qos::DEFAULT);
    let publisher = publisher.expect("publishes");
    let mut own = here
        .subscriber(&[0], "/a/b", STRING, Qos::DEFAULT)
        .expect("hears");
    let mut other = there
        .subscriber(&[0], "/a/b", STRING, Qos::DEFAULT)
        .expect("hears");
    let mut another = there
        .subscriber(&[0], "/a/b", "std_msgs/msg/Header", Qos::DEFAULT)
        .expect("hears");
    until("who hears", || publisher.is_heard().then_some(()));
    assert!(own.rang() && other.rang());
    for number in 1..=5 {
        publisher.publish(text(number)).expect("goes out");
    }
    there.wait(Duration::from_secs(10));
    let first = next(&mut *other);
    assert_eq!((first.cdr, first.of.number), (text(1), 1));
    for number in 2..=5 {
        let message = next(&mut *other);
        assert_eq!(
            (message.cdr, message.of.number),
            (text(number as u8), number)
        );
        assert_eq!(message.of.writer, first.of.writer);
    }
    assert!(other.rang());
    assert!(silent(&mut *own) && another.take().is_none());
    drop(other);
    until("nobody hears", || (!publisher.is_heard()).then_some(()));
}

#[test]
fn who_comes_late_is_given_what_is_kept_once() {
    let [mut here, mut there] = linked([1, 1]);
    let kept = Qos::LATCHED.depth(3);
    let mut own = here.subscriber(&[0], "/map", STRING, kept).expect("hears");
    let publisher = here.publisher(0, "/map", STRING, kept).expect("publishes");
    for number in 1..=5 {
        publisher.publish(text(number)).expect("goes out");
    }
    let mut late = there.subscriber(&[0], "/map", STRING, kept).expect("hears");
    for number in 3..=5 {
        assert_eq!(next(&mut *late).cdr, text(number));
    }
    assert!(silent(&mut *late) && own.take().is_none());
    publisher.publish(text(6)).expect("goes out");
    assert_eq!(next(&mut *late).cdr, text(6));
    // A publisher that comes after who hears it.
    let publisher = there.publisher(0, "/map", STRING, kept).expect("publishes");
    publisher.publish(text(7)).expect("goes out");
    assert_eq!(next(&mut *own).cdr, text(7));
    assert!(silent(&mut *late) && own.take().is_none());
}

#[test]
fn services_are_called_and_answered_in_any_order() {
    let [mut here, mut there] = linked([1, 1]);
    let (mut replies, requests) = here.client(0, "/shoot", TRIGGER).expect("a client");
    assert!(!requests.is_heard());
    let (mut asked, answers) = there
        .server(0, "/shoot", TRIGGER, Qos::DEFAULT)
        .expect("a server");
    until("the server", || requests.is_heard().then_some(()));
    let numbers: Vec<_> = (1..=3)
        .map(|n| requests.ask(text(n)).expect("goes out"))
        .collect();
    assert_eq!(numbers, [1, 2, 3]);
    let mut callers: Vec<_> = (1..=3).map(|_| next(&mut *asked)).collect();
    callers.reverse();
    for caller in &callers {
        answers
            .reply(&caller.of, caller.cdr.clone())
            .expect("goes out");
        let reply = next(&mut *replies);
        assert_eq!(
            (reply.of.number, &reply.cdr),
            (caller.of.number, &caller.cdr)
        );
    }
    let again = answers.reply(&callers[0].of, text(9));
    assert!(again.unwrap_err().to_string().contains("no longer known"));
    drop((asked, answers));
    until("no server", || (!requests.is_heard()).then_some(()));
}

#[test]
fn a_query_without_attachment_is_an_error_and_hears_so() {
    let [here, mut there] = linked([1, 1]);
    let (mut asked, _answers) = there
        .server(0, "/shoot", TRIGGER, Qos::DEFAULT)
        .expect("a server");
    let hash = crate::zenoh::hash::rihs01(TRIGGER).expect("a known type");
    let key = format!("1/shoot/std_srvs::srv::dds_::Trigger_/{hash}");
    let querier = here.session.declare_querier(key).wait();
    let querier = querier.expect("a querier");
    until("the server", || {
        querier
            .matching_status()
            .wait()
            .ok()?
            .matching()
            .then_some(())
    });
    let replies = querier.get().wait().expect("goes out");
    let error = until("the query", || asked.take()).expect_err("it says nothing");
    assert!(error.to_string().contains("33 bytes"), "{error}");
    // It is not kept waiting for an answer.
    let heard = replies.recv_timeout(Duration::from_secs(10));
    assert!(!matches!(heard, Ok(Some(_))), "{heard:?}");
}

#[test]
fn domains_are_apart() {
    let [mut here, mut there] = linked([1, 2]);
    let publisher = here
        .publisher(0, "/a", STRING, Qos::LATCHED)
        .expect("publishes");
    publisher.publish(text(1)).expect("goes out");
    let mut other = there
        .subscriber(&[0], "/a", STRING, Qos::LATCHED)
        .expect("hears");
    assert!(silent(&mut *other) && !publisher.is_heard());
}

#[test]
fn what_ros_does_not_allow_is_refused() {
    let [mut here, _there] = linked([1, 1]);
    assert!(here.add_node("/", "a/b c").is_err());
    for (topic, type_name) in [
        ("a", STRING),
        ("/a b", STRING),
        ("/a", "std_msgs/String"),
        ("/a", "a/msg/B"),
    ] {
        assert!(
            here.publisher(0, topic, type_name, Qos::DEFAULT).is_err(),
            "{topic} {type_name}"
        );
    }
}
