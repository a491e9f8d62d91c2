//! DDS as what carries the messages of a run: [`connect`].

use std::sync::Mutex;
use std::time::Duration;

use super::names::{check_token, dds_topic, dds_type, service_topics};
use super::service::{Answers, Client, Ends, Replies, Requests};
use super::{Mapping, Options, Participant, Publisher, Subscriber, lock};
use crate::interface::Qos;
use crate::network::Connect;
use crate::ros::{self, Identity, Incoming, Middleware, NetworkError, Publish, Receive};

/// Joins the domain with all nodes of a real-time run.
pub fn connect(options: Options) -> Connect {
    ros::connect(move || {
        let options = Options {
            node: String::new(),
            // Nodes must not wait.
            patience_ms: 0,
            ..options
        };
        Ok(Member {
            mapping: options.mapping,
            participant: Participant::join(&options)?,
        })
    })
}

/// A participant, and how its services are called.
pub(super) struct Member {
    pub participant: Participant,
    pub mapping: Mapping,
}

impl Middleware for Member {
    fn add_node(&mut self, namespace: &str, name: &str) -> Result<(), NetworkError> {
        check_token("node", name, name)?;
        self.participant.add_node(namespace, name);
        Ok(())
    }

    fn publisher(
        &mut self,
        node: usize,
        topic: &str,
        type_name: &str,
        qos: Qos,
    ) -> Result<Box<dyn Publish>, NetworkError> {
        let (topic, type_name) = (dds_topic(topic)?, dds_type(type_name)?);
        let publisher = (self.participant).publish_for(node, &topic, &type_name, qos)?;
        Ok(Box::new(Mutex::new(publisher)))
    }

    fn subscriber(
        &mut self,
        nodes: &[usize],
        topic: &str,
        type_name: &str,
        qos: Qos,
    ) -> Result<Box<dyn Receive>, NetworkError> {
        let (topic, type_name) = (dds_topic(topic)?, dds_type(type_name)?);
        let subscriber = (self.participant).subscribe_for(nodes, &topic, &type_name, qos)?;
        Ok(Box::new(subscriber))
    }

    fn server(
        &mut self,
        node: usize,
        name: &str,
        type_name: &str,
        qos: Qos,
    ) -> Result<ros::Server, NetworkError> {
        let (rq, rr) = service_topics(name)?;
        let of = |part: &str| dds_type(&format!("{type_name}_{part}"));
        let mapping = self.mapping;
        let subscriber = (self.participant).subscribe_for(&[node], &rq, &of("Request")?, qos)?;
        let publisher = (self.participant).publish_for(node, &rr, &of("Response")?, qos)?;
        let requests = Requests {
            mapping,
            subscriber,
        };
        let replies = Replies { mapping, publisher };
        Ok((Box::new(requests), Box::new(Mutex::new(replies))))
    }

    fn client(
        &mut self,
        node: usize,
        name: &str,
        type_name: &str,
    ) -> Result<ros::Client, NetworkError> {
        let (rq, rr) = service_topics(name)?;
        let of = |part: &str| dds_type(&format!("{type_name}_{part}"));
        let (request, response) = (of("Request")?, of("Response")?);
        let publisher = (self.participant).publish_for(node, &rq, &request, Qos::DEFAULT)?;
        let subscriber = (self.participant).subscribe_for(&[node], &rr, &response, Qos::DEFAULT)?;
        let ends = Ends {
            mapping: self.mapping,
            writer: publisher.guid(),
            reader: subscriber.guid(),
        };
        let answers = Answers { ends, subscriber };
        Ok((Box::new(answers), Box::new(Client::new(ends, publisher))))
    }

    fn announce(&mut self) -> Result<(), NetworkError> {
        Ok(self.participant.announce()?)
    }

    // The DDS underneath matches topics by name alone.
    fn type_of(&self, publisher: &[u8; 16]) -> Option<String> {
        self.participant.type_of(publisher)
    }

    fn wait(&mut self, limit: Duration) {
        self.participant.wait(limit);
    }
}

impl Publish for Mutex<Publisher> {
    fn publish(&self, cdr: Vec<u8>) -> Result<(), NetworkError> {
        Ok(lock(self).publish(cdr)?)
    }

    fn is_heard(&self) -> bool {
        lock(self).matched() > 0
    }
}

impl Receive for Subscriber {
    fn rang(&self) -> bool {
        Subscriber::rang(self)
    }

    fn ring(&self) {
        Subscriber::ring(self);
    }

    fn take(&mut self) -> Option<Result<Incoming, NetworkError>> {
        let received = Subscriber::take(self)?;
        Some(Ok(Incoming {
            cdr: received.cdr,
            of: Identity {
                writer: received.publisher,
                number: received.sequence,
                ..Identity::default()
            },
        }))
    }
}
