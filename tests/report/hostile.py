"""A report in which every text the submitter may choose is hostile."""

from __future__ import annotations

from typing import Any

from conformance.report import ReportedFinding
from conformance.verdicts import Finding, Location, Verdict
from tests.report import example

TEXTS = {
    "script": "</style></title><script>alert(1)</script>",
    "attribute": '" onmouseover="alert(1)" x=\'',
    "template": "{{ 7*7 }}{% raw %}{# x #}",
    "table": "a|b\n|c|\n\n# head\n```\n- item",
    "link": "[x](javascript:alert(1)) ![y](http://example.com/y.png) <img src=x onerror=alert(1)>",
    "control": "a\x00b\x07c\x1b[31md\x7fe\ufffff",
    "reordered": "exe.\u202egnp\u202c \u2066x\u2069 \u200b\ufeff",
    "surrogate": "\ud800 \udfff",
    "cdata": "]]> <![CDATA[ <!-- --> &amp; &#0;",
    "long": "A" * 50_000,
}


def build(text: str) -> dict[str, Any]:
    """Return a report with ``text`` wherever free text can stand."""
    waiver = {
        **dict.fromkeys(("check", "subject", "value", "reason"), text),
        "link": f"javascript:{text}",
    }
    entries = [
        ReportedFinding(
            Finding(
                text,
                text,
                verdict,
                clause=text,
                message=text,
                expected=text,
                found=text,
                where=Location(file=text, pointer=text, element=text),
                fix=text,
                evidence={text: [text], "waiver": waiver},
            ),
            required=True,
            title=text,
            test=f"conformance.test_{text}::test_x[{text}]",
            about=dict.fromkeys(("model", "sample", "vectors", "metric", "layer"), text),
        )
        for verdict in Verdict
    ]
    method = {
        "summary": text,
        "parameter_reduction": [text],
        "quantisation": [text],
        "entropy_coding": [text],
        "retraining": True,
        "software": [{"name": text, "version": text, "url": text}],
    }
    interval = {"level": 0.95, "low": -1.0, "high": 1.0, "method": text}
    metric = example.sample_metric(metric=text, kind=text, vectors=text, interval=interval)
    sample = example.sample(text, [metric], title=text, codec=text, method=method, model=text)
    sample["features"] = {"declared": [text], "derived": [text]}
    model = {**example.model(), "id": text, "title": text, "format": text, "network_type": text}
    model["metrics"] = [{"metric": text, "vectors": text, "declared": 1.0, "measured": None}]
    return example.build(
        submission_block=dict.fromkeys(example.SUBMISSION, text),
        profile=text,
        checks_order=[],
        findings=entries,
        models=[model],
        samples=[sample],
        waivers=[waiver],
        environment={text: text, "nested": {text: [text]}},
        timing={"cases": {text: text}},
    )
