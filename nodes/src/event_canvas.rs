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

/// Pixels with up to so many events of each polarity get their colour from a table.
const TABLE: usize = 16;
/// Totals below this are counted apart, to find the brightest pixels without sorting.
const TOTALS: usize = 256;

/// Events of a pixel: ON and OFF.
type Counts = [u32; 2];

/// Events per pixel and polarity over some time.
///
/// What a picture costs follows the pixels that have events, not those of the sensor, but
/// for a copy of the night.
#[derive(Debug, Clone)]
pub struct EventCanvas {
    width: u32,
    height: u32,
    counts: Vec<Counts>,
    /// A bit for each pixel: whether it has events. So small that it stays in the cache, and
    /// read in the order of memory.
    touched: Vec<u64>,
    outside: u64,
}

impl EventCanvas {
    /// An empty canvas of `width` x `height` pixels; `None` for a sensor without
    /// pixels or with absurdly many.
    pub fn new(width: u32, height: u32) -> Option<Self> {
        let pixels = u64::from(width) * u64::from(height);
        let counts = (1..=MAX_PIXELS)
            .contains(&pixels)
            .then(|| vec![[0; 2]; pixels as usize])?;
        Some(EventCanvas {
            width,
            height,
            counts,
            touched: vec![0; (pixels as usize).div_ceil(64)],
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
            let index = (y * self.width + x) as usize;
            self.touched[index / 64] |= 1 << (index % 64);
            let count = &mut self.counts[index][usize::from(!e.on)];
            *count = count.saturating_add(1);
        }
    }

    /// Forgets all events.
    pub fn clear(&mut self) {
        for (counts, touched) in self.counts.chunks_mut(64).zip(&mut self.touched) {
            if std::mem::take(touched) != 0 {
                counts.fill([0; 2]);
            }
        }
        self.outside = 0;
    }

    /// Number of (ON, OFF) events on it.
    pub fn counts(&self) -> (u64, u64) {
        let sum = |i: usize| self.active().map(|(_, c)| u64::from(c[i])).sum();
        (sum(0), sum(1))
    }

    /// Events that lay outside the sensor.
    pub fn outside(&self) -> u64 {
        self.outside
    }

    /// Red, green and blue of all pixels, row by row: dark where nothing happened,
    /// ON and OFF in their colours and mixed where both occurred, brighter
    /// (logarithmically) where there were more.
    pub fn rgb(&self) -> Vec<u8> {
        let palette = Palette::new(self.robust_maximum());
        let mut rgb = NIGHT.repeat(self.counts.len());
        for (index, counts) in self.active() {
            rgb[3 * index..][..3].copy_from_slice(&palette.color(counts));
        }
        rgb
    }

    /// The pixels with events, with their indices.
    fn active(&self) -> impl Iterator<Item = (usize, Counts)> {
        let words = self.touched.iter().enumerate();
        words.flat_map(move |(i, &word)| {
            let mut left = word;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros() as usize;
                left &= left.checked_sub(1)?;
                Some((64 * i + bit, self.counts[64 * i + bit]))
            })
        })
    }

    /// The 99.5th percentile of the pixels with events: a few hot pixels must not darken the
    /// rest.
    fn robust_maximum(&self) -> f64 {
        let total = |(_, [on, off]): (usize, Counts)| on.saturating_add(off);
        let mut pixels = [0_usize; TOTALS];
        for total in self.active().map(total) {
            pixels[(total as usize).min(TOTALS - 1)] += 1;
        }
        let active: usize = pixels.iter().sum();
        let Some(last) = active.checked_sub(1) else {
            return 1.0;
        };
        let mut index = last * 995 / 1000;
        for (total, count) in pixels.iter().enumerate().take(TOTALS - 1) {
            if index < *count {
                return total as f64;
            }
            index -= count;
        }
        let many = |total: &u32| *total as usize >= TOTALS - 1;
        let mut many: Vec<u32> = self.active().map(total).filter(many).collect();
        f64::from(*many.select_nth_unstable(index).1)
    }
}

/// The colours of a picture.
struct Palette {
    /// Logarithm of the number of events that are as bright as can be.
    full: f64,
    /// Of pixels with few events, as most are: by ON, then by OFF.
    table: [[[u8; 3]; TABLE]; TABLE],
}

impl Palette {
    fn new(maximum: f64) -> Self {
        let full = (maximum + 1.0).ln();
        let mut table = [[NIGHT; TABLE]; TABLE];
        for (on, row) in table.iter_mut().enumerate() {
            for (off, color) in row.iter_mut().enumerate() {
                *color = mix(full, [on as u32, off as u32]);
            }
        }
        Palette { full, table }
    }

    fn color(&self, [on, off]: Counts) -> [u8; 3] {
        let of_on = self.table.get(on as usize);
        let known = of_on.and_then(|row| row.get(off as usize));
        known.copied().unwrap_or_else(|| mix(self.full, [on, off]))
    }
}

/// The colour of a pixel, of which the brightness grows with the logarithm of its events.
fn mix(full: f64, [on, off]: Counts) -> [u8; 3] {
    let total = f64::from(on) + f64::from(off);
    if total == 0.0 {
        return NIGHT;
    }
    let strength = 0.15 + 0.85 * ((total + 1.0).ln() / full).min(1.0);
    let on_share = f64::from(on) / total;
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

    /// The picture by its definition: every pixel by itself, the brightest by sorting.
    fn by_definition(canvas: &EventCanvas) -> Vec<u8> {
        let total = |c: &Counts| c[0] + c[1];
        let mut totals: Vec<u32> = canvas.counts.iter().map(total).collect();
        totals.retain(|&n| n > 0);
        totals.sort_unstable();
        let full = f64::from(totals[(totals.len() - 1) * 995 / 1000]);
        let color = |c: &Counts| mix((full + 1.0).ln(), *c);
        canvas.counts.iter().flat_map(color).collect()
    }

    #[test]
    fn pictures_of_few_and_of_many_events_are_as_defined() {
        // How often each pixel's turn comes: once, so often that the table does not know it,
        // and so often that all are beyond the totals that are counted.
        for rounds in [1, 3, 40, 700] {
            let mut canvas = EventCanvas::new(31, 17).expect("a sensor");
            for (i, round) in (0..rounds).flat_map(|r| (0..400_u32).map(move |i| (i, r))) {
                let (x, y) = (i * 7 % 31, i * 5 % 17);
                if (x + y + round) % 4 != 0 {
                    canvas.add([event(x as u16, y as u16, (x + round) % 3 == 0)]);
                }
            }
            assert_eq!(canvas.rgb(), by_definition(&canvas), "{rounds} rounds");
            canvas.clear();
            assert_eq!(
                (canvas.counts(), canvas.rgb()),
                ((0, 0), NIGHT.repeat(31 * 17))
            );
        }
    }

    #[test]
    fn an_absurd_sensor_is_refused_without_allocating() {
        assert!(EventCanvas::new(0, 5).is_none());
        assert!(EventCanvas::new(u32::MAX, u32::MAX).is_none());
    }
}
