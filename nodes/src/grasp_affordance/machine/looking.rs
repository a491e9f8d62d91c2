//! Before any motion: look, decide, find the object, plan; or refuse.

use super::*;

impl Machine {
    /// Why nothing may be begun or gone on with now.
    pub(super) fn unfit(&self, now_ns: i64) -> Option<String> {
        let stale = || {
            let most_ns = self.settings.stale_joints_ns;
            self.senses.joints_stale(now_ns, most_ns)
        };
        self.held().or_else(stale)
    }

    pub(super) fn look(&mut self, reason: impl Into<String>, ctx: &mut Context<'_>) {
        self.senses.record();
        if let Some(task) = &mut self.task {
            task.looks += 1;
            task.saccade = None;
            task.decision = None;
            task.stands = None;
        }
        self.enter(State::Looking, reason, ctx);
        ctx.call("microsaccade", trigger::Request::default());
    }

    /// Acts on the final decision once it is there.
    pub(super) fn decide(&mut self, ctx: &mut Context<'_>) {
        let Some(task) = &mut self.task else { return };
        let Some(decision) = &task.decision else {
            if ctx.now_ns - self.since_ns > self.settings.decision_timeout_ns {
                self.refuse("no final decision of the saccade came in time", ctx);
            }
            return;
        };
        let (label, confidence) = (decision.label.clone(), f64::from(decision.confidence));
        let class = Class::from_id(i64::from(decision.class_id));
        task.class = class;
        let least = self.settings.confidence_min;
        let unsure = format!("confidence {confidence:.2} for {label} is under {least:.2}");
        if confidence.is_nan() || confidence < 0.0 {
            self.refuse(unsure, ctx);
        } else if confidence < least {
            self.doubt(unsure, ctx);
        } else if class.is_some_and(|c| c.name() != label) {
            self.refuse(
                format!("class id and label '{label}' of the decision disagree"),
                ctx,
            );
        } else if class.is_some() {
            self.enter(
                State::Locating,
                format!("{label}, confidence {confidence:.2}"),
                ctx,
            );
            self.locate(ctx);
        } else if label == saccade_msgs::CLASSES[3] {
            let reason = "nothing lies there";
            self.finish(
                Verdict {
                    success: false,
                    outcome: "background",
                    reason: reason.into(),
                },
                GoalStatus::Succeeded,
                ctx,
            );
        } else {
            self.refuse(format!("'{label}' is nothing that can be grasped"), ctx);
        }
    }

    /// Finds the object, once tf covers the saccade.
    pub(super) fn locate(&mut self, ctx: &mut Context<'_>) {
        match self.try_locate(ctx.now_ns) {
            Ok(Some((class, found))) => {
                if let Some(task) = &mut self.task {
                    task.found = Some(found);
                }
                let (frame, table) = (&self.settings.world_frame, self.settings.area.table);
                ctx.publish(
                    "object_pose",
                    report::object(class, &found, table, frame, ctx.stamp()),
                );
                let p = found.place;
                let reason = format!(
                    "{} at ({:.3}, {:.3}) m, yaw {:.2} rad, size {:.2}, fit {:.2}, margin {:.2}",
                    class.name(),
                    p.x,
                    p.y,
                    p.yaw,
                    p.scale,
                    found.score,
                    found.margin
                );
                self.enter(State::Planning, reason, ctx);
                self.plan(class, &found, ctx);
            }
            Ok(None) => {}
            Err(reason) => self.doubt(reason, ctx),
        }
    }

    /// Looks again, or refuses when it has looked often enough. Nothing has moved.
    pub(super) fn doubt(&mut self, reason: String, ctx: &mut Context<'_>) {
        let looks = self.task.as_ref().map_or(0, |t| t.looks);
        if looks < self.settings.looks && self.unfit(ctx.now_ns).is_none() {
            self.look(format!("{reason}: looking again"), ctx);
        } else {
            self.refuse(reason, ctx);
        }
    }

