//! Huge pages of the host: what is reserved stands in the capabilities, what is free is asked.

use super::stats::kibibytes;
use crate::model::host::HugePages;
use std::collections::BTreeMap;
use virt::connect::Connect;

/// Reserved pages of one size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reserved {
    size_kib: u32,
    total: u64,
    /// NUMA cells, of which each has pages of this size (perhaps 0).
    cells: u32,
}

/// Huge pages that the capabilities say are reserved. The smallest size is the ordinary one and left out.
pub fn reserved(capabilities: &str) -> Vec<Reserved> {
    let Ok(document) = roxmltree::Document::parse(capabilities) else { return Vec::new() };
    let cells = document.descendants().filter(|node| node.has_tag_name("cell"));
    let mut sizes = BTreeMap::<u32, Reserved>::new();
    for cell in cells {
        for pages in cell.children().filter(|node| node.has_tag_name("pages") && node.attribute("unit") == Some("KiB"))
        {
            let size = pages.attribute("size").and_then(|size| size.parse().ok());
            let count: Option<u64> = pages.text().and_then(|text| text.trim().parse().ok());
            let (Some(size_kib), Some(count)) = (size, count) else { continue };
            let entry = sizes.entry(size_kib).or_insert(Reserved { size_kib, ..Reserved::default() });
            entry.total += count;
            entry.cells += 1;
        }
    }
    sizes.into_values().skip(1).collect()
}

/// Reserved and free huge pages (`virNodeGetFreePages`); nothing if the driver cannot tell what is free.
pub fn now(connect: &Connect, reserved: &[Reserved]) -> Vec<HugePages> {
    let figures = reserved.iter().filter_map(|pages| {
        let free = connect.free_pages(&[pages.size_kib], 0, pages.cells, 0).ok()?;
        Some(HugePages {
            page_size_bytes: kibibytes(u64::from(pages.size_kib)),
            total: pages.total,
            free: free.iter().sum(),
        })
    });
    figures.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_summed_over_cells_and_the_ordinary_one_is_left_out() {
        let text = "<capabilities><host><topology><cells num='2'>
            <cell id='0'><pages unit='KiB' size='4'>1000</pages><pages unit='KiB' size='2048'>3</pages></cell>
            <cell id='1'><pages unit='KiB' size='4'>1000</pages><pages unit='KiB' size='2048'>4</pages>
            <pages unit='KiB' size='1048576'>x</pages></cell></cells></topology></host></capabilities>";
        assert_eq!(reserved(text), [Reserved { size_kib: 2_048, total: 7, cells: 2 }]);
        assert_eq!(reserved("<capabilities/>"), []);
        assert_eq!(reserved("no xml"), []);
    }
}
