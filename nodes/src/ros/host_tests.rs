//! A run on a middleware that is played here.

use super::*;
use crate::host::{NodeSpec, RunOptions};
use crate::ros::{Ask, Client, Identity, Reply, Server};
use saccade_msgs::event_camera_msgs::EventPacket;
use std::collections::VecDeque;

const TOPIC: &str = "/camera/events";
type Mail = Arc<Mutex<VecDeque<Incoming>>>;

/// On [`TOPIC`] others are heard, else nobody; nobody hears.
struct Played(Mail);

/// All ends of it.
struct End(Mail);

impl Publish for End {
    fn publish(&self, _: Vec<u8>) -> Result<(), NetworkError> {
        Ok(())
    }
    fn is_heard(&self) -> bool {
        false
    }
}

impl Receive for End {
    fn rang(&self) -> bool {
        true
    }
    fn ring(&self) {}
    fn take(&mut self) -> Option<Result<Incoming, NetworkError>> {
        lock(&self.0).pop_front().map(Ok)
    }
}

impl Reply for End {
    fn reply(&self, _: &Identity, _: Vec<u8>) -> Result<(), NetworkError> {
        Ok(())
    }
}

impl Ask for End {
    fn is_heard(&self) -> bool {
        false
    }
    fn ask(&self, _: Vec<u8>) -> Result<i64, NetworkError> {
        Ok(0)
    }
}

fn end() -> Box<End> {
    Box::new(End(Mail::default()))
}

impl Middleware for Played {
    fn add_node(&mut self, _: &str, _: &str) -> Result<(), NetworkError> {
        Ok(())
    }
    fn publisher(
        &mut self,
        _: usize,
        _: &str,
        _: &str,
        _: Qos,
    ) -> Result<Box<dyn Publish>, NetworkError> {
        Ok(end())
    }
    fn subscriber(
        &mut self,
        _: &[usize],
        topic: &str,
        _: &str,
        _: Qos,
    ) -> Result<Box<dyn Receive>, NetworkError> {
        Ok(match topic {
            TOPIC => Box::new(End(self.0.clone())),
            _ => end(),
        })
    }
    fn server(&mut self, _: usize, _: &str, _: &str, _: Qos) -> Result<Server, NetworkError> {
        Ok((end(), end()))
    }
    fn client(&mut self, _: usize, _: &str, _: &str) -> Result<Client, NetworkError> {
        Ok((end(), end()))
    }
    fn announce(&mut self) -> Result<(), NetworkError> {
        Ok(())
    }
    fn type_of(&self, _: &[u8; 16]) -> Option<String> {
        None
    }
    fn wait(&mut self, _: Duration) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Messages that others have sent and that did not arrive are in the node's account.
#[test]
fn what_did_not_arrive_is_counted() {
    let cdr = Payload::new(EventPacket::default()).cdr().into_owned();
    let mail = [4, 5, 9, 10, 12].map(|number| Incoming {
        cdr: cdr.clone(),
        of: Identity {
            writer: [7; 16],
            number,
            ..Identity::default()
        },
    });
    let mail = Arc::new(Mutex::new(VecDeque::from(mail)));
    let (given, stop) = (mail.clone(), Arc::<AtomicBool>::default());
    let options = RunOptions {
        stop: stop.clone(),
        network: Some(connect(move || Ok(Played(given)))),
        ..RunOptions::default()
    };
    let specs = [NodeSpec::new("event_image").remap("events", TOPIC)];
    let run = std::thread::spawn(move || crate::realtime::run(&specs, options));
    while !lock(&mail).is_empty() {
        assert!(!run.is_finished(), "{:?}", run.join());
        std::thread::sleep(Duration::from_millis(1));
    }
    stop.store(true, Ordering::Relaxed);
    let report = run.join().expect("no panic").expect("it runs");
    let lost = "/event_image /camera/events (of others) lost";
    assert_eq!(report.dropped.get(lost), Some(&4), "{report:?}");
}
