//! The engine against PyTorch: `golden/*.json`, whose README has the schema, the formula and the tolerances.

mod formula;
mod iterations;
mod layers;
mod measures;
mod methods;
mod networks;
mod results;
