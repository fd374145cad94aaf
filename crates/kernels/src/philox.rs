//! Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3").
//!
//! Value `i` of a stream is a pure function of (seed, stream, i), so any part can be computed anywhere, in any
//! order, on any device, with the same bits. Normals are Box-Muller over our own logarithm, sine and cosine,
//! made of integer operations, add, multiply, explicit fused multiply-add and the correctly rounded square root
//! only: the math libraries of different machines differ in their last bits, these operations do not.

const MULTIPLIER: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// One block: four 32-bit words from a 128-bit counter and a 64-bit key.
#[inline]
pub fn philox4x32(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        let p0 = u64::from(MULTIPLIER[0]) * u64::from(counter[0]);
        let p1 = u64::from(MULTIPLIER[1]) * u64::from(counter[2]);
        counter =
            [(p1 >> 32) as u32 ^ counter[1] ^ key[0], p1 as u32, (p0 >> 32) as u32 ^ counter[3] ^ key[1], p0 as u32];
    }
    counter
}

/// A position in one stream of random numbers. Copy it to replay from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Philox {
    seed: u64,
    stream: u64,
    /// Index of the next 32-bit word.
    position: u64,
}

impl Philox {
    /// The start of stream `stream` of `seed`. Streams never overlap.
    pub fn new(seed: u64, stream: u64) -> Self {
        Self { seed, stream, position: 0 }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The number of the stream.
    pub fn stream(&self) -> u64 {
        self.stream
    }

    /// The index of the next 32-bit word.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Continues at word `position`.
    pub fn at(self, position: u64) -> Self {
        Self { position, ..self }
    }

    /// The four words of block `block`.
    #[inline]
    pub fn block(&self, block: u64) -> [u32; 4] {
        let counter = [block as u32, (block >> 32) as u32, self.stream as u32, (self.stream >> 32) as u32];
        philox4x32(counter, [self.seed as u32, (self.seed >> 32) as u32])
    }

    /// The next 32 bits.
    pub fn next_u32(&mut self) -> u32 {
        let word = self.block(self.position / 4)[(self.position % 4) as usize];
        self.position += 1;
        word
    }

    /// Uniform in [0, 1), a multiple of 2^-24.
    pub fn uniform(&mut self) -> f32 {
        to_unit(self.next_u32())
    }

    /// Uniform in [low, high]: high itself only where rounding gives it.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.uniform()
    }

    /// Uniform integer in 0..n; n must not be 0. Unbiased (rejection).
    pub fn below(&mut self, n: u32) -> u32 {
        assert!(n > 0, "below: n must be positive");
        let zone = u32::MAX - (u32::MAX - n + 1) % n;
        loop {
            let word = self.next_u32();
            if word <= zone {
                return word % n;
            }
        }
    }

    /// One standard normal (half of a pair: consumes two words).
    pub fn normal(&mut self) -> f32 {
        let (a, b) = (self.next_u32(), self.next_u32());
        box_muller(a, b).0
    }

    /// A random permutation of the slice (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u32 + 1) as usize);
        }
    }

    /// Moves to the next block boundary and past `blocks` blocks; returns the first of them.
    pub fn take_blocks(&mut self, blocks: u64) -> u64 {
        let first = self.position.div_ceil(4);
        self.position = (first + blocks) * 4;
        first
    }
}

/// Uniform in [0, 1): the upper 24 bits, exactly.
#[inline]
pub fn to_unit(word: u32) -> f32 {
    (word >> 8) as f32 * (1.0 / 16_777_216.0)
}

/// Two independent standard normals from two words (Box and Muller 1958):
/// sqrt(-2 ln u) * (cos 2 pi v, sin 2 pi v), u in (0, 1), v in [0, 1).
#[inline]
pub fn box_muller(a: u32, b: u32) -> (f32, f32) {
    // u = (a + 1/2) / 2^32 lies in (0, 1); its logarithm is computed from the integer, so nothing rounds to 1 early.
    let radius = (-2.0 * ln_fraction(a)).sqrt();
    let (sin, cos) = sin_cos_turn(b);
    (radius * cos, radius * sin)
}

/// ln((a + 1/2) / 2^32), from integer operations and a polynomial; absolute error below 3e-7.
#[inline]
fn ln_fraction(a: u32) -> f32 {
    // x = 2a + 1 in [1, 2^33); x = m * 2^e with m in [sqrt(1/2), sqrt(2)).
    let x = (u64::from(a) << 1) | 1;
    let top = 63 - x.leading_zeros() as i32;
    // 23 bits below the leading one, truncated.
    let mantissa = if top >= 23 { (x >> (top - 23)) as u32 } else { (x << (23 - top)) as u32 } & 0x007F_FFFF;
    let mut m = f32::from_bits(0x3F80_0000 | mantissa);
    let mut e = top - 33;
    if m > std::f32::consts::SQRT_2 {
        m *= 0.5;
        e += 1;
    }
    // ln m = 2 atanh(s), s = (m - 1) / (m + 1): a series in s^2, |s| <= 0.1716. The division is correctly rounded too.
    let s = (m - 1.0) / (m + 1.0);
    let s2 = s * s;
    let series = s2.mul_add(s2.mul_add(s2.mul_add(1.0 / 9.0, 1.0 / 7.0), 1.0 / 5.0), 1.0 / 3.0);
    let ln_m = (2.0 * s).mul_add(s2 * series, 2.0 * s);
    (e as f32).mul_add(std::f32::consts::LN_2, ln_m)
}

