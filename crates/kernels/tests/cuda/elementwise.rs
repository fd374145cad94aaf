//! The maps: activations, sums, products with a number.

use crate::common::{check_map, check_map2};
use kernels::relu;

#[test]
fn relu_matches() {
    check_map(0.0, relu::cuda::forward, |x| x.max(0.0));
    check_map2(1.0, relu::cuda::backward, |y, dy| if y > 0.0 { dy } else { 0.0 });
}
