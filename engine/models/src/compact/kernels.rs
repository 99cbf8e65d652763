//! Products of a few rows with a panel of outputs, by the best instructions of the CPU.

/// Outputs of a panel.
pub(super) const PANEL: usize = 32;
/// Inputs whose 8-bit weights are together.
pub(super) const GROUP: usize = 4;
/// Groups of inputs with one scale.
pub(super) const BLOCK: usize = 16;
/// Rows of a tile; those that are left over are computed one by one.
pub(super) const ROWS: usize = 4;

/// The weights of one input in 16-bit floats, all finite.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Halves(pub [u16; PANEL]);

/// The weights of [`GROUP`] inputs in 8-bit integers plus 128, those of an output together.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Bytes(pub [[u8; GROUP]; PANEL]);

/// [`BLOCK`] groups of inputs in 8-bit integers with one scale.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Block {
    pub groups: [[i8; GROUP]; BLOCK],
    /// The factor that turns the integers into the inputs.
    pub scale: f32,
    /// Minus 128 times the sum of the integers: undoes the 128 that is added to each weight.
    pub offset: i32,
}

/// The products of `R` rows, which are as long as the panel, with its outputs.
pub(super) type Tile<X, P, const R: usize> = unsafe fn([&[X]; R], &[P]) -> [[f32; PANEL]; R];

/// One kind of product, for one row and for several.
pub(super) struct Kernel<X: 'static, P: 'static> {
    pub one: Tile<X, P, 1>,
    pub several: Tile<X, P, ROWS>,
}

/// The kernels for one instruction set. They add in the order of the inputs, with fused
/// multiply-add, and leave the scales of the outputs to the caller.
pub(super) struct Kernels {
    /// 16-bit weights.
    pub halves: Kernel<f32, Halves>,
    /// 8-bit weights and inputs: exact within a block. Inputs and weights are as long in blocks.
    pub bytes: Kernel<Block, Bytes>,
}

/// The kernels of this CPU.
pub(super) fn kernels() -> &'static Kernels {
    #[cfg(target_arch = "x86_64")]
    if let Some(kernels) = super::x86::kernels() {
        return kernels;
    }
    &PORTABLE
}

/// For any CPU. On AArch64 the compiler makes NEON instructions of it.
pub(super) static PORTABLE: Kernels = Kernels {
    halves: Kernel {
        one: halves::<1>,
        several: halves::<ROWS>,
    },
    bytes: Kernel {
        one: bytes::<1>,
        several: bytes::<ROWS>,
    },
};

/// `sum + weight * input`, fused where that is an instruction.
fn multiply_add(weight: f32, input: f32, sum: f32) -> f32 {
    if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
        weight.mul_add(input, sum)
    } else {
        sum + weight * input
    }
}

/// A finite 16-bit float.
pub(super) fn widened(half: u16) -> f32 {
    /// The exponents' biases differ by 112.
    const TWO_TO_112: f32 = f32::from_bits((127 + 112) << 23);
    let half = u32::from(half);
    let magnitude = f32::from_bits((half & 0x7fff) << 13) * TWO_TO_112;
    f32::from_bits(magnitude.to_bits() | (half & 0x8000) << 16)
}

fn halves<const R: usize>(rows: [&[f32]; R], panel: &[Halves]) -> [[f32; PANEL]; R] {
    let mut sums = [[0.0; PANEL]; R];
    for (input, halves) in panel.iter().enumerate() {
        let weights = halves.0.map(widened);
        for (sums, row) in sums.iter_mut().zip(rows) {
            for (sum, weight) in sums.iter_mut().zip(weights) {
                *sum = multiply_add(weight, row[input], *sum);
            }
        }
    }
    sums
}

fn bytes<const R: usize>(rows: [&[Block]; R], panel: &[Bytes]) -> [[f32; PANEL]; R] {
    let mut sums = [[0.0; PANEL]; R];
    for (block, panel) in panel.chunks(BLOCK).enumerate() {
        for (sums, row) in sums.iter_mut().zip(rows) {
            let inputs = &row[block];
            let mut exact = [inputs.offset; PANEL];
            for (bytes, inputs) in panel.iter().zip(&inputs.groups) {
                for (exact, weights) in exact.iter_mut().zip(&bytes.0) {
                    for (weight, input) in weights.iter().zip(inputs) {
                        *exact += i32::from(*weight) * i32::from(*input);
                    }
                }
            }
            for (sum, exact) in sums.iter_mut().zip(exact) {
                *sum = multiply_add(exact as f32, inputs.scale, *sum);
            }
        }
    }
    sums
}
