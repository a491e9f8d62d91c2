//! A client whose subscriber to replies comes after its request.

use std::time::{Duration, Instant};

use super::*;
use crate::Qos;
use crate::dds::middleware::Member;
use crate::dds::names::{dds_type, service_topics};
use crate::dds::{Distribution, Options, Participant, Reach};
use crate::ros::{HeldReplies, Middleware};

const LIMIT: Duration = Duration::from_secs(20);

fn member(mapping: Mapping, domain: u16) -> Member {
    let options = Options {
        node: String::new(),
        domain,
        reach: Reach::Localhost,
        distribution: Some(Distribution::Jazzy),
        mapping,
        patience_ms: 0,
    };
    let participant = Participant::join(&options).expect("a domain");
    Member {
        participant,
        mapping,
    }
}

fn until<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(begun.elapsed() < LIMIT, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn a_late_listener_gets_its_reply(mapping: Mapping, domain: u16) {
    let (name, kind) = ("/lamp", "std_srvs/srv/Trigger");
    let mut here = member(mapping, domain);
    here.add_node("/", "here").expect("a node");
    let server = here.server(0, name, kind, Qos::DEFAULT);
    let (mut requests, replies) = server.expect("a service");
    let replies = HeldReplies::new(replies);

    let mut there = member(mapping, domain).participant;
    let (rq, rr) = service_topics(name).expect("a name");
    let of = |part: &str| dds_type(&format!("{kind}_{part}")).expect("a type");
    let publisher = there.publish_for(0, &rq, &of("Request"), Qos::DEFAULT);
    let publisher = publisher.expect("a publisher");
    let mut ends = Ends {
        mapping,
        writer: publisher.guid(),
        // None that there is: the request does not name it.
        reader: [0; 16],
    };
    let client = Client::new(ends, publisher);
    until("the server is found", || client.is_heard().then_some(()));
    client.ask(vec![0, 1, 0, 0, 0]).expect("it is sent");
    let request = until("the request comes", || requests.take());
    let request = request.expect("it is one");
    let answer = vec![0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
    (replies.reply(&request.of, answer.clone())).expect("it waits");
    // Long enough for it to have come and gone.
    for _ in 0..20 {
        replies.go_on();
        std::thread::sleep(Duration::from_millis(10));
    }

    let subscriber = there.subscribe_for(&[0], &rr, &of("Response"), Qos::DEFAULT);
    let subscriber = subscriber.expect("a subscriber");
    ends.reader = subscriber.guid();
    let mut answers = Answers { ends, subscriber };
    let got = until("the reply comes", || {
        replies.go_on();
        answers.take()
    });
    assert_eq!(got.expect("it is one").cdr, answer);
    assert_eq!(replies.unheard(), 0);
}

#[test]
fn a_reply_waits_until_its_caller_listens() {
    // Domains of other tests begin at 1 and end at 100.
    let domain = 101 + (std::process::id() % 60) as u16;
    a_late_listener_gets_its_reply(Mapping::Cyclone, domain);
    a_late_listener_gets_its_reply(Mapping::Fast, domain + 60);
}