/// (sin, cos) of `word` / 2^32 turns, by an exact integer reduction to an eighth of a turn and Taylor polynomials.
#[inline]
fn sin_cos_turn(word: u32) -> (f32, f32) {
    // Nearest quarter turn, and what is left in [-1/8, 1/8) turns, exact in the integer.
    let quarter = word.wrapping_add(1 << 29) >> 30;
    let rest = word.wrapping_sub(quarter << 30) as i32;
    let x = (rest as f32) * (std::f32::consts::TAU / 4_294_967_296.0);
    let x2 = x * x;
    let sin = x2.mul_add(x2.mul_add(x2.mul_add(-1.0 / 5040.0, 1.0 / 120.0), -1.0 / 6.0), 1.0) * x;
    let cos = x2.mul_add(x2.mul_add(x2.mul_add(x2.mul_add(1.0 / 40320.0, -1.0 / 720.0), 1.0 / 24.0), -0.5), 1.0);
    match quarter {
        0 => (sin, cos),
        1 => (cos, -sin),
        2 => (-sin, -cos),
        _ => (-cos, sin),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known answers of the authors' Random123 distribution (kat_vectors, philox4x32 10).
    #[test]
    fn known_answers() {
        assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox4x32([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox4x32([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn box_muller_matches_the_formula() {
        let mut words = Philox::new(7, 1);
        let edges = [0, 1, 2, u32::MAX, u32::MAX - 1, 1 << 31, (1 << 31) - 1, 1 << 29, (1 << 29) - 1, 3 << 29];
        let pairs = edges.iter().flat_map(|&a| edges.map(|b| (a, b)));
        let random: Vec<(u32, u32)> = (0..100_000).map(|_| (words.next_u32(), words.next_u32())).collect();
        for (a, b) in pairs.chain(random) {
            let radius = (-2.0 * ((f64::from(a) + 0.5) / 4_294_967_296.0).ln()).sqrt();
            let angle = f64::from(b) / 4_294_967_296.0 * std::f64::consts::TAU;
            let (x, y) = box_muller(a, b);
            // The logarithm errs by up to 1.5e-7; sqrt magnifies that near u = 1, where the radius vanishes.
            let bound = 1e-6 * radius.max(1.0) + (3e-7 / radius).min(6e-4);
            assert!((f64::from(x) - radius * angle.cos()).abs() < bound, "cos at {a} {b}: {x}");
            assert!((f64::from(y) - radius * angle.sin()).abs() < bound, "sin at {a} {b}: {y}");
        }
    }

    #[test]
    fn normals_have_the_moments_of_a_normal() {
        let mut stream = Philox::new(3, 5);
        let n = 200_000;
        let mut moments = [0.0f64; 4];
        for _ in 0..n {
            let x = f64::from(stream.normal());
            for (k, m) in moments.iter_mut().enumerate() {
                *m += x.powi(k as i32 + 1) / f64::from(n);
            }
        }
        // Four standard errors: sqrt(var(x^k) / n).
        for (k, (want, variance)) in [(0.0, 1.0), (1.0, 2.0), (0.0, 15.0), (3.0, 96.0)].into_iter().enumerate() {
            let bound = 4.0 * (variance / f64::from(n)).sqrt();
            assert!((moments[k] - want).abs() < bound, "moment {}: {} against {want} +- {bound}", k + 1, moments[k]);
        }
    }

    #[test]
    fn below_is_uniform_and_shuffle_permutes() {
        let mut stream = Philox::new(1, 2);
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[stream.below(7) as usize] += 1;
        }
        let chi2: f64 = counts.iter().map(|&c| (f64::from(c) - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(chi2 < 22.5, "chi-square {chi2} (6 degrees of freedom, p = 0.001)");
        let mut items: Vec<u32> = (0..100).collect();
        stream.shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn streams_replay_and_differ() {
        let mut a = Philox::new(9, 0);
        let words: Vec<u32> = (0..10).map(|_| a.next_u32()).collect();
        let mut replay = Philox::new(9, 0).at(6);
        assert_eq!(replay.next_u32(), words[6]);
        assert_ne!(Philox::new(9, 1).next_u32(), words[0]);
        assert_ne!(Philox::new(10, 0).next_u32(), words[0]);
        assert_eq!(replay.take_blocks(3), 2, "word 7 is in block 1, so the next boundary is block 2");
        assert_eq!(replay.position(), 20);
    }
}
