"""Two pages about one release: the evidence for the custodian, and what the recipient may know."""

from audit.report.errors import ReportError
from audit.report.evidence import render_evidence_report
from audit.report.inputs import Distances, EvidenceInputs, RecipientInputs, ReleasedFile, Verdict
from audit.report.recipient import render_recipient_page

__all__ = [
    "Distances",
    "EvidenceInputs",
    "RecipientInputs",
    "ReleasedFile",
    "ReportError",
    "Verdict",
    "render_evidence_report",
    "render_recipient_page",
]
