"""Reads an OpenMetrics page with the reference parser, which refuses what the standard does; prints families."""

import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

for family in text_string_to_metric_families(sys.stdin.read()):
    print(family.name, family.type, len(family.samples))
