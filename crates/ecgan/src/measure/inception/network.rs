//! The architecture: which layer follows which, under torchvision's names.

use super::layers::{Convolution, Step};
use super::weights::Weights;
use crate::Error;

/// Steps one after another, with the channels that the last of them gives.
#[derive(Default)]
struct Chain {
    steps: Vec<Step>,
    channels: usize,
}

/// A block: its weights, and the name before those of its layers.
struct Block<'a> {
    weights: &'a Weights,
    name: &'static str,
}

/// One layer of a branch: name, output channels, kernel. Stride 1, and so much padding that the size stays.
type Layer = (&'static str, usize, [usize; 2]);

const POINT: [usize; 2] = [1, 1];
const SQUARE: [usize; 2] = [3, 3];

/// All of it but the last pool: `[n,299,299,3]` to `[n,8,8,2048]`.
pub fn steps(weights: &Weights) -> Result<Vec<Step>, Error> {
    let of = |name| Block { weights, name };
    let mut x = Chain { steps: Vec::new(), channels: 3 };
    of("Conv2d_1a_3x3").within(&mut x, "", 32, SQUARE, 2)?; // [n,149,149,32]
    of("Conv2d_2a_3x3").within(&mut x, "", 32, SQUARE, 1)?; // [n,147,147,32]
    of("Conv2d_2b_3x3").same(&mut x, &[("", 64, SQUARE)])?; // [n,147,147,64]
    x.steps.push(Step::MaxPool { stride: 2 }); // [n,73,73,64]
    of("Conv2d_3b_1x1").same(&mut x, &[("", 80, POINT)])?; // [n,73,73,80]
    of("Conv2d_4a_3x3").within(&mut x, "", 192, SQUARE, 1)?; // [n,71,71,192]
    x.steps.push(Step::MaxPool { stride: 2 }); // [n,35,35,192]
    for (name, pooled) in [("Mixed_5b", 32), ("Mixed_5c", 64), ("Mixed_5d", 64)] {
        of(name).squares(&mut x, pooled)?; // [n,35,35,256] [n,35,35,288] [n,35,35,288]
    }
    of("Mixed_6a").first_halving(&mut x)?; // [n,17,17,768]
    for (name, inner) in [("Mixed_6b", 128), ("Mixed_6c", 160), ("Mixed_6d", 160), ("Mixed_6e", 192)] {
        of(name).lines(&mut x, inner)?; // [n,17,17,768]
    }
    of("Mixed_7a").second_halving(&mut x)?; // [n,8,8,1280]
    of("Mixed_7b").spread(&mut x, Step::AveragePool)?; // [n,8,8,2048]
    of("Mixed_7c").spread(&mut x, Step::MaxPool { stride: 1 })?; // [n,8,8,2048]
    Ok(x.steps)
}

impl Block<'_> {
    fn convolution(
        &self,
        chain: &mut Chain,
        layer: &str,
        o: usize,
        kernel: [usize; 2],
        stride: usize,
        padding: [usize; 2],
    ) -> Result<(), Error> {
        let name = if layer.is_empty() { self.name.to_owned() } else { format!("{}.{layer}", self.name) };
        let convolution = Convolution::read(self.weights, &name, [chain.channels, o], kernel, stride, padding)?;
        chain.steps.push(Step::Convolution(Box::new(convolution)));
        chain.channels = o;
        Ok(())
    }

    /// A layer without padding.
    fn within(&self, x: &mut Chain, layer: &str, o: usize, kernel: [usize; 2], stride: usize) -> Result<(), Error> {
        self.convolution(x, layer, o, kernel, stride, [0, 0])
    }

    /// Layers that keep the size.
    fn same(&self, x: &mut Chain, layers: &[Layer]) -> Result<(), Error> {
        layers
            .iter()
            .try_for_each(|&(layer, o, kernel)| self.convolution(x, layer, o, kernel, 1, kernel.map(|size| size / 2)))
    }

    /// A branch from x of layers that keep the size.
    fn branch(&self, x: &Chain, layers: &[Layer]) -> Result<Chain, Error> {
        let mut branch = Chain { steps: Vec::new(), channels: x.channels };
        self.same(&mut branch, layers)?;
        Ok(branch)
    }

    /// A branch from x that pools and mixes the channels.
    fn pooled(&self, x: &Chain, pool: Step, o: usize) -> Result<Chain, Error> {
        let mut branch = Chain { steps: vec![pool], channels: x.channels };
        self.same(&mut branch, &[("branch_pool", o, POINT)])?;
        Ok(branch)
    }

    /// Squares of 1, 5, and 3 twice.
    fn squares(&self, x: &mut Chain, pooled: usize) -> Result<(), Error> {
        let branches = [
            self.branch(x, &[("branch1x1", 64, POINT)])?,
            self.branch(x, &[("branch5x5_1", 48, POINT), ("branch5x5_2", 64, [5, 5])])?,
            self.branch(
                x,
                &[("branch3x3dbl_1", 64, POINT), ("branch3x3dbl_2", 96, SQUARE), ("branch3x3dbl_3", 96, SQUARE)],
            )?,
            self.pooled(x, Step::AveragePool, pooled)?,
        ];
        x.part(branches);
        Ok(())
    }

    /// 35 to 17 pixels.
    fn first_halving(&self, x: &mut Chain) -> Result<(), Error> {
        let mut square = self.branch(x, &[])?;
        self.within(&mut square, "branch3x3", 384, SQUARE, 2)?;
        let mut double = self.branch(x, &[("branch3x3dbl_1", 64, POINT), ("branch3x3dbl_2", 96, SQUARE)])?;
        self.within(&mut double, "branch3x3dbl_3", 96, SQUARE, 2)?;
        let pool = x.halved();
        x.part([square, double, pool]);
        Ok(())
    }

    /// Squares of 7 as a row and a column.
    fn lines(&self, x: &mut Chain, inner: usize) -> Result<(), Error> {
        let (row, column) = ([1, 7], [7, 1]);
        let single = [("branch7x7_1", inner, POINT), ("branch7x7_2", inner, row), ("branch7x7_3", 192, column)];
        let double = [
            ("branch7x7dbl_1", inner, POINT),
            ("branch7x7dbl_2", inner, column),
            ("branch7x7dbl_3", inner, row),
            ("branch7x7dbl_4", inner, column),
            ("branch7x7dbl_5", 192, row),
        ];
        let branches = [
            self.branch(x, &[("branch1x1", 192, POINT)])?,
            self.branch(x, &single)?,
            self.branch(x, &double)?,
            self.pooled(x, Step::AveragePool, 192)?,
        ];
        x.part(branches);
        Ok(())
    }

    /// 17 to 8 pixels.
    fn second_halving(&self, x: &mut Chain) -> Result<(), Error> {
        let mut square = self.branch(x, &[("branch3x3_1", 192, POINT)])?;
        self.within(&mut square, "branch3x3_2", 320, SQUARE, 2)?;
        let lines = [("branch7x7x3_1", 192, POINT), ("branch7x7x3_2", 192, [1, 7]), ("branch7x7x3_3", 192, [7, 1])];
        let mut lines = self.branch(x, &lines)?;
        self.within(&mut lines, "branch7x7x3_4", 192, SQUARE, 2)?;
        let pool = x.halved();
        x.part([square, lines, pool]);
        Ok(())
    }

    /// Branches that end in a row beside a column.
    fn spread(&self, x: &mut Chain, pool: Step) -> Result<(), Error> {
        let (row, column) = ([1, 3], [3, 1]);
        let mut square = self.branch(x, &[("branch3x3_1", 384, POINT)])?;
        let ends = [("branch3x3_2a", row), ("branch3x3_2b", column)];
        self.ends(&mut square, ends)?;
        let mut double = self.branch(x, &[("branch3x3dbl_1", 448, POINT), ("branch3x3dbl_2", 384, SQUARE)])?;
        self.ends(&mut double, [("branch3x3dbl_3a", row), ("branch3x3dbl_3b", column)])?;
        let branches = [self.branch(x, &[("branch1x1", 320, POINT)])?, square, double, self.pooled(x, pool, 192)?];
        x.part(branches);
        Ok(())
    }

    fn ends(&self, x: &mut Chain, ends: [(&'static str, [usize; 2]); 2]) -> Result<(), Error> {
        let [a, b] = ends.map(|(layer, kernel)| self.branch(x, &[(layer, 384, kernel)]));
        x.part([a?, b?]);
        Ok(())
    }
}

impl Chain {
    /// A branch that takes the largest of 3x3 pixels, every other one.
    fn halved(&self) -> Self {
        Self { steps: vec![Step::MaxPool { stride: 2 }], channels: self.channels }
    }

    /// Goes on with these branches side by side.
    fn part<const N: usize>(&mut self, branches: [Chain; N]) {
        self.channels = branches.iter().map(|branch| branch.channels).sum();
        self.steps.push(Step::Branches(branches.map(|branch| branch.steps).into()));
    }
}
