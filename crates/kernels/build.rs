//! With the feature `cuda-host` (tests only): compiles `kernels-cu/*.cu` by g++ into the shared library of the CPU
//! stand-in, and generates the table of its kernels. Without it there is nothing to build, and no compiler is needed.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "cuda-host")]
    stand_in::build();
}

#[cfg(feature = "cuda-host")]
mod stand_in {
    use std::env;
    use std::ffi::OsStr;
    use std::fmt::Write;
    use std::fs;
    use std::path::{Path, PathBuf};

    /// Writes `<op>.host.cpp` (the op's source and an entry for each of its kernels) and `table.cpp` into `OUT_DIR`,
    /// compiles them with the scheduler, and links `libecgan_host.so`, whose path the crate reads as `ECGAN_HOST`.
    pub fn build() {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kernels-cu");
        println!("cargo::rerun-if-changed={}", sources.display());
        let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
        let mut cpp = ["fibers", "launch"].map(|part| sources.join(format!("host/{part}.cpp"))).to_vec();
        cpp.push(out.join("table.cpp"));
        let (mut declarations, mut names) = (String::new(), String::new());
        for op in ops(&sources) {
            let stem = op.file_stem().and_then(OsStr::to_str).expect("sources have plain names");
            let text = fs::read_to_string(&op).expect("a readable source");
            let mut wrapper = format!("#include \"{stem}.cu\"\n");
            for (kernel, threads) in kernels(&text) {
                writeln!(wrapper, "HOST_KERNEL({kernel}, {threads})").expect("a String takes all");
                writeln!(declarations, "extern const Kernel host_{kernel};").expect("a String takes all");
                writeln!(names, "    &host_{kernel},").expect("a String takes all");
            }
            cpp.push(out.join(format!("{stem}.host.cpp")));
            write(cpp.last().expect("just pushed"), &wrapper);
        }
        let table = format!(
            "#include \"host/cuda_host.h\"\nnamespace host {{\n{declarations}\
             extern const Kernel* const all_kernels[];\nextern const unsigned kernel_count;\n\
             const Kernel* const all_kernels[] = {{\n{names}}};\n\
             const unsigned kernel_count = sizeof(all_kernels) / sizeof(all_kernels[0]);\n}}\n"
        );
        write(&out.join("table.cpp"), &table);
        link(&sources, &cpp, &out.join("libecgan_host.so"));
    }

    /// The ops' sources in the order of their names.
    fn ops(sources: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(sources).expect("kernels-cu lies beside crates");
        let mut ops: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
        ops.retain(|path| path.extension() == Some(OsStr::new("cu")));
        ops.sort();
        ops
    }

    /// The kernels that a source defines, and the threads of a block that each is compiled for: what any is, unless it says.
    fn kernels(text: &str) -> impl Iterator<Item = (&str, &str)> {
        text.split("extern \"C\" __global__ void ").skip(1).map(|rest| {
            let (threads, rest) = match rest.strip_prefix("__launch_bounds__(") {
                Some(rest) => {
                    let (bounds, rest) = rest.split_once(')').expect("__launch_bounds__(..)");
                    (bounds.split(',').next().expect("split yields at least one"), rest)
                }
                None => ("1024", rest),
            };
            (rest.split('(').next().expect("split yields at least one").trim(), threads)
        })
    }

    /// Leaves an unchanged file alone.
    fn write(path: &Path, text: &str) {
        if fs::read_to_string(path).ok().as_deref() != Some(text) {
            fs::write(path, text).expect("OUT_DIR is writable");
        }
    }

    fn link(sources: &Path, cpp: &[PathBuf], library: &Path) {
        let mut build = cc::Build::new();
        build.cpp(true).std("c++17").pic(true).opt_level(2).debug(false).include(sources);
        // The GPU contracts a * b + c where a source does not forbid it; here only explicit fmaf may be fused.
        build.flag("-ffp-contract=off").flag("-march=native").flag("-fno-math-errno").flag("-fno-trapping-math");
        // A float4 that does not lie on 16 bytes faults on a GPU; launch.cpp says where.
        build.flag("-fsanitize=alignment").flag("-fno-sanitize-recover=alignment");
        let objects = build.files(cpp).compile_intermediates();
        let mut command = build.get_compiler().to_command();
        let status = command.arg("-shared").arg("-o").arg(library).args(&objects).status();
        assert!(status.is_ok_and(|status| status.success()), "linking {} failed", library.display());
        println!("cargo::rustc-env=ECGAN_HOST={}", library.display());
    }
}
