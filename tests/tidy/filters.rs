//! `docs/filters.md` names every field that can be filtered by, and no other.

use crate::sources::{ROOT, read};
use std::fmt::Write as _;
use std::path::Path;
use vrm::northbound::filterable;

const HEAD: &str = "\
# Filters

The fields are made from the code by a test in `tests/tidy`; `VRM_REGENERATE=1` writes the page anew.

`--filter` of `vrmctl get` and `watch`, and the field `filter` of every List and Watch, take a subset of
[AIP-160](https://google.aip.dev/160):

| wanted | written |
|---|---|
| a value | `run_state = off`, `display_name != \"web-1\"` |
| a beginning, an end, a part | `display_name = web*`, `object = \"hosts/kvm-07/*\"`, `text = *disk*` |
| a part, whatever its case; a member of a list; that there is a value | `display_name:\"WEB\"`, `service_refs:\"svc-1\"`, `labels.rack:*` |
| more or less | `definition.memory_current_bytes >= 8589934592`, `perceived_severity >= MAJOR` |
| a time, an age | `raise_time > \"2026-11-01T00:00:00Z\"`, `age < 2h` |
| both, either, not | `run_state = running AND host = kvm-07`, `(a = 1 OR b = 2) AND c = 3`, `NOT persistent = true` |

- `AND` and `OR` are not mixed without parentheses.
- `=` on texts minds case, `:` does not. Words of the interface match in any case, with and without their prefix.
- Hosts are written with or without `hosts/`.
- A field of one class selects objects of that class only. An absent value equals nothing and has no order: only `!=` holds of it.
- At most 1,024 bytes, 32 terms and 8 levels. An error tells the place and the fields there are.
- `-l rack=r12,tier!=dev` of `vrmctl` is shorthand for `labels.rack = r12 AND labels.tier != dev`.
";

#[test]
fn filters_md_names_every_field() {
    let path = Path::new(ROOT).join("docs/filters.md");
    let page = page();
    if std::env::var_os("VRM_REGENERATE").is_some() {
        std::fs::write(&path, &page).expect("the page can be written");
    }
    assert!(read(&path) == page, "docs/filters.md is not what the code says; VRM_REGENERATE=1 writes it anew");
}

fn page() -> String {
    let mut page = HEAD.to_owned();
    for (class, fields) in filterable() {
        let title = if class.is_empty() { "Fields of every managed object" } else { class };
        let _ = write!(page, "\n## {title}\n\n| field | compared with |\n|---|---|\n");
        for (name, kind) in fields {
            let shown = if kind == "text by key" { format!("{name}.KEY") } else { name.to_owned() };
            let _ = writeln!(page, "| `{shown}` | {kind} |");
        }
    }
    page
}
