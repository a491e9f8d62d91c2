//! What the node is asked for: to learn, to forget, and maps.

use super::PlaceRecognition;
use crate::node::{Context, Level};
use crate::payload::Payload;
use saccade_msgs::saccade_msgs::PlaceMap as MapMessage;
use saccade_msgs::std_srvs::{set_bool, trigger};

impl PlaceRecognition {
    pub(super) fn serve(
        &mut self,
        service: &'static str,
        id: u64,
        payload: &Payload,
        ctx: &mut Context<'_>,
    ) {
        if service == "learn" {
            let answer = match payload.get::<set_bool::Request>() {
                Ok(request) => {
                    self.learn = request.data;
                    let message = if self.learn {
                        "learns"
                    } else {
                        "does not learn"
                    };
                    (true, message.to_owned())
                }
                Err(error) => (false, error.to_string()),
            };
            let (success, message) = answer;
            return ctx.respond(service, id, set_bool::Response { success, message });
        }
        let (success, message) = match self.asked(service, ctx) {
            Ok(message) => (true, message),
            Err(message) => (false, message),
        };
        ctx.respond(service, id, trigger::Response { success, message });
    }

    fn asked(&mut self, service: &str, ctx: &mut Context<'_>) -> Result<String, String> {
        let known = self.places.map.len();
        match service {
            "forget" => {
                self.places.map.clear();
                Ok(format!("{known} places forgotten"))
            }
            "save_map" => {
                let mut message = MapMessage {
                    network: self.places.map.network().to_owned(),
                    places: known as u64,
                    data: self.places.map.to_bytes().map_err(|e| e.to_string())?,
                    ..MapMessage::default()
                };
                message.header.stamp = ctx.stamp();
                message.header.frame_id.clone_from(&self.map_frame);
                ctx.publish("place_map", message);
                Ok(format!("{known} places published on place_map"))
            }
            _ => {
                let Some(map) = &self.places.of_file else {
                    let what = "parameter 'map' named no file; publish a map on place_map_in";
                    return Err(what.to_owned());
                };
                self.places.map = map.clone();
                Ok(format!("{} places", self.places.map.len()))
            }
        }
    }

    pub(super) fn load(&mut self, message: &MapMessage, ctx: &mut Context<'_>) {
        match self.places.replace(&message.data) {
            Ok(()) => {
                let text = format!("knows {} places from now on", self.places.map.len());
                ctx.log(Level::Info, text);
            }
            Err(error) => {
                self.counts.maps_refused += 1;
                let text = format!("the map on place_map_in is not taken: {error}");
                ctx.log(Level::Error, text);
            }
        }
    }
}
