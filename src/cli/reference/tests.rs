use super::*;
use crate::wire::v1;

const VM: Kind = Kind::Object(ObjectClass::VirtualMachine);

fn vm(name: &str, uuid: &str, host: &str) -> Object {
    Object::VirtualMachine(v1::VirtualMachine {
        name: format!("virtualMachines/{uuid}"),
        uid: format!("uid-{uuid}"),
        uuid: uuid.to_owned(),
        display_name: name.to_owned(),
        host: format!("hosts/{host}"),
        ..v1::VirtualMachine::default()
    })
}

fn pool(name: &str, host: &str) -> Object {
    Object::StoragePool(v1::StoragePool {
        name: format!("hosts/{host}/storagePools/{name}"),
        display_name: name.to_owned(),
        host: format!("hosts/{host}"),
        ..v1::StoragePool::default()
    })
}

const A: &str = "6f1c3a52-0000-4000-8000-000000000001";
const B: &str = "6f1c3a52-0000-4000-8000-000000000002";

fn chosen(typed: &str, prefixes: bool) -> Result<String, Failure> {
    let objects = [
        vm("web-1", A, "kvm-07"),
        vm("web-1", B, "kvm-09"),
        vm("database-primary", "7f1c3a52-0000-4000-8000-000000000003", "kvm-07"),
    ];
    Reference::parse(typed).choose(VM, &objects, prefixes).map(|object| object.name().to_owned())
}

#[test]
fn names_are_of_people_of_hosts_uuids_or_resources() {
    assert_eq!(
        chosen("database-primary", false),
        Ok("virtualMachines/7f1c3a52-0000-4000-8000-000000000003".to_owned())
    );
    assert_eq!(chosen("web-1@kvm-09", false), Ok(format!("virtualMachines/{B}")));
    assert_eq!(chosen(A, false), Ok(format!("virtualMachines/{A}")));
    assert_eq!(chosen(&A.to_uppercase(), false), Ok(format!("virtualMachines/{A}")));
    assert_eq!(chosen(&format!("virtualMachines/{A}"), false), Ok(format!("virtualMachines/{A}")));
}

#[test]
fn two_matches_are_refused_with_the_candidates() {
    let failure = chosen("web-1", true).expect_err("two machines");
    assert_eq!(failure.exit, Exit::Usage);
    assert!(failure.what.contains("web-1@kvm-07") && failure.what.contains("web-1@kvm-09"), "{}", failure.what);
}

#[test]
fn prefixes_are_for_reading_long_and_unique() {
    assert!(chosen("database", true).is_ok());
    assert_eq!(chosen("database", false).map_err(|failure| failure.exit), Err(Exit::NotFound));
    assert_eq!(chosen("databas", true).map_err(|failure| failure.exit), Err(Exit::NotFound));
    assert_eq!(chosen("6f1c3a52", true).map_err(|failure| failure.exit), Err(Exit::Usage));
    assert!(chosen("7f1c3a52-0000", true).is_ok());
}

#[test]
fn an_exact_name_wins_over_prefixes() {
    let objects = [vm("frontend", A, "h"), vm("frontend-2", B, "h")];
    let found = Reference::parse("frontend").choose(VM, &objects, true).map(|object| object.name().to_owned());
    assert_eq!(found, Ok(format!("virtualMachines/{A}")));
}

#[test]
fn a_name_that_is_nearly_one_is_suggested() {
    let failure = chosen("WEB-1", false).expect_err("another case");
    assert_eq!(failure.next.as_deref(), Some("vrmctl get vm web-1"));
    assert_eq!(chosen("zzz@kvm-07", false).expect_err("none").what, "vm/zzz not found on host kvm-07");
}

#[test]
fn pools_of_the_same_name_are_told_apart_by_their_host() {
    let objects = [pool("default", "kvm-07"), pool("default", "kvm-09")];
    let kind = Kind::Object(ObjectClass::StoragePool);
    let choose =
        |typed: &str| Reference::parse(typed).choose(kind, &objects, true).map(|object| object.name().to_owned());
    assert_eq!(choose("default").map_err(|failure| failure.exit), Err(Exit::Usage));
    assert_eq!(choose("default@kvm-09"), Ok("hosts/kvm-09/storagePools/default".to_owned()));
    assert_eq!(choose("hosts/kvm-07/storagePools/default"), Ok("hosts/kvm-07/storagePools/default".to_owned()));
}

#[test]
fn a_machine_is_found_by_any_host_that_has_an_instance() {
    let Object::VirtualMachine(mut twin) = vm("web-1", A, "kvm-07") else { panic!("a machine") };
    twin.instances = ["kvm-07", "kvm-11"]
        .map(|host| v1::VmInstance { host: format!("hosts/{host}"), ..v1::VmInstance::default() })
        .into();
    let objects = [Object::VirtualMachine(twin)];
    assert!(Reference::parse("web-1@kvm-11").choose(VM, &objects, false).is_ok());
    assert!(Reference::parse("web-1@kvm-12").choose(VM, &objects, false).is_err());
}

#[test]
fn the_filter_lets_every_candidate_pass() {
    let filter = |typed: &str, class| Reference::parse(typed).filter(class, true);
    assert_eq!(filter("web-1", ObjectClass::StoragePool), "display_name = \"web-1\"");
    assert_eq!(filter("kvm-07", ObjectClass::Host), "display_name = \"kvm-07\" OR name = \"hosts/kvm-07\"");
    assert!(filter("database", ObjectClass::VirtualMachine).contains("display_name = \"database*\""));
}
