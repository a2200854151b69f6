"""A decision in the formats that pipelines read: SARIF for code scanning, JUnit XML for test reports.

Such files travel: to where code scanning shows alerts, to whoever may download a job's artifacts. So they say which
limits are met and no measured number, and where the policy's ``disclosure`` is ``verdict``, allowed or denied and
nothing else. With ``exact`` they hold what ``--json`` holds, and stay with the custodian.
"""
