//! One cut: the disk as it was at first, a writer, the moment, and what the disk has then.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::judge::{Reference, Verdict};
use crate::moment::Moment;
use crate::scene::{Part, Scene};
use crate::stack::{Cache, Mounting, Stack};
use crate::writer::{Syncing, Writer};

/// The scene's folder on the device.
const SCENE: &str = "scene";

/// Under which circumstances power is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Circumstances {
    pub(crate) part: Part,
    pub(crate) cache: Cache,
    pub(crate) mounting: Mounting,
    pub(crate) syncing: Syncing,
}

/// Undisturbed work of one part, and how it went.
pub(crate) struct Undisturbed {
    reference: Reference,
    pub(crate) acknowledgements: u64,
    pub(crate) gap: Duration,
    /// From this number of events on it is going back that is cut.
    pub(crate) going_back_from: u64,
}

/// A cut that took place.
pub(crate) struct Cut {
    pub(crate) verdict: Verdict,
    pub(crate) moment: Moment,
}

/// Makes the scene on a new device.
pub(crate) fn prepare(device: &Path) -> Result<(), Error> {
    scene_on(device).adopt()
}

impl Undisturbed {
    /// Has `part` done by a writer that nobody disturbs.
    pub(crate) fn watch(stack: &Stack, part: Part) -> Result<Self, Error> {
        stack.reset()?;
        stack.plug_in(Mounting::Ordered)?;
        let began = Instant::now();
        let writer = Writer::start(part, &stack.inner().join(SCENE), Syncing::Real)?;
        let mut acknowledgements = 0;
        while writer.next().is_some() {
            acknowledgements += 1;
        }
        let took = began.elapsed();
        writer.end()?;
        let scene = scene_on(&stack.inner());
        let reference = Reference::of(&scene)?;
        let going_back_from = scene.going_back_from()?;
        stack.unplug()?;
        let gap = took / u32::try_from(acknowledgements).unwrap_or(u32::MAX).max(1);
        Ok(Self { reference, acknowledgements, gap, going_back_from })
    }

    /// Cuts at `moment`, and judges.
    pub(crate) fn cut(
        &self,
        stack: &Stack,
        under: Circumstances,
        moment: Moment,
    ) -> Result<Cut, Error> {
        stack.reset()?;
        stack.plug_in(under.mounting)?;
        let writer = Writer::start(under.part, &stack.inner().join(SCENE), under.syncing)?;
        let mut before = 0;
        for _ in 0..moment.acknowledgements {
            before = writer.next().unwrap_or(before);
        }
        std::thread::sleep(moment.delay);
        before = writer.newest().unwrap_or(before);
        let frozen = stack.freeze(under.cache)?;
        writer.kill();
        frozen.copy_and_thaw()?;
        let all = writer.end()?.unwrap_or(before);
        stack.unplug()?;
        // Whatever was acknowledged needed nothing of the disk that it did not have when it was stopped.
        // A writer that waits for no disk goes on acknowledging until it is killed; that is not counted.
        let acknowledged = match under.syncing {
            Syncing::Real => all,
            Syncing::Pretended => before,
        };
        let scene = scene_on(&stack.after()?);
        let verdict = self.reference.judge(&scene, under.part, acknowledged);
        stack.forget_after()?;
        Ok(Cut { verdict, moment })
    }
}

fn scene_on(device: &Path) -> Scene {
    Scene::at(&device.join(SCENE))
}
