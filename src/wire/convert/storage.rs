//! Storage pools, volumes, backings, images and networks.

use super::common::{Common, capacity, host_names, host_or_empty, message, same_variants, timestamp};
use crate::model::network::{Network, Subnet};
use crate::model::storage::{
    BackingVolatile, Image, PoolState, PoolVolatile, StorageBacking, StoragePool, Volume, VolumeVolatile,
};
use crate::wire::v1;

pub(super) fn storage_pool(common: Common, pool: &StoragePool, full: bool) -> v1::StoragePool {
    let StoragePool {
        host,
        technology,
        display_name: _,
        pool_uuid,
        pool_type,
        pool_state: state,
        autostart,
        persistent,
        target_path,
        source,
        backing_source,
        volume_count,
        extensions,
        volatile,
    } = pool;
    message!(StoragePool, common, {
        figures: Some(pool_figures(&volatile.0)),
        host: host_or_empty(host.as_ref()),
        technology: technology.clone(),
        pool_uuid: pool_uuid.clone(),
        pool_type: pool_type.clone(),
        pool_state: pool_state(*state),
        autostart: *autostart,
        persistent: *persistent,
        target_path: target_path.clone(),
        source: source.clone(),
        backing_source: backing_source.clone(),
        volume_count: *volume_count,
        extensions: if full { extensions.clone() } else { Default::default() },
    })
}

fn pool_figures(figures: &PoolVolatile) -> v1::StoragePoolFigures {
    let PoolVolatile {
        capacity_bytes,
        allocation_bytes,
        available_bytes,
        as_of,
        volume_capacity_bytes,
        capacity: amounts,
    } = figures;
    v1::StoragePoolFigures {
        capacity_bytes: *capacity_bytes,
        allocation_bytes: *allocation_bytes,
        available_bytes: *available_bytes,
        as_of: as_of.map(timestamp),
        volume_capacity_bytes: *volume_capacity_bytes,
        capacity: Some(capacity(amounts)),
    }
}

pub(super) fn volume(common: Common, volume: &Volume) -> v1::Volume {
    let Volume {
        host,
        pool,
        key,
        display_name: _,
        path,
        volume_type,
        format,
        backing_path,
        encrypted,
        capacity_bytes,
        volatile,
    } = volume;
    let VolumeVolatile { allocation_bytes, as_of } = &volatile.0;
    message!(Volume, common, {
        figures: Some(v1::VolumeFigures { allocation_bytes: *allocation_bytes, as_of: as_of.map(timestamp) }),
        host: host_or_empty(host.as_ref()),
        pool: pool.clone(),
        key: key.clone(),
        path: path.clone(),
        volume_type: volume_type.clone(),
        format: format.clone(),
        backing_path: backing_path.clone(),
        encrypted: *encrypted,
        capacity_bytes: *capacity_bytes,
    })
}

pub(super) fn storage_backing(common: Common, backing: &StorageBacking) -> v1::StorageBacking {
    let StorageBacking { source, backing_type, hosts, pools, virtual_machines, volatile } = backing;
    let BackingVolatile { capacity: amounts } = &volatile.0;
    message!(StorageBacking, common, {
        figures: Some(v1::StorageBackingFigures { capacity: Some(capacity(amounts)) }),
        source: source.clone(),
        backing_type: backing_type.clone(),
        hosts: host_names(hosts),
        pools: pools.clone(),
        virtual_machines: virtual_machines.clone(),
    })
}

pub(super) fn image(common: Common, image: &Image) -> v1::Image {
    let Image { display_name: _, format, virtual_size_bytes, volumes } = image;
    message!(Image, common, {
        format: format.clone(),
        virtual_size_bytes: *virtual_size_bytes,
        volumes: volumes.clone(),
    })
}

pub(super) fn network(common: Common, network: &Network, full: bool) -> v1::Network {
    let Network {
        host,
        technology,
        display_name: _,
        network_uuid,
        active,
        autostart,
        persistent,
        bridge_name,
        forward_mode,
        uplinks,
        vlan_tags,
        mtu,
        subnets,
        port_groups,
        domain,
        extensions,
    } = network;
    message!(Network, common, {
        host: host_or_empty(host.as_ref()),
        technology: technology.clone(),
        network_uuid: network_uuid.clone(),
        active: *active,
        autostart: *autostart,
        persistent: *persistent,
        bridge_name: bridge_name.clone(),
        forward_mode: forward_mode.clone(),
        uplinks: uplinks.clone(),
        vlan_tags: vlan_tags.clone(),
        mtu: *mtu,
        subnets: subnets.iter().map(subnet).collect(),
        port_groups: port_groups.clone(),
        domain: domain.clone(),
        extensions: if full { extensions.clone() } else { Default::default() },
    })
}

fn subnet(subnet: &Subnet) -> v1::Subnet {
    let Subnet { cidr, gateway, dhcp_ranges } = subnet;
    v1::Subnet { cidr: cidr.clone(), gateway: gateway.clone(), dhcp_ranges: dhcp_ranges.clone() }
}

same_variants! {
    /// In words of the interface.
    pub fn pool_state(PoolState) -> v1::PoolState { Inactive, Building, Running, Degraded, Inaccessible }
}
