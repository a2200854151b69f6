"""A decision in the formats that pipelines read: SARIF for code scanning, JUnit XML for test reports.

Both hold exact values, as ``--json`` does: they stay with the custodian.
"""
