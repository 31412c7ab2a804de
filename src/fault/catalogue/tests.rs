use super::*;

#[test]
fn every_type_is_found_by_its_id() {
    for alarm_type in AlarmType::ALL {
        assert_eq!(AlarmType::parse(alarm_type.id()), Some(alarm_type));
        assert_eq!(descriptor(alarm_type).id, alarm_type.id());
        assert_eq!(serde_json::to_value(alarm_type).unwrap(), alarm_type.id());
    }
    assert_eq!(AlarmType::parse("vmcrashed"), None);
}
