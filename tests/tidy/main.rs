//! The house kept in order: who imports whom, words, sizes, documents that agree with the code.

mod imports;
mod mapping;
mod meaning;
mod policies;
mod profiles;
mod requirements;
mod sources;
mod words;
