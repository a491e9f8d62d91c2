//! Events summed into a picture, one pixel a pixel.

use saccade_msgs::Event;

/// Colour of pixels without events.
pub const NIGHT: [u8; 3] = [16, 20, 28];
/// Colour of ON events.
pub const ON: [u8; 3] = [255, 183, 3];
/// Colour of OFF events.
pub const OFF: [u8; 3] = [76, 169, 255];

/// Pixels of the largest sensor there is, several times over; a header that
/// claims more is not believed.
const MAX_PIXELS: u64 = 1 << 26;

/// Events per pixel and polarity over some time.
#[derive(Debug, Clone)]
pub struct EventCanvas {
    width: u32,
    height: u32,
    on: Vec<u32>,
    off: Vec<u32>,
    outside: u64,
}

impl EventCanvas {
    /// An empty canvas of `width` x `height` pixels; `None` for a sensor without
    /// pixels or with absurdly many.
    pub fn new(width: u32, height: u32) -> Option<Self> {
        let pixels = u64::from(width) * u64::from(height);
        let empty = (1..=MAX_PIXELS)
            .contains(&pixels)
            .then(|| vec![0; pixels as usize])?;
        Some(EventCanvas {
            width,
            height,
            on: empty.clone(),
            off: empty,
            outside: 0,
        })
    }

    /// Columns and rows.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Adds events; those outside the sensor are counted apart.
    pub fn add(&mut self, events: impl IntoIterator<Item = Event>) {
        for e in events {
            let (x, y) = (u32::from(e.x), u32::from(e.y));
            if x >= self.width || y >= self.height {
                self.outside += 1;
                continue;
            }
            let counts = if e.on { &mut self.on } else { &mut self.off };
            counts[(y * self.width + x) as usize] += 1;
        }
    }

    /// Forgets all events.
    pub fn clear(&mut self) {
        self.on.fill(0);
        self.off.fill(0);
        self.outside = 0;
    }

    /// Number of (ON, OFF) events on it.
    pub fn counts(&self) -> (u64, u64) {
        let sum = |c: &[u32]| c.iter().map(|&n| u64::from(n)).sum();
        (sum(&self.on), sum(&self.off))
    }

    /// Events that lay outside the sensor.
    pub fn outside(&self) -> u64 {
        self.outside
    }

    /// Red, green and blue of all pixels, row by row: dark where nothing happened,
    /// ON and OFF in their colours and mixed where both occurred, brighter
    /// (logarithmically) where there were more.
    pub fn rgb(&self) -> Vec<u8> {
        let pixels = || self.on.iter().zip(&self.off);
        // A few hot pixels must not darken the rest.
        let full = robust_maximum(pixels().map(|(a, b)| a.saturating_add(*b)));
        let full = (full + 1.0).ln();
        let color = |(&on, &off): (&u32, &u32)| {
            let total = f64::from(on) + f64::from(off);
            if total == 0.0 {
                return NIGHT;
            }
            let strength = 0.15 + 0.85 * ((total + 1.0).ln() / full).min(1.0);
            mix(strength, f64::from(on) / total)
        };
        pixels().flat_map(color).collect()
    }
}

/// The 99.5th percentile of the pixels with events.
fn robust_maximum(counts: impl Iterator<Item = u32>) -> f64 {
    let mut active: Vec<u32> = counts.filter(|&n| n > 0).collect();
    if active.is_empty() {
        return 1.0;
    }
    let index = (active.len() - 1) * 995 / 1000;
    f64::from(*active.select_nth_unstable(index).1)
}

fn mix(strength: f64, on_share: f64) -> [u8; 3] {
    [0, 1, 2].map(|i| {
        let night = f64::from(NIGHT[i]);
        let color = f64::from(ON[i]) * on_share + f64::from(OFF[i]) * (1.0 - on_share);
        (night + (color - night) * strength).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(x: u16, y: u16, on: bool) -> Event {
        Event { t_us: 0, x, y, on }
    }

    #[test]
    fn events_land_on_their_pixels_in_their_colours() {
        let mut canvas = EventCanvas::new(4, 3).expect("a sensor");
        canvas.add([event(1, 2, true), event(3, 0, false), event(4, 0, true)]);
        assert_eq!((canvas.counts(), canvas.outside()), ((1, 1), 1));
        let rgb = canvas.rgb();
        let pixel = |x: usize, y: usize| &rgb[3 * (4 * y + x)..][..3];
        assert_eq!(pixel(1, 2), ON);
        assert_eq!(pixel(3, 0), OFF);
        assert_eq!(pixel(0, 0), NIGHT);
        canvas.clear();
        assert!(canvas.rgb().chunks(3).all(|pixel| pixel == NIGHT));
    }

    #[test]
    fn an_absurd_sensor_is_refused_without_allocating() {
        assert!(EventCanvas::new(0, 5).is_none());
        assert!(EventCanvas::new(u32::MAX, u32::MAX).is_none());
    }
}
