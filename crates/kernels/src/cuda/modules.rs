//! The compiled kernels: PTX made ahead of time from `kernels-cu/<module>.cu` and committed, one text a module.

/// What has asynchronous copies into shared memory.
const ASYNCHRONOUS: [i32; 2] = [8, 0];

/// Declares [`ptx`] for the modules named.
macro_rules! modules {
    ($($module:literal),* $(,)?) => {
        /// The PTX of a module for a GPU of this compute capability.
        pub(super) fn ptx(module: &str, capability: [i32; 2]) -> Option<&'static str> {
            match module {
                "conv2d" if capability < ASYNCHRONOUS => {
                    Some(include_str!("../../../../kernels-cu/ptx/conv2d.compute_75.ptx"))
                }
                $($module => Some(include_str!(concat!("../../../../kernels-cu/ptx/", $module, ".ptx"))),)*
                _ => None,
            }
        }

        #[cfg(test)]
        const NAMES: &[&str] = &[$($module),*];
    };
}

modules!(
    "adam",
    "add",
    "augment",
    "avg_pool2d",
    "batch_norm",
    "bce_with_logits",
    "class_planes",
    "class_threshold",
    "conv2d",
    "conv2d_bf16",
    "conv2d_join",
    "conv2d_tf32",
    "cross_entropy",
    "diff_augment",
    "ema",
    "fill",
    "hinge",
    "leaky_relu",
    "linear",
    "pseudo_label",
    "record",
    "reduce",
    "relu",
    "scale",
    "sgd",
    "sigmoid",
    "softmax",
    "spectral_norm",
    "tanh"
);

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::Path;

    #[test]
    fn every_source_has_its_ptx_embedded() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kernels-cu");
        let entries = std::fs::read_dir(&sources).unwrap().map(|entry| entry.unwrap().path());
        let sources = entries.filter(|path| path.extension().is_some_and(|extension| extension == "cu"));
        let sources: BTreeSet<String> =
            sources.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
        assert_eq!(sources, NAMES.iter().map(|name| name.to_string()).collect());
        for name in NAMES {
            assert!(ptx(name, [9, 0]).unwrap().contains(&format!(".visible .entry {name}")), "{name}");
        }
    }

    /// All that a run in f32 needs.
    #[test]
    fn a_gpu_without_asynchronous_copies_gets_none() {
        let f32s = NAMES.iter().filter(|name| !["conv2d_tf32", "conv2d_bf16"].contains(name));
        for ptx in f32s.map(|name| ptx(name, [7, 5]).unwrap()) {
            assert!(ptx.contains("\n.target sm_75\n") && !ptx.contains("cp.async"));
        }
        assert!(ptx("conv2d", [8, 0]).unwrap().contains("cp.async"));
        let kernels = |capability| ptx("conv2d", capability).unwrap().matches(".visible .entry").count();
        assert_eq!(kernels([7, 5]), kernels([8, 0]));
    }
}