    /// `Ok(None)`: tf does not cover the saccade yet.
    pub(super) fn try_locate(&mut self, now_ns: i64) -> Result<Option<(Class, Located)>, String> {
        let settings = &self.settings;
        if let Some(reason) = self.unfit(now_ns) {
            return Err(reason);
        }
        if let Some(reason) = self.senses.events_stale(now_ns, settings.stale_events_ns) {
            return Err(reason);
        }
        let Some(Task {
            class: Some(class),
            saccade: Some(saccade),
            ..
        }) = self.task
        else {
            return Err("no decision to act on".to_owned());
        };
        let end_ns = saccade.end_ns.unwrap_or(now_ns);
        let Some((camera, frame)) = self.senses.camera.clone() else {
            let why = self.senses.camera_refused.clone();
            return Err(why.unwrap_or_else(|| "no calibration on 'camera_info'".to_owned()));
        };
        let path =
            match self
                .senses
                .camera_path(&settings.world_frame, &frame, saccade.onset_ns, end_ns)
            {
                Ok(path) => path,
                Err(TfError::Extrapolation { .. })
                    if now_ns - self.since_ns < settings.stale_joints_ns =>
                {
                    return Ok(None);
                }
                Err(error) => return Err(error.to_string()),
            };
        let events = self.senses.events_between(saccade.onset_ns, end_ns);
        if events.len() < settings.events_min {
            let (have, least) = (events.len(), settings.events_min);
            return Err(format!(
                "only {have} events in the saccade, at least {least} are needed"
            ));
        }
        // Objects are a few centimetres high: events come from over the table.
        let seen = gather(events, &path, &camera, settings.area.table + 0.02)
            .ok_or("the eye did not move during the saccade")?;
        let found = locate(class, &seen, &camera, &settings.area)
            .ok_or("no outline of the object lies in the image")?;
        self.senses.recording = false;
        let (p, name) = (found.place, class.name());
        if found.score < settings.score_min {
            let (score, least) = (found.score, settings.score_min);
            return Err(format!(
                "no {name} found: best fit {score:.2} is under {least:.2}"
            ));
        }
        if found.margin < settings.margin_min {
            let (margin, least) = (found.margin, settings.margin_min);
            return Err(format!(
                "{name} could be in two places: margin {margin:.2} is under {least:.2}"
            ));
        }
        if !settings.area.contains(p.x, p.y, settings.area_margin) {
            return Err(format!(
                "{name} at ({:.3}, {:.3}) m is outside the area",
                p.x, p.y
            ));
        }
        Ok(Some((class, found)))
    }

    pub(super) fn plan(&mut self, class: Class, found: &Located, ctx: &mut Context<'_>) {
        let Some(start) = self.senses.arm else { return };
        let space = &self.settings.space;
        let planned = match plan::plan(&self.arm, class, &found.place, &start.value, space) {
            Ok(planned) => planned,
            Err(error) => {
                self.refuse(error.to_string(), ctx);
                return;
            }
        };
        let parts = planned.parts();
        let left = |way: &&Trajectory| self.settings.work_box.left_at(&self.arm, way);
        if let Some(at) = parts.iter().find_map(left) {
            self.refuse(left_box(at), ctx);
            return;
        }
        let (frame, table) = (self.settings.world_frame.clone(), self.settings.area.table);
        ctx.publish(
            "planned",
            report::arm_trajectory(&[&planned.reach, &planned.descend]),
        );
        let mut markers = report::markers(
            class,
            found,
            table,
            Some(&planned.grasp),
            &frame,
            ctx.stamp(),
        );
        if self.settings.dry_run {
            let ways = report::ways(&self.arm, &parts, &frame, ctx.stamp());
            markers.markers.extend(ways);
        }
        ctx.publish("markers", markers);
        if self.settings.dry_run {
            let verdict = Verdict {
                success: false,
                outcome: "planned",
                reason: "dry_run: nothing moves".to_owned(),
            };
            self.finish(verdict, GoalStatus::Succeeded, ctx);
            return;
        }
        let reason = format!("way of {:.1} s found", planned.reach.duration());
        let recipe = plan::recipe(class);
        self.enter(State::Reaching, reason, ctx);
        self.send_hand(&[recipe.open], ctx);
        self.send_arm(&planned.reach, ctx);
        if let Some(task) = &mut self.task {
            task.plan = Some(planned);
        }
    }
}
