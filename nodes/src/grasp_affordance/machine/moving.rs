//! In motion: from reaching to rest, watched all the way.

use super::*;

impl Machine {
    /// Stops what must not go on.
    pub(super) fn watch(&mut self, ctx: &mut Context<'_>) {
        if let Some(reason) = self.unfit(ctx.now_ns) {
            self.stop(reason, "stopped", GoalStatus::Aborted, ctx);
        } else if self.running != [None; 2] && ctx.now_ns > self.late_ns {
            self.stop(
                "the motion did not end in time",
                "failed",
                GoalStatus::Aborted,
                ctx,
            );
        } else if self.running == [None; 2] {
            self.advance(ctx);
        }
        if matches!(self.state, State::Lifting | State::Holding) {
            self.check_hold(ctx);
        }
    }

    /// Goes on to the next state once the present one has ended.
    pub(super) fn advance(&mut self, ctx: &mut Context<'_>) {
        let Some(task) = &self.task else { return };
        let plan = task.plan.clone();
        let (Some(plan), Some(ended_ns)) = (plan, self.ended_ns) else {
            return;
        };
        let waited = ctx.now_ns - ended_ns >= self.settings.settle_ns;
        let recipe = task.class.map(plan::recipe);
        match (self.state, recipe) {
            (State::Reaching, _) => {
                self.enter(State::Descending, "at the pre-grasp", ctx);
                self.send_arm(&plan.descend, ctx);
            }
            (State::Descending, Some(recipe)) => {
                self.enter(State::Closing, "at the grasp", ctx);
                self.send_hand(recipe.closing, ctx);
            }
            (State::Closing, Some(recipe)) if waited => self.closed(recipe, &plan, ctx),
            (State::Lifting, _) => {
                self.enter(State::Holding, "lifted", ctx);
                self.ended_ns = Some(ctx.now_ns);
            }
            (State::Holding, _) if ctx.now_ns - self.since_ns >= self.settings.hold_ns => {
                let reason = match self.task.as_ref().and_then(|t| t.verdict.as_ref()) {
                    Some(verdict) => verdict.reason.clone(),
                    None => format!("held for {:.1} s", self.settings.hold_ns as f64 / 1e9),
                };
                self.enter(State::PuttingBack, reason, ctx);
                self.send_arm(&plan.put_back, ctx);
            }
            (State::PuttingBack, Some(recipe)) => {
                self.enter(State::Opening, "down again", ctx);
                self.send_hand(&[recipe.open], ctx);
            }
            (State::Opening, _) if waited => {
                self.enter(State::Retreating, "let go", ctx);
                self.send_arm(&plan.retreat, ctx);
            }
            (State::Recovering, _) if waited => {
                self.enter(State::Retreating, "hand open", ctx);
                self.send_arm(&plan.retreat, ctx);
            }
            (State::Retreating, _) => {
                self.enter(State::Homing, "away from the object", ctx);
                self.send_hand(&[HAND_OPEN], ctx);
                self.send_arm(&plan.home, ctx);
            }
            (State::Homing, _) => self.back(ctx),
            _ => {}
        }
    }

    /// The fingers have stopped: on an object, or on nothing?
    pub(super) fn closed(&mut self, recipe: &Recipe, plan: &Plan, ctx: &mut Context<'_>) {
        let stalled = self.stalled(recipe);
        if stalled >= self.settings.contact_joints {
            self.enter(
                State::Lifting,
                format!("contact at {stalled} finger joints"),
                ctx,
            );
            self.send_arm(&plan.lift, ctx);
            return;
        }
        let reason = format!("fingers closed on nothing: contact at {stalled} joints");
        if let Some(task) = &mut self.task {
            task.verdict = Some(Verdict::failed(reason.clone()));
        }
        self.enter(State::Opening, reason, ctx);
        self.send_hand(&[recipe.open], ctx);
    }

    /// Finger joints that did not arrive where they were sent.
    pub(super) fn stalled(&self, recipe: &Recipe) -> usize {
        let Some(hand) = self.senses.hand else {
            return 0;
        };
        let gap = |k: usize| recipe.closed()[k] - hand.value[k];
        FLEXION
            .filter(|k| gap(*k) > self.settings.contact_gap)
            .count()
    }

    /// Notes when the object has slipped out of the hand.
    pub(super) fn check_hold(&mut self, ctx: &mut Context<'_>) {
        let Some(class) = self.task.as_ref().and_then(|t| t.class) else {
            return;
        };
        let stalled = self.stalled(plan::recipe(class));
        if stalled >= self.settings.contact_joints {
            return;
        }
        if let Some(task) = &mut self.task
            && task.verdict.is_none()
        {
            let reason = format!("the object slipped: contact at {stalled} finger joints");
            ctx.log(Level::Warn, reason.clone());
            task.verdict = Some(Verdict::failed(reason));
        }
    }

    /// The arm is at rest again.
    pub(super) fn back(&mut self, ctx: &mut Context<'_>) {
        let Some(task) = &mut self.task else { return };
        // After a recovery the goal itself is still to do.
        if task.class.is_none() {
            task.plan = None;
            self.look("arm at rest again", ctx);
            return;
        }
        let verdict = task.verdict.take().unwrap_or(Verdict {
            success: true,
            outcome: "grasped",
            reason: "lifted, held and put back".to_owned(),
        });
        let status = if verdict.success {
            GoalStatus::Succeeded
        } else {
            GoalStatus::Aborted
        };
        self.finish(verdict, status, ctx);
    }

    /// Goes home from wherever a stopped motion left the arm.
    pub(super) fn recover(&mut self, ctx: &mut Context<'_>) {
        let Some(start) = self.senses.arm else { return };
        let Some(plan) = plan::recovery(&self.arm, &start.value, &self.settings.space) else {
            self.refuse("the arm is not at rest and has no clear way there", ctx);
            return;
        };
        if let Some(task) = &mut self.task {
            task.plan = Some(plan);
        }
        self.enter(State::Recovering, "the arm is not at rest", ctx);
        self.send_hand(&[HAND_OPEN], ctx);
    }
}
