//! Settings that are one word out of a few.

/// A setting with a fixed list of names.
pub trait Choice: Copy + std::fmt::Display + std::str::FromStr<Err = String> + Send + Sync + 'static {
    /// Every name, in the order in which help lists them.
    const NAMES: &'static [&'static str];
}

/// Defines an enum whose variants are known by name in flags, variables and `config.toml`.
macro_rules! choice {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$variant_meta])* #[serde(rename = $text)] $variant,)*
        }

        impl $name {
            /// Every value, in the order in which help lists them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name in flags, variables and `config.toml`.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }
        }

        impl $crate::settings::Choice for $name {
            const NAMES: &'static [&'static str] = &[$($text),*];
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl std::str::FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($text => Ok($name::$variant),)*
                    _ => Err(format!("expected one of {}, got {text}", [$($text),*].join(", "))),
                }
            }
        }
    };
}
pub(crate) use choice;
